//! An engine that is not there, or does not answer, costs a caller five seconds
//! at most and is told apart from everything else.

use std::time::{Duration, Instant};

use kiln_daemon::domain;
use kiln_daemon::domain::id::SandboxId;
use kiln_daemon::sandbox::SandboxError;
use tokio::net::UnixListener;
use uuid::Uuid;

use crate::support::{Deployment, bare_template, config};

async fn all_calls_are_unavailable(docker_host: String) -> Vec<SandboxError> {
    let mut config = config();
    config.docker_host = Some(docker_host);
    let deployment = Deployment::with(config);
    let engine = &deployment.engine;
    let id = SandboxId::from(Uuid::now_v7());
    let started = Instant::now();
    let template = bare_template();
    let (info, list, remove, image) = tokio::join!(
        engine.info(),
        engine.list(),
        engine.remove(id),
        engine.prepare_image(&template, |_| {}),
    );
    assert!(started.elapsed() < Duration::from_millis(5_800));
    vec![
        info.unwrap_err(),
        list.unwrap_err(),
        remove.unwrap_err(),
        image.unwrap_err(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_engine_is_unavailable_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    for error in Box::pin(all_calls_are_unavailable(format!(
        "unix://{}",
        path.display()
    )))
    .await
    {
        assert!(
            matches!(&error, SandboxError::Unavailable(message) if message.contains("docker.sock")),
            "{error:?}"
        );
        assert!(matches!(
            domain::Error::from(error),
            domain::Error::DockerUnavailable(_)
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_unavailable_within_five_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let accept = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    for error in Box::pin(all_calls_are_unavailable(format!(
        "unix://{}",
        path.display()
    )))
    .await
    {
        assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
    }
    accept.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_comes_back_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let mut config = config();
    config.docker_host = Some(format!("unix://{}", path.display()));
    let deployment = Deployment::with(config);
    deployment.engine.info().await.unwrap_err();
    let real = std::env::var("DOCKER_HOST").map_or_else(
        |_| "/var/run/docker.sock".to_owned(),
        |host| host.trim_start_matches("unix://").to_owned(),
    );
    std::os::unix::fs::symlink(real, &path).unwrap();
    let info = deployment.engine.info().await.unwrap();
    assert!(!info.id.is_empty() && info.cores > 0 && info.memory_bytes > 0);
    assert!(
        info.warnings
            .iter()
            .any(|warning| warning.contains("unfiltered")),
        "{:?}",
        info.warnings
    );
}
