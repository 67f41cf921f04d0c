//! What a daemon does not touch.

use std::fs;

use kiln_daemon::postgres::{
    DataDir, DataDirError, ManagedPostgres, ManagedSettings, PostgresError,
};

use crate::support::{Place, server_of};

#[tokio::test]
async fn a_second_daemon_is_told_who_is_there() {
    let place = Place::new();
    let mut first = place.spawn_daemon();
    server_of(&mut first);
    let error = DataDir::open(place.path()).unwrap_err();
    let first_pid = first.id();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(
        matches!(error, DataDirError::Held { pid: Some(pid), .. } if pid == first_pid),
        "{error:?}"
    );
    // The server outlives the daemon; the lock does not.
    assert!(place.pid_file().exists());
    DataDir::open(place.path()).unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused() {
    let place = Place::new();
    place.start().await.stop().await;
    let version = place.cluster().join("PG_VERSION");
    let made = fs::read_to_string(&version).unwrap();
    fs::write(&version, "9\n").unwrap();
    let error = place.try_start().await.unwrap_err();
    let PostgresError::WrongMajor { made: 9, found, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(
        found.split(", ").any(|found| found == made.trim()),
        "{found}"
    );
    assert!(error.is_configuration());
    assert!(!place.pid_file().exists());
}

#[tokio::test]
async fn a_configured_directory_without_binaries_is_refused() {
    let place = Place::new();
    let data_dir = DataDir::open(place.path()).unwrap();
    let settings = ManagedSettings {
        bin: Some(place.path().to_owned()),
        ..place.settings()
    };
    let error = ManagedPostgres::start(&data_dir, &settings)
        .await
        .unwrap_err();
    assert!(
        matches!(error, PostgresError::ConfiguredBinaries { .. }),
        "{error:?}"
    );
    assert!(!place.cluster().exists());
}
