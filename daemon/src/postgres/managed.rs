//! A Postgres of the daemon's own: made once, adopted or started, kept alive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::binaries::{self, Binaries};
use super::cluster::{self, SUPERUSER};
use super::data_dir::DataDir;
use super::error::PostgresError;
use super::layout::Layout;
use super::postmaster::{self, Found, Postmaster};
use super::socket;

/// The database that the daemon uses.
const DATABASE: &str = "kiln";

/// SQLSTATE of a database that is not there.
const INVALID_CATALOG_NAME: &str = "3D000";

/// Until a server that was just started has let us in; a busy machine takes long.
const SIGN_IN: Duration = Duration::from_secs(30);

/// The same for a server that was running, which is replaced afterwards.
const SIGN_IN_ADOPTED: Duration = Duration::from_secs(8);

/// How often the size of the server's log is looked at.
const LOG_CHECK: Duration = Duration::from_secs(60);

/// A server that ran this long was healthy: its next death is a new story.
const HEALTHY: Duration = Duration::from_secs(30);

/// What the user may say about the managed Postgres.
#[derive(Clone, Debug)]
pub struct ManagedSettings {
    /// Where the binaries are; `None`: looked for.
    pub bin: Option<PathBuf>,
    /// Where the socket goes when its path in the data directory is too long.
    pub runtime_dir: PathBuf,
}

/// A running server of the daemon's own. Dropping it leaves the server running,
/// for the next daemon; [`ManagedPostgres::keep`] ends with a proper stop.
#[derive(Debug)]
pub struct ManagedPostgres {
    layout: Layout,
    account: Account,
    binaries: Binaries,
    /// Stays the same for the life of this value: connections are made to it.
    socket_dir: PathBuf,
    postmaster: Postmaster,
}

impl ManagedPostgres {
    /// Brings up the server in `data_dir`, whose lock says that nobody else
    /// does, and says how to connect. The caller goes on to run
    /// [`ManagedPostgres::keep`], and holds `data_dir` until that has ended.
    ///
    /// # Errors
    /// See [`PostgresError`]; [`PostgresError::is_configuration`] tells whether
    /// trying again could help.
    pub async fn start(
        data_dir: &DataDir,
        settings: &ManagedSettings,
    ) -> Result<(Self, PgConnectOptions), PostgresError> {
        let account = Account::choose()?;
        let layout = Layout::new(data_dir.path());
        layout.prepare(&account)?;
        cluster::sweep(layout.root());
        let cluster_dir = layout.cluster();
        let made = layout.cluster_major()?;
        let access_changed = layout.write_access(&account)?;
        // The search runs programs: a server that only has to be adopted does
        // not wait for it.
        let search = {
            let bin = settings.bin.clone();
            let cluster = made.map(|major| (cluster_dir.clone(), major));
            tokio::task::spawn_blocking(move || {
                let cluster = cluster.as_ref().map(|(dir, major)| (dir.as_path(), *major));
                binaries::find(bin.as_deref(), cluster)
            })
        };
        let adopted = match made {
            Some(_) => adopt(&layout, &account).await,
            None => None,
        };
        let binaries = search.await.expect("the search does not panic")?;
        if made.is_none() {
            let started = Instant::now();
            cluster::make(&layout, &account, &binaries).await?;
            tracing::info!(
                path = %cluster_dir.display(),
                major = binaries.major,
                elapsed = ?started.elapsed(),
                "made a Postgres cluster"
            );
        }
        if let Some((postmaster, options, socket_dir)) = adopted {
            if access_changed {
                postmaster.reload();
            }
            tracing::info!(pid = postmaster.pid(), "adopted the running Postgres");
            let managed = Self {
                layout,
                account,
                binaries,
                socket_dir,
                postmaster,
            };
            return Ok((managed, options));
        }
        let socket_dir = socket::choose(&layout.socket(), &settings.runtime_dir, &account)?;
        let postmaster = launch(&layout, &account, &binaries, &socket_dir).await?;
        let options = connect_options(&socket_dir);
        if let Err(error) = sign_in(&options, SIGN_IN).await {
            postmaster.stop(&layout, &account).await;
            return Err(error);
        }
        let managed = Self {
            layout,
            account,
            binaries,
            socket_dir,
            postmaster,
        };
        Ok((managed, options))
    }

    /// Whether a server runs on the cluster of this data directory.
    #[must_use]
    pub fn is_running(data_dir: &DataDir) -> bool {
        Layout::new(data_dir.path()).pid_file().exists()
    }

    /// Whether this data directory has a cluster.
    #[must_use]
    pub fn has_cluster(data_dir: &DataDir) -> bool {
        Layout::new(data_dir.path()).cluster().exists()
    }

    /// The server's process.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.postmaster.pid()
    }

    /// Whether an earlier daemon started it.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.postmaster.is_adopted()
    }

    /// Starts the server again whenever it dies, until `cancel`; then stops it.
    /// `cancel` comes after the last connection was closed. Dropping this future
    /// instead leaves the server running.
    pub async fn keep(mut self, cancel: CancellationToken) {
        let mut log_check = interval(LOG_CHECK);
        log_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        let mut started = Instant::now();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                _ = log_check.tick() => {
                    if let Err(error) = self.layout.bound_log() {
                        tracing::warn!(%error, "could not bound the log of Postgres");
                    }
                    continue;
                }
                () = self.postmaster.died(&self.layout, &self.account) => {}
            }
            if started.elapsed() > HEALTHY {
                failures = 0;
            }
            tracing::warn!(
                pid = self.pid(),
                failures,
                "Postgres died; starting it again"
            );
            if !self.bring_back(&mut failures, &cancel).await {
                break;
            }
            started = Instant::now();
            tracing::info!(pid = self.pid(), "Postgres is back");
        }
        let stopping = Instant::now();
        self.postmaster.stop(&self.layout, &self.account).await;
        tracing::info!(elapsed = ?stopping.elapsed(), "Postgres stopped");
    }

    /// Tries until the server runs. Returns false once cancelled.
    async fn bring_back(&mut self, failures: &mut u32, cancel: &CancellationToken) -> bool {
        loop {
            let wait = tokio::time::sleep(delay(*failures));
            *failures = failures.saturating_add(1);
            tokio::select! {
                () = cancel.cancelled() => return false,
                () = wait => {}
            }
            // Not cancelled half-way: a server that was just launched has to be
            // known, or nobody would stop it.
            let launched = self.relaunch().await;
            match launched {
                Ok(postmaster) => {
                    self.postmaster = postmaster;
                    return true;
                }
                Err(error) => tracing::warn!(%error, failures = *failures, "Postgres is down"),
            }
        }
    }

    async fn relaunch(&self) -> Result<Postmaster, PostgresError> {
        self.layout.bound_log()?;
        // Somebody may have cleaned up in /tmp meanwhile.
        socket::claim(&self.socket_dir, &self.account)
            .map_err(PostgresError::io("create", &self.socket_dir))?;
        if let Found::Running { pid, .. } = postmaster::look(&self.layout, &self.account).await {
            Postmaster::adopt(pid)
                .stop(&self.layout, &self.account)
                .await;
        }
        launch(
            &self.layout,
            &self.account,
            &self.binaries,
            &self.socket_dir,
        )
        .await
    }
}

/// The server that an earlier daemon left, if it is one that serves us.
async fn adopt(
    layout: &Layout,
    account: &Account,
) -> Option<(Postmaster, PgConnectOptions, PathBuf)> {
    let Found::Running {
        pid,
        socket_dir,
        stopping,
    } = postmaster::look(layout, account).await
    else {
        return None;
    };
    let mut postmaster = Postmaster::adopt(pid);
    if !stopping {
        match try_adopt(&mut postmaster, layout, account, socket_dir).await {
            Ok((options, socket_dir)) => return Some((postmaster, options, socket_dir)),
            Err(error) => tracing::warn!(pid, %error, "stopping a Postgres that does not serve us"),
        }
    }
    postmaster.stop(layout, account).await;
    // What is left of its pid file is looked at anew.
    postmaster::look(layout, account).await;
    None
}

async fn try_adopt(
    postmaster: &mut Postmaster,
    layout: &Layout,
    account: &Account,
    socket_dir: PathBuf,
) -> Result<(PgConnectOptions, PathBuf), PostgresError> {
    let log_from = log_length(layout);
    postmaster.ready(layout, account, log_from).await?;
    let options = connect_options(&socket_dir);
    sign_in(&options, SIGN_IN_ADOPTED).await?;
    Ok((options, socket_dir))
}

async fn launch(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
    socket_dir: &Path,
) -> Result<Postmaster, PostgresError> {
    socket::remove_stale_lock(socket_dir, &layout.cluster(), account);
    let log_from = log_length(layout);
    let started = Instant::now();
    let mut postmaster = Postmaster::launch(layout, account, binaries, socket_dir)?;
    if let Err(error) = postmaster.ready(layout, account, log_from).await {
        postmaster.stop(layout, account).await;
        return Err(error);
    }
    tracing::info!(
        pid = postmaster.pid(),
        elapsed = ?started.elapsed(),
        "started Postgres"
    );
    Ok(postmaster)
}

fn log_length(layout: &Layout) -> u64 {
    std::fs::metadata(layout.log()).map_or(0, |metadata| metadata.len())
}

fn connect_options(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(socket::PORT)
        .username(SUPERUSER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
        .application_name("kilnd")
}

/// Signs in once, which is the proof that the server serves us, and makes the
/// database if it is not there: at the first start, or after a kill before.
async fn sign_in(options: &PgConnectOptions, patience: Duration) -> Result<(), PostgresError> {
    let attempt = async {
        match options.connect().await {
            Ok(connection) => connection.close().await,
            Err(error) if is_missing_database(&error) => create_database(options).await,
            Err(error) => Err(error),
        }
    };
    match timeout(patience, attempt).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(PostgresError::SignIn(error)),
        Err(_) => Err(PostgresError::Silent {
            seconds: patience.as_secs(),
        }),
    }
}

fn is_missing_database(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == INVALID_CATALOG_NAME)
}

async fn create_database(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection: PgConnection = options.clone().database("postgres").connect().await?;
    // Unchecked: it is DDL, and there is no database yet to check it against.
    sqlx::raw_sql("create database kiln")
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// How long to wait before a start, after so many failures in a row. It stays
/// short: once a full disk has room again, the daemon is back within seconds.
fn delay(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => Duration::from_millis(100 << failures.min(5)).min(Duration::from_secs(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_come_at_once_then_slower_and_never_slower_than_two_seconds() {
        let delays: Vec<u128> = (0..8).map(|failures| delay(failures).as_millis()).collect();
        assert_eq!(delays, [0, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(delay(u32::MAX), Duration::from_secs(2));
    }
}
