//! Where the data is: a server that is named, or none at all.

use std::process::Stdio;

use sqlx::{Connection, PgConnection};

use super::support::{Deployment, PATIENCE, http, ready, until};

#[tokio::test]
async fn with_a_database_url_the_main_job_is_the_same_and_no_cluster_is_made() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    let app = kiln.app("a counter", "demo/kiln").await;
    let page = http::shown(&app.url, "/src/App.tsx").await.body;

    let ran = kiln
        .run(&["generate", "make it blue", "--json"])
        .await
        .ended(0);
    let next = ready(&ran.last());
    assert_eq!(next.url, app.url);
    assert_ne!(http::shown(&next.url, "/src/App.tsx").await.body, page);

    assert!(!kiln.path().join("data/postgres").exists());
    let own = kiln.processes();
    assert!(
        !own.iter().any(|line| line.contains("postgres ")),
        "{own:?}"
    );
}

#[tokio::test]
async fn without_a_database_url_and_without_postgres_one_sentence_says_what_to_do() {
    let mut kiln = Deployment::new();
    let empty = kiln.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    kiln.set("KILN_DATABASE_POSTGRES_BIN", empty.display().to_string());

    let ran = kiln.run_kilnd(&[]).await.ended(2);
    assert_eq!(ran.stderr.trim().lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("kilnd: "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(empty.to_str().unwrap()),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_database_url_that_is_none_is_a_mistake_of_configuration_and_stays_secret() {
    let mut kiln = Deployment::new();
    kiln.set("DATABASE_URL", "mysql://kiln:hunter2@127.0.0.1/kiln");
    let ran = kiln.run_kilnd(&[]).await.ended(2);
    assert!(ran.stderr.contains("DATABASE_URL"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_database_that_nobody_serves_is_waited_for_and_then_given_up_with_5() {
    let mut kiln = Deployment::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    kiln.set(
        "DATABASE_URL",
        format!("postgres://kiln:hunter2@127.0.0.1:{port}/kiln"),
    );
    let began = std::time::Instant::now();
    let ran = kiln.run_kilnd(&[]).await.ended(5);
    assert!(
        began.elapsed() >= std::time::Duration::from_secs(25),
        "it is waited for"
    );
    let last = ran.stderr.trim().lines().last().unwrap();
    assert!(last.starts_with("kilnd: "), "{last}");
    assert!(
        last.contains("refused") && last.contains("DATABASE_URL"),
        "{last}"
    );
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_unknown_database_or_user_is_a_mistake_of_configuration_and_one_sentence_says_what_to_do()
 {
    let mut kiln = Deployment::on_a_server().await;
    let url = kiln.database_url().to_owned();
    kiln.set("DATABASE_URL", format!("{url}_not_there"));
    let ran = kiln.run_kilnd(&[]).await.ended(2);
    let last = ran.stderr.trim().lines().last().unwrap();
    for part in ["kilnd: ", "_not_there", "createdb", "DATABASE_URL"] {
        assert!(last.contains(part), "{last}");
    }

    let (_, host) = url.split_once("@").unwrap();
    kiln.set("DATABASE_URL", format!("postgres://nobody:hunter2@{host}"));
    let ran = kiln.run_kilnd(&[]).await.ended(2);
    let last = ran.stderr.trim().lines().last().unwrap();
    for part in ["kilnd: ", "nobody", "password", "DATABASE_URL"] {
        assert!(last.contains(part), "{last}");
    }
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    kiln.set("DATABASE_URL", url);
}

/// As if the disk were full whenever a generation is to end.
const NO_ROOM: &str = "create function no_room() returns trigger language plpgsql as
    $$ begin raise exception 'no room' using errcode = '53100'; end $$;
    create trigger no_room before update on generations for each row
    when (new.state = 'finished') execute function no_room();";

#[tokio::test]
async fn the_end_of_a_generation_is_written_once_there_is_room_again() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    kiln.app("a counter", "demo/kiln").await;
    let mut db = PgConnection::connect(kiln.database_url()).await.unwrap();
    sqlx::raw_sql(NO_ROOM).execute(&mut db).await.unwrap();
    let mut command =
        tokio::process::Command::from(kiln.command(&["generate", "make it blue", "--json"]));
    let generate = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("it was tried", PATIENCE, || async {
        kiln.daemon()
            .log()
            .contains("the end of a generation is not written yet")
            .then_some(())
    })
    .await;
    sqlx::raw_sql("drop trigger no_room on generations")
        .execute(&mut db)
        .await
        .unwrap();
    let ran = generate.wait_with_output().await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    kiln.run(&["generate", "make it green", "--json"])
        .await
        .ended(0);
}
