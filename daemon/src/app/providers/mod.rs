//! Where models come from, and choosing it while the daemon runs. The
//! configuration wins; where it names no provider, an owner may choose one. An
//! endpoint is asked before it is taken, and a refusal changes nothing.
//!
//! It never gives a key out again.

mod kept;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;

pub use kept::KeptError;

use self::kept::Kept;
use super::server_info::Provider;
use crate::domain::account::{AuditAction, Caller, Credential};
use crate::domain::error::{Error, Result};
use crate::llm::local::{self, LocalServer};
use crate::llm::{Source, Switch, Unfit, Upstream};
use crate::store::audit;

/// What choosing needs.
pub(crate) struct Parts<'a> {
    pub(crate) pool: PgPool,
    pub(crate) switch: Arc<Switch>,
    pub(crate) data_dir: &'a Path,
    /// Whether the configuration names a provider.
    pub(crate) fixed: bool,
    pub(crate) local_ports: Vec<u16>,
}

/// The use cases around the model provider.
#[derive(Clone, Debug)]
pub struct Providers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    switch: Arc<Switch>,
    kept: Kept,
    fixed: bool,
    local_ports: Vec<u16>,
    /// Held while file and switch are changed, so that they say the same.
    changing: Mutex<()>,
}

/// Who decided where models come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// Nobody: only the demo models serve.
    Nobody,
    /// The configuration.
    Configuration,
    /// An owner.
    Owner,
}

/// What an owner wants.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The demo models alone.
    Demo,
    /// A provider.
    Upstream(Upstream),
}

/// Where models come from, for a caller.
#[derive(Debug)]
pub struct View {
    /// What is in force.
    pub provider: Provider,
    /// Who decided that; owners only.
    pub decided_by: Option<DecidedBy>,
    /// Whether the caller may change it.
    pub can_change: bool,
    /// Why not, and what is wrong, for people.
    pub detail: String,
    /// Servers of this machine; owners only.
    pub local: Vec<LocalServer>,
}

/// What is in force after a change.
#[derive(Debug)]
pub struct Changed {
    /// Where models come from.
    pub provider: Provider,
    /// Who decided that.
    pub decided_by: DecidedBy,
    /// Models that the endpoint lists.
    pub models: usize,
    /// What is worth knowing, for people.
    pub detail: String,
}

impl Providers {
    /// Takes up what was chosen before, unless the configuration names a provider.
    ///
    /// # Errors
    /// [`KeptError`]: what was kept cannot be used.
    pub(crate) fn open(parts: Parts<'_>) -> Result<Self, KeptError> {
        let kept = Kept::new(parts.data_dir);
        if !parts.fixed
            && let Some(chosen) = kept.read()?
        {
            match chosen.open() {
                Ok(source) => parts.switch.turn_to(Some(source)),
                // Without root certificates there is no OpenRouter; all else goes on.
                Err(error) => tracing::error!(%error, "cannot use the provider that was chosen"),
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                pool: parts.pool,
                switch: parts.switch,
                kept,
                fixed: parts.fixed,
                local_ports: parts.local_ports,
                changing: Mutex::new(()),
            }),
        })
    }

    /// Where models come from. For owners, servers of this machine are looked for.
    pub async fn get(&self, caller: &Caller) -> View {
        let inner = &self.inner;
        let edge = inner.switch.now();
        let local = async {
            if caller.is_owner {
                local::find(&inner.local_ports).await
            } else {
                Vec::new()
            }
        };
        let (provider, listing, local) =
            tokio::join!(Provider::of(&edge), edge.models(), Box::pin(local));
        let obstacle = self.obstacle(caller);
        let mut details: Vec<String> = obstacle.iter().map(ToString::to_string).collect();
        let listed = listing.models.iter().filter(|model| !model.demo).count();
        details.extend(match listing.warning {
            Some(warning) => Some(warning),
            None => no_models(&provider, listed),
        });
        View {
            decided_by: caller.is_owner.then(|| self.decided_by()),
            can_change: obstacle.is_none(),
            detail: details.join("; "),
            provider,
            local,
        }
    }

    /// Chooses where models come from.
    ///
    /// # Errors
    /// As the schema says at `SetProvider`; then nothing was changed.
    pub async fn set(&self, caller: &Caller, choice: Choice) -> Result<Changed> {
        if let Some(obstacle) = self.obstacle(caller) {
            return Err(obstacle);
        }
        let (what, source) = match &choice {
            Choice::Demo => ("the demo models".to_owned(), None),
            Choice::Upstream(chosen) => {
                let checked = Box::pin(chosen.check()).await;
                let source = checked.map_err(|unfit| refused(chosen.base_url(), unfit))?;
                (chosen.base_url().to_owned(), Some(source))
            }
        };
        let models = source
            .as_ref()
            .and_then(Source::models)
            .map_or(0, <[_]>::len);
        let inner = Arc::clone(&self.inner);
        // A caller who leaves now must not leave half a change behind.
        tokio::task::spawn_blocking(move || inner.commit(&choice, source))
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)?;
        tracing::info!(user = %caller.user_id, from = what, "an owner has chosen where models come from");
        let written = audit::record(
            &self.inner.pool,
            Some(caller.user_id),
            AuditAction::ProviderSet,
            &what,
        );
        if let Err(error) = written.await {
            tracing::warn!(%error, "cannot write down who chose the model provider");
        }
        let provider = Provider::of(&self.inner.switch.now()).await;
        Ok(Changed {
            detail: no_models(&provider, models).unwrap_or_default(),
            decided_by: self.decided_by(),
            provider,
            models,
        })
    }

    /// Why a caller may not choose.
    fn obstacle(&self, caller: &Caller) -> Option<Error> {
        match caller.credential {
            _ if !caller.is_owner => Some(Error::OwnerRequired),
            _ if self.inner.fixed => Some(Error::ProviderFixed),
            Credential::ApiToken { .. } => Some(Error::SessionRequired),
            Credential::Session { .. } => None,
        }
    }

    fn decided_by(&self) -> DecidedBy {
        if self.inner.fixed {
            DecidedBy::Configuration
        } else if self.inner.switch.now().provider().is_some() {
            DecidedBy::Owner
        } else {
            DecidedBy::Nobody
        }
    }
}

impl Inner {
    /// Keeps a choice and uses it.
    fn commit(&self, choice: &Choice, source: Option<Source>) -> Result<(), KeptError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match choice {
            Choice::Demo => self.kept.forget()?,
            Choice::Upstream(chosen) => self.kept.write(chosen)?,
        }
        self.switch.turn_to(source);
        Ok(())
    }
}

fn no_models(provider: &Provider, listed: usize) -> Option<String> {
    (!provider.demo_only && listed == 0)
        .then(|| "the endpoint lists no models: load one there, or name one by hand".to_owned())
}

fn refused(base_url: &str, unfit: Unfit) -> Error {
    let endpoint = base_url.to_owned();
    match unfit {
        Unfit::Key(problem) => Error::ProviderKeyRefused { endpoint, problem },
        Unfit::Unreachable(problem) => Error::ProviderUnreachable { endpoint, problem },
        Unfit::Protocol(problem) => Error::ProviderProtocol { endpoint, problem },
        Unfit::Setup(error) => Error::internal(error),
    }
}
