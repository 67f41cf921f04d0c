//! Builds the use cases, each from what it rests on. Nothing runs here yet but
//! the demo model, and nothing is served.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::PgPool;

use super::DEPLOYMENT;
use super::error::{ServeError, database_error};
use crate::app::accounts::{Accounts, Settings};
use crate::app::generations::{self, Generations};
use crate::app::launch::{self, Launcher};
use crate::app::previews::Previews;
use crate::app::progress::Progress;
use crate::app::projects::{self, Projects};
use crate::app::providers::{self, Providers};
use crate::app::revisions::Revisions;
use crate::app::sandboxes::{self, Sandboxes};
use crate::app::server_info::ServerInfo;
use crate::config::Config;
use crate::journal::{Identity, Journal};
use crate::llm::{Switch, demo};
use crate::password::Passwords;
use crate::postgres::DataDir;
use crate::preview::{Gateway, Limits};
use crate::sandbox::Engine;
use crate::shutdown::Shutdown;
use crate::store;
use crate::template::Templates;

/// The use cases, built.
pub(super) struct App {
    pub(super) accounts: Accounts,
    pub(super) edge: Arc<Switch>,
    pub(super) generations: Generations,
    pub(super) projects: Projects,
    pub(super) revisions: Revisions,
    pub(super) launcher: Launcher,
    pub(super) sandboxes: Sandboxes,
    pub(super) gateway: Arc<Gateway<Previews>>,
    pub(super) info: ServerInfo,
    pub(super) providers: Providers,
    pub(super) journal: Journal,
    pub(super) pool: PgPool,
}

impl App {
    pub(super) async fn build(
        config: &Config,
        data_dir: &DataDir,
        identity: Identity,
        pool: PgPool,
        journal: Journal,
        shutdown: &Shutdown,
    ) -> Result<Self, ServeError> {
        let (demo, demo_task) = demo::start(config.model.demo_speed)
            .await
            .map_err(|error| anyhow::Error::new(error).context("cannot start the demo model"))?;
        let closing = shutdown.closing.clone();
        shutdown.support.spawn(async move {
            let ended = closing.run_until_cancelled(demo_task).await;
            if ended.is_some() {
                tracing::error!("the demo model ended");
            }
        });
        let edge = Arc::new(
            Switch::new(&config.model, Some(demo))
                .map_err(|error| ServeError::Configuration(error.to_string()))?,
        );
        let providers = Providers::open(providers::Parts {
            pool: pool.clone(),
            switch: Arc::clone(&edge),
            data_dir: data_dir.path(),
            fixed: config.model.names_provider(),
            local_ports: config.model.local_ports.clone(),
        })
        .map_err(|error| ServeError::Configuration(error.to_string()))?;
        let templates = Arc::new(
            Templates::load(data_dir.path())
                .map_err(|error| ServeError::Configuration(error.to_string()))?,
        );
        let deployment = store::deployments::id(&pool)
            .await
            .map_err(database_error)?;
        std::fs::write(data_dir.path().join(DEPLOYMENT), deployment.to_string())
            .map_err(anyhow::Error::new)?;
        let engine = Engine::new(
            &config.sandbox,
            deployment.to_string(),
            supervisor_binary(config)?,
        )
        .map_err(|error| ServeError::Configuration(error.to_string()))?;
        let progress = Arc::new(Progress::default());
        let sandboxes = Sandboxes::new(sandboxes::Parts {
            engine,
            pool: pool.clone(),
            journal: journal.clone(),
            daemon: identity.daemon_id,
            progress: Arc::clone(&progress),
            limit: config.sandbox.limit,
            shutdown: shutdown.clone(),
        });
        let previews = Previews::new(sandboxes.clone(), Arc::clone(&progress));
        let gateway = Arc::new(Gateway::new(previews, Limits::default()));
        let generations = Generations::new(generations::Parts {
            pool: pool.clone(),
            journal: journal.clone(),
            edge: Arc::clone(&edge),
            sandboxes: sandboxes.clone(),
            templates: Arc::clone(&templates),
            progress: Arc::clone(&progress),
            per_user: config.limits.generations_per_user,
            max_tokens: config.model.max_tokens,
            fallbacks: config.model.fallbacks.clone(),
            shutdown: shutdown.clone(),
        });
        let projects = Projects::new(projects::Parts {
            pool: pool.clone(),
            journal: journal.clone(),
            templates: Arc::clone(&templates),
            generations: generations.clone(),
            sandboxes: sandboxes.clone(),
            gateway: Arc::clone(&gateway),
            progress: Arc::clone(&progress),
            ports: config.preview.port_first..=config.preview.port_last,
        });
        let launcher = Launcher::new(launch::Parts {
            pool: pool.clone(),
            journal: journal.clone(),
            sandboxes: sandboxes.clone(),
            templates,
            progress,
            shutdown: shutdown.clone(),
        });
        let accounts = Accounts::new(
            pool.clone(),
            Passwords::default(),
            Settings::of_this_process(config.auth.sign_up),
        );
        let info = ServerInfo {
            pool: pool.clone(),
            sandboxes: sandboxes.clone(),
            edge: Arc::clone(&edge),
            daemon_id: identity.daemon_id,
            boot_id: identity.boot_id,
            generations_per_user: config.limits.generations_per_user,
            sandbox_limit: config.sandbox.limit,
            sign_up: config.auth.sign_up,
        };
        Ok(Self {
            accounts,
            edge,
            generations,
            projects,
            revisions: Revisions::new(pool.clone()),
            launcher,
            sandboxes,
            gateway,
            info,
            providers,
            journal,
            pool,
        })
    }
}

/// Beside this program, unless it is configured.
fn supervisor_binary(config: &Config) -> Result<PathBuf, ServeError> {
    let path = match &config.sandbox.supervisor {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .map_err(anyhow::Error::new)?
            .with_file_name("kiln-supervisor"),
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(ServeError::Configuration(format!(
            "the supervisor binary is not at {}: build it with scripts/run, or set sandbox.supervisor",
            path.display()
        )))
    }
}
