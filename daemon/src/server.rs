//! The composition root: builds everything once, top to bottom, runs it, and
//! takes it down in order.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kiln_proto::v1;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tonic::transport::Server;

use crate::app::accounts::{Accounts, Bootstrap, Settings};
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
use crate::fresh;
use crate::journal::{Identity, Journal};
use crate::llm::{Switch, demo};
use crate::password::Passwords;
use crate::postgres::{DataDir, DataDirError, ManagedPostgres, ManagedSettings, PostgresError};
use crate::preview::{Gateway, Limits};
use crate::rpc::auth::AuthLayer;
use crate::rpc::layers::CallLayer;
use crate::rpc::listener::{ConnectionLimits, Listeners, incoming};
use crate::rpc::streams::Streams;
use crate::rpc::{
    auth_service, generation_service, model_service, project_service, revision_service,
    sandbox_service, server_service, team_service,
};
use crate::sandbox::Engine;
use crate::shutdown::Shutdown;
use crate::store::{self, Durability, StoreError};
use crate::template::Templates;

/// How long a database that was named is waited for.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);

/// Between two rounds of the reconciler.
const RECONCILE_PERIOD: Duration = Duration::from_secs(60);

/// After a round that failed.
const RECONCILE_RETRY: Duration = Duration::from_secs(5);

/// Between two rounds of housekeeping in the database.
const PRUNE_PERIOD: Duration = Duration::from_secs(3_600);

/// For requests under way when the gateway closes.
const PREVIEW_GRACE: Duration = Duration::from_secs(2);

/// A file in the data directory that asks a daemon which goes down to stop its
/// sandboxes too.
pub const STOP_SANDBOXES: &str = "stop-sandboxes";

/// A file in the data directory with the deployment's id, for when no daemon
/// runs that could be asked.
pub const DEPLOYMENT: &str = "deployment";

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration, or the machine, is not as it must be: exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// Another daemon owns the data directory or the socket: exit code 3.
    #[error("{0}")]
    AnotherInstance(String),
    /// The database cannot be reached: exit code 5.
    #[error("{0}")]
    Unreachable(String),
    /// Anything else: exit code 1.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl ServeError {
    /// The exit code that tells a script what happened.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Configuration(_) => 2,
            Self::AnotherInstance(_) => 3,
            Self::Unreachable(_) => 5,
        }
    }
}

impl From<DataDirError> for ServeError {
    fn from(error: DataDirError) -> Self {
        match error {
            DataDirError::Held { .. } => Self::AnotherInstance(error.to_string()),
            other => Self::Configuration(other.to_string()),
        }
    }
}

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
/// See [`ServeError`]; nothing is left running but a managed Postgres.
pub async fn start(config: Config, shutdown: Shutdown) -> Result<Daemon, ServeError> {
    let began = Instant::now();
    // Only fails if one is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data_dir = DataDir::open(&config.data_dir)?;
    let identity = Identity {
        daemon_id: data_dir.daemon_id(),
        boot_id: fresh::id(),
    };
    let pool = open_database(&config, &data_dir, &shutdown).await?;
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
    let app = App::build(&config, &data_dir, identity, pool, journal, &shutdown).await?;
    let listeners = Listeners::bind(&config.listen.unix, config.listen.tcp)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::AnotherInstance(error.to_string()),
            _ => ServeError::Configuration(format!(
                "cannot listen on {}: {error}",
                config.listen.unix.display()
            )),
        })?;
    let tcp = listeners.tcp_address();
    app.projects
        .open_previews()
        .await
        .map_err(anyhow::Error::new)?;
    app.spawn_keepers(&shutdown);
    write_bootstrap_code(&app.accounts, &data_dir).await?;
    let daemon = Daemon {
        tcp,
        shutdown: shutdown.clone(),
        sandboxes: app.sandboxes.clone(),
        gateway: Arc::clone(&app.gateway),
        data_dir,
    };
    serve(&config, app, listeners, &shutdown);
    tracing::info!(
        unix = %config.listen.unix.display(),
        tcp = tcp.map(|address| address.to_string()),
        milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "serving"
    );
    Ok(daemon)
}

impl Daemon {
    /// Runs until somebody asks it to stop, then takes everything down in order.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub async fn run(self) -> std::io::Result<()> {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            asked = shutdown.on_signal() => asked?,
            () = shutdown.stopping.cancelled() => {}
        }
        self.stop().await;
        Ok(())
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

/// The use cases, built.
struct App {
    accounts: Accounts,
    edge: Arc<Switch>,
    generations: Generations,
    projects: Projects,
    revisions: Revisions,
    launcher: Launcher,
    sandboxes: Sandboxes,
    gateway: Arc<Gateway<Previews>>,
    info: ServerInfo,
    providers: Providers,
    journal: Journal,
    pool: PgPool,
}

impl App {
    async fn build(
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

    /// What goes on beside the calls: containers and rows brought together,
    /// and what is over removed.
    fn spawn_keepers(&self, shutdown: &Shutdown) {
        let (sandboxes, stopping) = (self.sandboxes.clone(), shutdown.stopping.clone());
        shutdown.support.spawn(async move {
            loop {
                let pause = match sandboxes.reconcile().await {
                    Ok(done) => {
                        if done.changed() {
                            tracing::info!(?done, "containers and rows brought together");
                        }
                        RECONCILE_PERIOD
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot bring containers and rows together; trying again");
                        RECONCILE_RETRY
                    }
                };
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
        let (accounts, pool, stopping) = (
            self.accounts.clone(),
            self.pool.clone(),
            shutdown.stopping.clone(),
        );
        shutdown.support.spawn(async move {
            loop {
                let pruned = accounts.prune().await;
                let purged = store::request_ids::purge(&pool).await;
                tracing::debug!(?pruned, ?purged, "removed what is over");
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(PRUNE_PERIOD) => {}
                }
            }
        });
    }
}

/// Serves until the daemon stops. Limits are those of the design
/// (`security.md`, server limits).
fn serve(config: &Config, app: App, listeners: Listeners, shutdown: &Shutdown) {
    const DECODE: usize = 2 << 20;
    const ENCODE: usize = 4 << 20;
    macro_rules! limited {
        ($server:path, $service:expr) => {
            <$server>::new($service)
                .max_decoding_message_size(DECODE)
                .max_encoding_message_size(ENCODE)
        };
    }
    let streams = Streams::new(
        app.accounts.clone(),
        app.journal.clone(),
        app.pool.clone(),
        shutdown.clone(),
        config.limits.streams_per_user,
    );
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = config.listen.reflection.then(reflection_services);
    let (reflection_v1, reflection_v1alpha) = reflection.unzip();
    let router = Server::builder()
        .accept_http1(false)
        .max_concurrent_streams(100_u32)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .tcp_nodelay(true)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_frame_size(16 << 10)
        .http2_max_header_list_size(16 << 10)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(256))
        .max_connection_age(Duration::from_secs(4 * 3_600))
        .max_connection_age_grace(Duration::from_secs(30))
        .layer(CallLayer::default())
        .layer(AuthLayer::new(app.accounts.clone()))
        .add_service(health_service)
        .add_optional_service(reflection_v1)
        .add_optional_service(reflection_v1alpha)
        .add_service(limited!(
            v1::server_service_server::ServerServiceServer<_>,
            server_service::ServerService::new(app.info, app.providers)
        ))
        .add_service(limited!(
            v1::auth_service_server::AuthServiceServer<_>,
            auth_service::AuthService::new(app.accounts.clone())
        ))
        .add_service(limited!(
            v1::team_service_server::TeamServiceServer<_>,
            team_service::TeamService::new(app.accounts)
        ))
        .add_service(limited!(
            v1::project_service_server::ProjectServiceServer<_>,
            project_service::ProjectService::new(app.projects.clone(), streams.clone())
        ))
        .add_service(limited!(
            v1::generation_service_server::GenerationServiceServer<_>,
            generation_service::GenerationService::new(
                app.generations,
                app.projects,
                streams.clone()
            )
        ))
        .add_service(limited!(
            v1::revision_service_server::RevisionServiceServer<_>,
            revision_service::RevisionService::new(app.revisions, streams.clone())
        ))
        .add_service(limited!(
            v1::sandbox_service_server::SandboxServiceServer<_>,
            sandbox_service::SandboxService::new(app.launcher, streams)
        ))
        .add_service(limited!(
            v1::model_service_server::ModelServiceServer<_>,
            model_service::ModelService::new(app.edge)
        ));
    let (sender, connections) = incoming();
    let limits = ConnectionLimits {
        all: config.limits.connections,
        per_address: config.limits.connections_per_address,
    };
    shutdown
        .support
        .spawn(listeners.accept(limits, shutdown.stopping.clone(), sender));
    let (stopping, closing) = (shutdown.stopping.clone(), shutdown.closing.clone());
    shutdown.support.spawn(async move {
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let ending = async {
            stopping.cancelled().await;
            health
                .set_service_status("", tonic_health::ServingStatus::NotServing)
                .await;
        };
        tokio::select! {
            served = router.serve_with_incoming_shutdown(connections, ending) => {
                if let Err(error) = served {
                    tracing::error!(%error, "serving ended");
                }
            }
            // A connection that never finishes its handshake would hold the
            // drain for ever.
            () = closing.cancelled() => {}
        }
    });
}

/// Both versions: grpcurl and Python ask for v1alpha, buf for v1. The types of
/// error details are registered too, else they print as base64.
fn reflection_services() -> (
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    tonic_reflection::server::v1alpha::ServerReflectionServer<
        impl tonic_reflection::server::v1alpha::ServerReflection,
    >,
) {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(kiln_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    (
        builder()
            .build_v1()
            .expect("the descriptors were compiled with this program"),
        builder()
            .build_v1alpha()
            .expect("the descriptors were compiled with this program"),
    )
}

async fn open_database(
    config: &Config,
    data_dir: &DataDir,
    shutdown: &Shutdown,
) -> Result<PgPool, ServeError> {
    let options = match &config.database.url {
        Some(url) => url
            .expose_secret()
            .parse::<PgConnectOptions>()
            .map_err(|_| {
                ServeError::Configuration("DATABASE_URL is not a postgres:// URL".into())
            })?,
        None => {
            let settings = ManagedSettings {
                bin: config.database.postgres_bin.clone(),
                runtime_dir: config.runtime_dir.clone(),
            };
            let (postgres, options) = ManagedPostgres::start(data_dir, &settings)
                .await
                .map_err(|error| postgres_error(&error))?;
            let closing = shutdown.closing.clone();
            shutdown.support.spawn(postgres.keep(closing));
            options
        }
    };
    let durability =
        if std::env::var_os("KILN_TEST_UNSAFE_DURABILITY").is_some_and(|value| value == "1") {
            Durability::Unchecked
        } else {
            Durability::Required
        };
    let options = options.application_name("kilnd");
    let deadline = Instant::now() + DATABASE_PATIENCE;
    let pool = loop {
        match store::connect(options.clone(), config.database.connections, durability).await {
            Ok(pool) => break pool,
            Err(error @ (StoreError::Unavailable(_) | StoreError::Timeout(_)))
                if Instant::now() < deadline =>
            {
                tracing::warn!(error = %crate::telemetry::chain(&error), "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(database_error(error)),
        }
    };
    store::migrate(&pool).await.map_err(database_error)?;
    Ok(pool)
}

fn postgres_error(error: &PostgresError) -> ServeError {
    let text = crate::telemetry::chain(error);
    if error.is_configuration() {
        ServeError::Configuration(text)
    } else {
        ServeError::Other(anyhow::Error::msg(text))
    }
}

fn database_error(error: StoreError) -> ServeError {
    match &error {
        StoreError::Unavailable(_) | StoreError::Timeout(_) => ServeError::Unreachable(format!(
            "{}; is DATABASE_URL right, and the server up?",
            crate::telemetry::chain(&error)
        )),
        StoreError::SchemaTooNew { .. } | StoreError::UnsafeDurability { .. } => {
            ServeError::Configuration(error.to_string())
        }
        _ => ServeError::Other(anyhow::Error::new(error)),
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

/// The first owner of a server without one needs a code: it goes to the log
/// and to a file that only the daemon's user can read.
async fn write_bootstrap_code(accounts: &Accounts, data_dir: &DataDir) -> Result<(), ServeError> {
    let path = data_dir.path().join("bootstrap-code");
    let kept = std::fs::read_to_string(&path).ok();
    match accounts
        .ensure_bootstrap_code(kept.as_deref())
        .await
        .map_err(anyhow::Error::new)?
    {
        Bootstrap::NotNeeded | Bootstrap::Kept => {}
        Bootstrap::New(code) => {
            write_private(&path, code.expose()).map_err(anyhow::Error::new)?;
            tracing::info!(
                file = %path.display(),
                "no owner yet: sign up with the code in this file, or use the unix socket as the user who runs the daemon"
            );
        }
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")
}

fn host_name() -> String {
    nix::sys::utsname::uname()
        .ok()
        .and_then(|names| names.nodename().to_str().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}
