//! The composition root: builds everything once, top to bottom, runs it, and
//! takes it down in order. It decides nothing that a module below could.

mod bootstrap;
mod compose;
mod database;
mod error;
mod keepers;
mod serving;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::compose::App;
use crate::app::previews::Previews;
use crate::app::sandboxes::Sandboxes;
use crate::config::Config;
use crate::fresh;
use crate::journal::{Identity, Journal};
use crate::postgres::DataDir;
use crate::preview::Gateway;
use crate::rpc::listener::Listeners;
use crate::shutdown::Shutdown;

pub use self::error::ServeError;
pub(crate) use self::error::database_error;

/// For requests under way when the gateway closes.
const PREVIEW_GRACE: Duration = Duration::from_secs(2);

/// A file in the data directory that asks a daemon which goes down to stop its
/// sandboxes too.
pub const STOP_SANDBOXES: &str = "stop-sandboxes";

/// A file in the data directory with the deployment's id, for when no daemon
/// runs that could be asked.
pub const DEPLOYMENT: &str = "deployment";

/// A daemon that serves.
pub struct Daemon {
    /// Where TCP listens.
    pub tcp: Option<SocketAddr>,
    shutdown: Shutdown,
    sandboxes: Sandboxes,
    gateway: Arc<Gateway<Previews>>,
    data_dir: DataDir,
}

/// Builds everything, in the order in which it depends on each other, and
/// serves. When this returns, calls are answered.
///
/// # Errors
/// See [`ServeError`]; nothing is left running.
pub async fn start(config: Config, shutdown: Shutdown) -> Result<Daemon, ServeError> {
    let began = Instant::now();
    // Only fails if one is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data_dir = DataDir::open(&config.data_dir)?;
    match bring_up(&config, &data_dir, &shutdown).await {
        Ok(up) => {
            tracing::info!(
                unix = %config.listen.unix.display(),
                tcp = up.tcp.map(|address| address.to_string()),
                milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                "serving"
            );
            Ok(Daemon {
                tcp: up.tcp,
                shutdown,
                sandboxes: up.sandboxes,
                gateway: up.gateway,
                data_dir,
            })
        }
        Err(error) => {
            // What runs by now, the managed Postgres above all, ends with it.
            shutdown.drain().await;
            Err(error)
        }
    }
}

/// What is needed of a daemon that serves, to take it down.
struct Up {
    tcp: Option<SocketAddr>,
    sandboxes: Sandboxes,
    gateway: Arc<Gateway<Previews>>,
}

async fn bring_up(
    config: &Config,
    data_dir: &DataDir,
    shutdown: &Shutdown,
) -> Result<Up, ServeError> {
    let identity = Identity {
        daemon_id: data_dir.daemon_id(),
        boot_id: fresh::id(),
    };
    let pool = database::open(config, data_dir, shutdown).await?;
    let journal = Journal::start(
        pool.clone(),
        identity,
        &host_name(),
        shutdown.closing.clone(),
        &shutdown.support,
    )
    .await
    .map_err(database_error)?;
    let interrupted = journal.recover().await.map_err(database_error)?;
    if interrupted > 0 {
        tracing::info!(
            interrupted,
            "ended what an earlier start of this daemon left running"
        );
    }
    let app = App::build(config, data_dir, identity, pool, journal, shutdown).await?;
    let listeners = Listeners::bind(&config.listen.unix, config.listen.tcp)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::AnotherInstance(error.to_string()),
            _ => ServeError::Configuration(format!(
                "cannot listen on {}: {error}",
                config.listen.unix.display()
            )),
        })?;
    bootstrap::write_code(&app.accounts, data_dir).await?;
    let up = Up {
        tcp: listeners.tcp_address(),
        sandboxes: app.sandboxes.clone(),
        gateway: Arc::clone(&app.gateway),
    };
    if let Err(error) = app.projects.open_previews().await {
        up.gateway.shutdown(PREVIEW_GRACE).await;
        return Err(anyhow::Error::new(error).into());
    }
    app.spawn_keepers(shutdown);
    serving::serve(config, app, listeners, shutdown);
    Ok(up)
}

impl Daemon {
    /// Runs until somebody asks it to stop, then takes everything down in order.
    pub async fn run(self) {
        self.shutdown.stopping.cancelled().await;
        self.stop().await;
    }

    /// Takes everything down in order.
    pub async fn stop(self) {
        self.shutdown.stopping.cancel();
        let marker = self.data_dir.path().join(STOP_SANDBOXES);
        if marker.exists() {
            self.sandboxes.stop_all("stopped with the daemon").await;
            if let Err(error) = std::fs::remove_file(&marker) {
                tracing::warn!(%error, "cannot remove {}", marker.display());
            }
        }
        self.gateway.shutdown(PREVIEW_GRACE).await;
        self.shutdown.drain().await;
        tracing::info!("stopped");
    }
}

fn host_name() -> String {
    nix::sys::utsname::uname()
        .ok()
        .and_then(|names| names.nodename().to_str().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}
