//! How the daemon and its parts are.

use std::sync::Arc;

use sqlx::PgPool;

use super::sandboxes::Sandboxes;
use crate::config::SignUp;
use crate::domain::id::{BootId, DaemonId};
use crate::llm::{Edge, Switch};
use crate::sandbox::FirewallState;

/// What is known once, and who to ask for the rest.
#[derive(Clone)]
pub struct ServerInfo {
    pub(crate) pool: PgPool,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) edge: Arc<Switch>,
    pub(crate) daemon_id: DaemonId,
    pub(crate) boot_id: BootId,
    pub(crate) generations_per_user: u32,
    pub(crate) sandbox_limit: u32,
    pub(crate) sign_up: SignUp,
}

/// How everything is now.
pub struct Facts {
    /// Identity of the daemon.
    pub daemon_id: DaemonId,
    /// Identity of this start.
    pub boot_id: BootId,
    /// The Docker engine.
    pub docker: Component,
    /// The database.
    pub database: Component,
    /// The model provider.
    pub provider: Provider,
    /// Whether sandboxes are kept from private addresses.
    pub firewall: FirewallState,
    /// Generations of one user.
    pub generations_per_user: u32,
    /// Sandboxes on the host.
    pub sandboxes: u32,
    /// Who may make an account.
    pub sign_up: SignUp,
}

/// A part that the daemon needs.
pub struct Component {
    /// Whether it answers.
    pub available: bool,
    /// Its version.
    pub version: String,
    /// What is wrong or worth knowing.
    pub detail: String,
}

/// Where models come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Empty where only the demo models serve.
    pub base_url: String,
    /// Whether a key is set.
    pub has_key: bool,
    /// Whether only the demo models can be used.
    pub demo_only: bool,
    /// Model used where a request names none.
    pub default_model: String,
}

impl Provider {
    /// What may be told of an edge.
    pub(crate) async fn of(edge: &Edge) -> Self {
        let default_model = edge.resolve(None).await;
        let provider = edge.provider();
        Self {
            has_key: provider.as_ref().is_some_and(|provider| provider.has_key),
            demo_only: provider.is_none(),
            base_url: provider
                .map(|provider| provider.base_url)
                .unwrap_or_default(),
            default_model: default_model.map(|model| model.id).unwrap_or_default(),
        }
    }
}

impl ServerInfo {
    /// Asks everybody, at the same time.
    pub async fn gather(&self) -> Facts {
        let edge = self.edge.now();
        let (engine, database, provider) = tokio::join!(
            self.sandboxes.engine().info(),
            sqlx::query_scalar::<_, String>("show server_version").fetch_one(&self.pool),
            Provider::of(&edge)
        );
        let (docker, firewall) = match engine {
            Ok(info) => (
                Component {
                    available: true,
                    version: info.version,
                    detail: info.warnings.join("; "),
                },
                info.firewall,
            ),
            Err(error) => (down(error), FirewallState::Unfiltered),
        };
        let database = match database {
            Ok(version) => Component {
                available: true,
                version,
                detail: String::new(),
            },
            Err(_) => down("the database does not answer"),
        };
        Facts {
            daemon_id: self.daemon_id,
            boot_id: self.boot_id,
            docker,
            database,
            provider,
            firewall,
            generations_per_user: self.generations_per_user,
            sandboxes: self.sandbox_limit,
            sign_up: self.sign_up,
        }
    }
}

fn down(why: impl std::fmt::Display) -> Component {
    Component {
        available: false,
        version: String::new(),
        detail: why.to_string(),
    }
}
