//! What is left after an end: nothing that was not asked for.

use sqlx::{Connection, PgConnection};

use super::support::{Deployment, docker};

#[tokio::test]
async fn purge_refuses_while_the_daemon_runs_and_deletes_nothing() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let pid = kiln.daemon().pid().to_string();
    let ran = kiln.run_kilnd(&["purge"]).await.ended(3);
    assert_eq!(ran.stderr.trim().lines().count(), 1, "{}", ran.stderr);
    for part in [&pid, "nothing was deleted", "kilnd stop"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    kiln.run(&["status", "--json"]).await.ended(0);
}

#[tokio::test]
async fn purge_takes_the_rows_out_of_a_database_that_was_named_and_nothing_else() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    let app = kiln.app("a counter", "demo/kiln").await;
    let label = kiln.label();
    let mut database = PgConnection::connect(kiln.database_url()).await.unwrap();
    sqlx::raw_sql("create table somebody_elses (it int); insert into somebody_elses values (1)")
        .execute(&mut database)
        .await
        .unwrap();
    // After a kill as after a stop.
    kiln.kill().await;

    // With another database, or none, it is not guessed where the rows are.
    let url = kiln.database_url().to_owned();
    kiln.unset("DATABASE_URL");
    let ran = kiln.run_kilnd(&["purge"]).await.ended(2);
    assert!(ran.stderr.contains("set DATABASE_URL"), "{}", ran.stderr);
    assert_eq!(docker::containers(&label).len(), 1);
    kiln.set("DATABASE_URL", url);

    let ran = kiln.run_kilnd(&["purge"]).await.ended(0);
    assert!(ran.stderr.contains("1 projects"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 containers"), "{}", ran.stderr);
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'public'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert_eq!(tables, ["somebody_elses"]);
    assert_eq!(docker::labelled(&label), Vec::<String>::new());
    assert!(!kiln.path().join("data").exists());

    // The same database serves the next one from the start.
    kiln.start().await;
    let ran = kiln.run(&["projects", "--json"]).await.ended(0);
    assert_eq!(ran.stdout, "", "{} is gone", app.project);
}

#[tokio::test]
async fn purge_leaves_a_database_alone_with_which_another_daemon_works() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    kiln.terminate().await;
    // The same database from another directory.
    let mut other = Deployment::new();
    other.set("DATABASE_URL", kiln.database_url());
    other.set("KILN_TEST_UNSAFE_DURABILITY", "1");
    other.start().await;

    let ran = kiln.run_kilnd(&["purge"]).await.ended(3);
    assert!(ran.stderr.contains("another kilnd works"), "{}", ran.stderr);
    other.run(&["projects", "--json"]).await.ended(0);
    // The last one takes the tables with it; the first then finds none.
    other.terminate().await;
    other.run_kilnd(&["purge"]).await.ended(0);
    let ran = kiln.run_kilnd(&["purge"]).await.ended(0);
    assert!(ran.stderr.contains("no tables of Kiln"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_socket_file_goes_with_the_daemon_and_with_stop_after_a_kill() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    assert!(kiln.socket().exists());
    kiln.terminate().await;
    assert!(!kiln.socket().exists());

    kiln.start().await;
    kiln.kill().await;
    assert!(kiln.socket().exists());
    kiln.run_kilnd(&["stop"]).await.ended(0);
    assert!(!kiln.socket().exists());
    // Once more is no error.
    kiln.run_kilnd(&["stop"]).await.ended(0);
}

#[tokio::test]
async fn stop_works_and_purge_says_what_it_needs_when_the_engine_is_gone() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    kiln.terminate().await;
    let engine = std::env::var("DOCKER_HOST").ok();
    let nobody = kiln.path().join("nobody.sock");
    kiln.set("DOCKER_HOST", format!("unix://{}", nobody.display()));
    let ran = kiln.run_kilnd(&["stop"]).await.ended(0);
    assert!(ran.stderr.contains("does not answer"), "{}", ran.stderr);
    let ran = kiln.run_kilnd(&["purge"]).await.ended(1);
    assert!(
        ran.stderr.contains("start the Docker engine"),
        "{}",
        ran.stderr
    );
    assert!(kiln.path().join("data/deployment").exists());
    match engine {
        Some(host) => kiln.set("DOCKER_HOST", host),
        None => kiln.unset("DOCKER_HOST"),
    }
    kiln.run_kilnd(&["purge"]).await.ended(0);
}

#[tokio::test]
async fn a_start_that_fails_late_leaves_no_postgres_running() {
    let mut kiln = Deployment::new();
    // Somebody has the port.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    kiln.set("KILN_LISTEN_TCP", taken.local_addr().unwrap().to_string());
    let ran = kiln.run_kilnd(&[]).await.ended(3);
    assert!(ran.stderr.contains("cannot listen on"), "{}", ran.stderr);
    assert!(kiln.path().join("data/postgres").exists());
    assert_eq!(kiln.processes(), Vec::<String>::new());
    assert!(!kiln.socket().exists());

    kiln.set("KILN_LISTEN_TCP", "127.0.0.1:0");
    kiln.set("KILN_SANDBOX_SUPERVISOR", "/nowhere/kiln-supervisor");
    let ran = kiln.run_kilnd(&[]).await.ended(2);
    assert!(ran.stderr.contains("/nowhere"), "{}", ran.stderr);
    assert_eq!(kiln.processes(), Vec::<String>::new());

    kiln.set("KILN_SANDBOX_DOCKER_HOST", "gopher://engine");
    kiln.run_kilnd(&[]).await.ended(2);
    assert_eq!(kiln.processes(), Vec::<String>::new());
    kiln.unset("KILN_SANDBOX_DOCKER_HOST");
}
