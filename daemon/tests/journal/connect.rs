//! The pool, its limits, and the schema.

use std::time::{Duration, Instant};

use kiln_daemon::store::{self, Durability, StoreError};
use kiln_daemon::{domain, fresh};
use tokio::net::TcpListener;

use crate::support::Database;

#[tokio::test]
async fn connections_have_the_limits_of_the_design() {
    let database = Database::new().await;
    for (setting, expected) in [
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("application_name", "kilnd"),
    ] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert_eq!(value, expected, "{setting}");
    }
    let error = sqlx::query("select pg_sleep(30)")
        .execute(&database.pool)
        .await
        .map_err(StoreError::from)
        .unwrap_err();
    assert!(matches!(error, StoreError::Timeout(_)), "{error:?}");
    assert!(matches!(
        domain::Error::from(error),
        domain::Error::DbTimeout
    ));
}

#[tokio::test]
async fn a_database_that_forgets_is_refused() {
    let database = Database::new().await;
    let options = database
        .options
        .clone()
        .options([("synchronous_commit", "off")]);
    let refused = store::connect(options.clone(), 1, Durability::Required).await;
    assert!(matches!(
        refused,
        Err(StoreError::UnsafeDurability { value, .. }) if value == "off"
    ));
    store::connect(options, 1, Durability::Unchecked)
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_silence_a_timeout() {
    let database = Database::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = database.options.clone().host("127.0.0.1").port(port);
    // It accepts and never answers.
    let started = Instant::now();
    let silent = store::connect(options.clone(), 1, Durability::Unchecked).await;
    assert!(matches!(silent, Err(StoreError::Timeout(_))), "{silent:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
    drop(listener);
    let started = Instant::now();
    let gone = store::connect(options, 1, Durability::Unchecked).await;
    assert!(
        matches!(
            gone,
            Err(StoreError::Unavailable(_) | StoreError::Timeout(_))
        ),
        "{gone:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn migrating_twice_and_at_once_is_harmless() {
    let database = Database::new().await;
    let migrations = (0..4).map(|_| store::migrate(&database.pool));
    for outcome in futures::future::join_all(migrations).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_its_version() {
    let database = Database::new().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let refused = store::migrate(&database.pool).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::SchemaTooNew { found: 9999, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("start the newer kilnd"));
}

#[tokio::test]
async fn constraints_and_codes_become_words() {
    let database = Database::new().await;
    let insert = "insert into users (id, email, display_name) values ($1, 'a@b.c', 'a')";
    for expected in [true, false] {
        let id: domain::id::UserId = fresh::id();
        let result = sqlx::query(insert)
            .bind(id.uuid())
            .execute(&database.pool)
            .await;
        match result.map_err(StoreError::from) {
            Ok(_) => assert!(expected),
            Err(error) => {
                assert!(!expected);
                assert!(matches!(error, StoreError::EmailTaken), "{error:?}");
                assert!(matches!(
                    domain::Error::from(error),
                    domain::Error::EmailTaken
                ));
            }
        }
    }
    for (code, expected) in [
        ("53100", "StorageFull"),
        ("53300", "Unavailable"),
        ("57P01", "Unavailable"),
        ("57P03", "Unavailable"),
        ("08006", "Unavailable"),
        ("57014", "Timeout"),
        ("40P01", "Conflict"),
        ("40001", "Conflict"),
        ("55P03", "Conflict"),
        ("23503", "NotFound"),
        ("XX000", "Unexpected"),
    ] {
        let raise = format!("do $$ begin raise exception sqlstate '{code}'; end $$");
        let error = sqlx::query(sqlx::AssertSqlSafe(raise))
            .execute(&database.pool)
            .await
            .map_err(StoreError::from)
            .unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expected), "{code}: {name}");
    }
}
