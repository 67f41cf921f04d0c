//! Commands about a daemon rather than of one: is it there, stop it, delete
//! what it kept. They work by the socket, the lock and the labels, so that a
//! daemon that was killed can be cleaned up after too.

mod rows;

use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use self::rows::Rows;
use crate::config::Config;
use crate::postgres::{DataDir, DataDirError, ManagedPostgres, ManagedSettings};
use crate::rpc::listener::remove_dead_socket;
use crate::sandbox::{Engine, SandboxError};
use crate::server::{DEPLOYMENT, STOP_SANDBOXES, ServeError};
use crate::shutdown::HARD_END;

/// For an answer on the socket.
const PING_LIMIT: Duration = Duration::from_secs(3);

/// Between two looks at whether a daemon is gone.
const LOOK: Duration = Duration::from_millis(50);

/// Asks whether a daemon serves on the unix socket.
///
/// # Errors
/// None does.
pub async fn ping(config: &Config) -> Result<(), ServeError> {
    let socket = config.listen.unix.clone();
    let shown = socket.display().to_string();
    let ask = async {
        let channel = Endpoint::from_static("http://kilnd.invalid")
            .connect_with_connector(tower::service_fn(move |_| {
                let socket = socket.clone();
                async move {
                    tokio::net::UnixStream::connect(socket)
                        .await
                        .map(TokioIo::new)
                }
            }))
            .await
            .map_err(|_| format!("no kilnd answers on {shown}"))?;
        let answer = HealthClient::new(channel)
            .check(HealthCheckRequest::default())
            .await
            .map_err(|status| {
                format!(
                    "kilnd on {shown} does not say how it is: {}",
                    status.message()
                )
            })?;
        if answer.into_inner().status() == ServingStatus::Serving {
            Ok(())
        } else {
            Err(format!("kilnd on {shown} is going down"))
        }
    };
    tokio::time::timeout(PING_LIMIT, ask)
        .await
        .unwrap_or_else(|_| Err("kilnd does not answer in time".into()))
        .map_err(ServeError::Unreachable)
}

/// Stops the daemon of the data directory with its Postgres and its containers;
/// what a killed one left is stopped too. Where nothing runs, nothing happens.
/// Says what could not be looked at.
///
/// # Errors
/// It does not stop, or what it left cannot be removed.
pub async fn stop(config: &Config) -> Result<Vec<String>, ServeError> {
    if !config.data_dir.exists() {
        return Ok(vec![]);
    }
    let data_dir = match DataDir::open(&config.data_dir) {
        Ok(data_dir) => data_dir,
        Err(DataDirError::Held { pid: Some(pid), .. }) => end(config, pid).await?,
        Err(error) => return Err(error.into()),
    };
    stop_left_over_postgres(config, &data_dir).await?;
    remove_left_over_socket(config).await?;
    let Some(engine) = left_over_engine(config, &data_dir)? else {
        return Ok(vec![]);
    };
    match remove_containers(&engine).await {
        Ok(()) => Ok(vec![]),
        // What it had stopped with it.
        Err(SandboxError::Unavailable(why)) => Ok(vec![format!(
            "the Docker engine does not answer, so no container was looked for: {why}"
        )]),
        Err(error) => Err(anyhow::Error::new(error).into()),
    }
}

async fn remove_containers(engine: &Engine) -> Result<(), SandboxError> {
    for sandbox in engine.list().await? {
        engine.remove_container(sandbox.id).await?;
    }
    Ok(())
}

/// Deletes everything that the daemon of the data directory has kept, in the
/// engine, in a database that was named, and in the directory. Says what it did.
///
/// # Errors
/// A daemon runs, the engine or the database does not answer, or something
/// cannot be removed. What comes first is the engine: a try that failed can be
/// made again.
pub async fn purge(config: &Config) -> Result<Vec<String>, ServeError> {
    if !config.data_dir.exists() {
        return Ok(vec![format!(
            "there is nothing to delete: {} is not there",
            config.data_dir.display()
        )]);
    }
    let data_dir = DataDir::open(&config.data_dir).map_err(|error| match error {
        DataDirError::Held { .. } => ServeError::AnotherInstance(format!(
            "{error}: nothing was deleted; stop it first, with `kilnd stop`"
        )),
        other => other.into(),
    })?;
    let mut said = Vec::new();
    let rows = rows::open(config, &data_dir).await?;
    stop_left_over_postgres(config, &data_dir).await?;
    if let Some(engine) = left_over_engine(config, &data_dir)? {
        let removed = engine.remove_deployment().await.map_err(|error| {
            let hint = match &error {
                SandboxError::Unavailable(_) => {
                    "start the Docker engine first, for what this daemon has there: nothing was deleted"
                }
                _ => "nothing was deleted from the database or the data directory",
            };
            anyhow::Error::new(error).context(hint)
        })?;
        said.push(format!(
            "deleted {} containers, {} volumes, {} networks and {} images",
            removed.containers, removed.volumes, removed.networks, removed.images
        ));
    }
    match rows {
        Rows::Here(rows) => said.push(rows.delete().await?),
        Rows::InTheDirectory => {}
        Rows::Gone(why) => said.push(why),
    }
    remove_left_over_socket(config).await?;
    let path = data_dir.path().display();
    match std::fs::remove_dir_all(data_dir.path()) {
        Ok(()) => said.push(format!("deleted {path}")),
        // The place of a mount, such as a volume, goes with whatever mounts it.
        Err(error)
            if error.kind() == std::io::ErrorKind::ResourceBusy
                && std::fs::read_dir(data_dir.path())
                    .is_ok_and(|mut entries| entries.next().is_none()) =>
        {
            said.push(format!("emptied {path}, where something is mounted"));
        }
        Err(error) => {
            return Err(anyhow::Error::new(error)
                .context(format!("cannot delete {path}"))
                .into());
        }
    }
    Ok(said)
}

async fn remove_left_over_socket(config: &Config) -> Result<(), ServeError> {
    // The lock is ours: whoever answers there belongs to another directory.
    remove_dead_socket(&config.listen.unix)
        .await
        .map_err(anyhow::Error::new)?;
    Ok(())
}

/// Asks a daemon to stop its sandboxes and itself, and waits until its lock is free.
async fn end(config: &Config, pid: u32) -> Result<DataDir, ServeError> {
    std::fs::write(config.data_dir.join(STOP_SANDBOXES), "").map_err(anyhow::Error::new)?;
    let pid = i32::try_from(pid).map_err(anyhow::Error::new)?;
    kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(anyhow::Error::new)?;
    let deadline = Instant::now() + HARD_END + Duration::from_secs(5);
    loop {
        match DataDir::open(&config.data_dir) {
            Ok(data_dir) => return Ok(data_dir),
            Err(DataDirError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The cluster of a killed daemon goes on; adopting it is the way to stop it.
async fn stop_left_over_postgres(config: &Config, data_dir: &DataDir) -> Result<(), ServeError> {
    if config.database.url.is_some() || !ManagedPostgres::is_running(data_dir) {
        return Ok(());
    }
    let settings = ManagedSettings {
        bin: config.database.postgres_bin.clone(),
        runtime_dir: config.runtime_dir.clone(),
    };
    let (postgres, _) = ManagedPostgres::start(data_dir, &settings)
        .await
        .map_err(anyhow::Error::new)?;
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    postgres.keep(cancelled).await;
    Ok(())
}

/// The engine, for what carries the label of this data directory's deployment.
fn left_over_engine(config: &Config, data_dir: &DataDir) -> Result<Option<Engine>, ServeError> {
    let Ok(deployment) = std::fs::read_to_string(data_dir.path().join(DEPLOYMENT)) else {
        return Ok(None);
    };
    // The supervisor is not needed to remove things.
    Engine::new(
        &config.sandbox,
        deployment.trim().to_owned(),
        std::path::PathBuf::new(),
    )
    .map(Some)
    .map_err(|error| ServeError::Configuration(error.to_string()))
}
