//! What a server survives.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::support::{
    PATIENCE, Place, remember, remembered, server_of, signal, state, text, until,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_fresh_cluster_is_durable_private_and_stops_in_time() {
    let place = Place::new();
    let daemon = place.start().await;
    assert!(!daemon.postgres.is_adopted());
    let mut connection = daemon.connect().await;
    for (query, expected) in [
        ("select current_database()::text", "kiln"),
        ("select current_user::text", "kiln"),
        ("show listen_addresses", ""),
        ("show fsync", "on"),
        ("show full_page_writes", "on"),
        ("show synchronous_commit", "on"),
        ("show data_checksums", "on"),
        ("show server_encoding", "UTF8"),
        ("show unix_socket_permissions", "0700"),
        (
            "select datcollate::text from pg_database where datname = 'kiln'",
            "C.UTF-8",
        ),
    ] {
        assert_eq!(text(&mut connection, query).await, expected, "{query}");
    }
    assert_eq!(mode(&place.cluster()), 0o700);
    assert_eq!(mode(daemon.options.get_socket().unwrap()), 0o700);
    assert_eq!(mode(place.path()) & 0o067, 0);

    remember(&mut connection).await;
    let pid = daemon.pid();
    // With a connection open: a fast stop does not wait for clients.
    daemon.stop().await;
    assert_eq!(state(pid), None);
    assert!(!place.pid_file().exists());

    let daemon = place.start().await;
    assert_eq!(remembered(&mut daemon.connect().await).await, "this");
}

#[tokio::test]
async fn nobody_else_signs_in() {
    let place = Place::new();
    let daemon = place.start().await;
    let error = daemon
        .options
        .clone()
        .username("postgres")
        .connect()
        .await
        .unwrap_err();
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("28000"), "{error}");
}

#[tokio::test]
async fn the_next_daemon_adopts_what_a_killed_one_left() {
    let place = Place::new();
    let mut killed = place.spawn_daemon();
    let server = server_of(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();

    let daemon = place.start().await;
    assert_eq!(daemon.pid(), server);
    assert!(daemon.postgres.is_adopted());
    let mut connection = daemon.connect().await;
    remember(&mut connection).await;
    drop(daemon);

    let daemon = place.start().await;
    assert_eq!(daemon.pid(), server);
    // The same server all along: the connection never noticed.
    assert_eq!(remembered(&mut connection).await, "this");
    daemon.stop().await;
    until("the adopted server is gone", || {
        matches!(state(server), None | Some('Z'))
    });
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_committed() {
    for adopted in [false, true] {
        let place = Place::new();
        let mut daemon = place.start().await;
        if adopted {
            drop(daemon);
            daemon = place.start().await;
        }
        assert_eq!(daemon.postgres.is_adopted(), adopted);
        remember(&mut daemon.connect().await).await;
        let (pid, options) = (daemon.pid(), daemon.options.clone());
        let cancel = CancellationToken::new();
        let keeper = tokio::spawn(daemon.postgres.keep(cancel.clone()));
        signal(pid, Signal::SIGKILL);

        let mut connection = another(&place, pid, &options).await;
        assert_eq!(remembered(&mut connection).await, "this");
        cancel.cancel();
        keeper.await.unwrap();
        assert!(!place.pid_file().exists());
    }
}

#[tokio::test]
async fn a_killed_server_that_nobody_collects_is_back_at_once() {
    // What outlives the daemon comes to this process, which does not look.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let place = Place::new();
    let mut killed = place.spawn_daemon();
    let server = server_of(&mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let daemon = place.start().await;
    assert!(daemon.postgres.is_adopted());
    remember(&mut daemon.connect().await).await;
    let options = daemon.options.clone();
    let cancel = CancellationToken::new();
    let keeper = tokio::spawn(daemon.postgres.keep(cancel.clone()));

    signal(server, Signal::SIGKILL);
    let mut connection = another(&place, server, &options).await;
    assert_eq!(
        state(server),
        Some('Z'),
        "it was collected: this shows nothing"
    );
    assert_eq!(remembered(&mut connection).await, "this");
    // The first try went through: no server found a lock that it took for another's.
    let log = fs::read_to_string(place.log()).unwrap();
    assert!(!log.contains("lock file"), "{log}");
    cancel.cancel();
    keeper.await.unwrap();
}

/// A connection to the server that took the place of `pid`.
async fn another(place: &Place, pid: i32, options: &PgConnectOptions) -> PgConnection {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        // The children of the killed server may serve for a moment longer.
        if let Ok(connection) = options.connect().await
            && fs::read_to_string(place.pid_file())
                .is_ok_and(|text| !text.starts_with(&format!("{pid}\n")))
        {
            return connection;
        }
        assert!(tokio::time::Instant::now() < deadline, "it stays down");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn stale_pid_files_do_not_stop_a_start() {
    let place = Place::new();
    let daemon = place.start().await;
    remember(&mut daemon.connect().await).await;
    let pid = daemon.pid();
    signal(pid, Signal::SIGKILL);
    drop(daemon);
    // As the kill left it.
    let daemon = place.start().await;
    assert_ne!(daemon.pid(), pid);
    assert!(!daemon.postgres.is_adopted());
    let whole = fs::read_to_string(place.pid_file()).unwrap();
    let server_uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(place.cluster()).unwrap());
    let current = daemon.pid();
    daemon.stop().await;

    // The pid now belongs to a program of the server's own user, or to one that
    // has ended and that nobody has collected.
    for arguments in [&["sleep", "600"][..], &["true"]] {
        let mut stranger = Command::new(arguments[0]);
        stranger.args(&arguments[1..]).current_dir("/");
        if nix::unistd::Uid::effective().is_root() {
            stranger.uid(server_uid);
        }
        let mut stranger = stranger.spawn().unwrap();
        let pid = stranger.id();
        fs::write(
            place.pid_file(),
            whole.replacen(&current.to_string(), &pid.to_string(), 1),
        )
        .unwrap();
        let daemon = place.try_start().await;
        // Either still runs, or ended by itself.
        let _ = stranger.kill();
        let status = stranger.wait().unwrap();
        let expected = if arguments == ["true"] { None } else { Some(9) };
        assert_eq!(status.signal(), expected);
        daemon.unwrap().stop().await;
    }

    // A full disk or a lost write.
    for text in ["", "not a pid\n"] {
        fs::write(place.pid_file(), text).unwrap();
        let daemon = place.start().await;
        assert_eq!(remembered(&mut daemon.connect().await).await, "this");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn a_kill_while_the_cluster_is_made_leaves_nothing_half_made() {
    let place = Place::new();
    let root = place.path().join("postgres");
    let half_made = || {
        fs::read_dir(&root)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(|path| path.display().to_string().contains("cluster.new-"))
    };
    // Early, and when initdb is well under way.
    for file in ["", "global/pg_control"] {
        let mut daemon = place.spawn_daemon();
        until("initdb is at work", || {
            half_made().is_some_and(|dir| dir.join(file).exists()) || place.cluster().exists()
        });
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        assert!(
            !place.cluster().exists(),
            "initdb was too fast for this test"
        );
        let daemon = place.start().await;
        remember(&mut daemon.connect().await).await;
        daemon.stop().await;
        // An initdb that outlived its daemon has noticed by now.
        place.start().await.stop().await;
        assert_eq!(half_made(), None);
        fs::remove_dir_all(place.cluster()).unwrap();
    }
}

#[tokio::test]
async fn a_suspended_server_is_replaced() {
    let place = Place::new();
    let daemon = place.start().await;
    remember(&mut daemon.connect().await).await;
    let suspended = daemon.pid();
    drop(daemon);
    signal(suspended, Signal::SIGSTOP);
    let daemon = place.start().await;
    assert_ne!(daemon.pid(), suspended);
    assert_eq!(remembered(&mut daemon.connect().await).await, "this");
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_replaced() {
    let place = Place::named(&"long".repeat(25));
    let daemon = place.start().await;
    let socket = daemon.options.get_socket().unwrap().clone();
    assert!(!socket.starts_with(place.path()), "{}", socket.display());
    remember(&mut daemon.connect().await).await;
    let pid = daemon.pid();
    drop(daemon);
    let daemon = place.start().await;
    assert_eq!(daemon.pid(), pid);
    assert_eq!(remembered(&mut daemon.connect().await).await, "this");
    daemon.stop().await;
    fs::remove_dir_all(socket).unwrap();
}
