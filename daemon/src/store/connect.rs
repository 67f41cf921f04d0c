//! The pool: its limits, the schema, and the refusal to run on a database that
//! may lose what it has acknowledged.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};

use super::error::{Result, StoreError};

/// How long a caller waits for a connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection may sit idle before it is tried out again.
const PING_AFTER_IDLE: Duration = Duration::from_secs(30);
/// How long the ping may take: a half-open socket must not eat the caller's time.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Whether the database must keep what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `synchronous_commit` and `fsync` must be on.
    Required,
    /// For tests: KILN_TEST_UNSAFE_DURABILITY=1.
    Unchecked,
}

/// Opens the pool and one connection, to see that it works.
///
/// # Errors
/// The database cannot be reached, or could lose what it acknowledges.
pub async fn connect(
    options: PgConnectOptions,
    max: u32,
    durability: Durability,
) -> Result<PgPool> {
    let options = with_limits(options);
    say_why_not(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for <= PING_AFTER_IDLE {
                    return Ok(true);
                }
                let ping = tokio::time::timeout(PING_TIMEOUT, connection.ping()).await;
                Ok(matches!(ping, Ok(Ok(()))))
            })
        })
        .connect_with(options)
        .await?;
    if durability == Durability::Required {
        refuse_unsafe(&pool).await?;
    }
    Ok(pool)
}

/// Connects once by hand: the pool tries again and again until its time is up,
/// and then says no more than that.
async fn say_why_not(options: &PgConnectOptions) -> Result<()> {
    let connecting = PgConnection::connect_with(options);
    let connection = tokio::time::timeout(ACQUIRE_TIMEOUT, connecting)
        .await
        .map_err(|_| StoreError::Timeout(sqlx::Error::PoolTimedOut))??;
    connection.close().await?;
    Ok(())
}

/// The server's own limits, for every connection: no statement, lock or idle
/// transaction may hold anything for long.
fn with_limits(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("kilnd").options([
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ])
}

async fn refuse_unsafe(pool: &PgPool) -> Result<()> {
    let settings = sqlx::query!(
        r#"select current_setting('synchronous_commit') as "synchronous_commit!",
                  current_setting('fsync') as "fsync!""#
    )
    .fetch_one(pool)
    .await?;
    for (setting, value) in [
        ("synchronous_commit", settings.synchronous_commit),
        ("fsync", settings.fsync),
    ] {
        if value == "off" {
            return Err(StoreError::UnsafeDurability { setting, value });
        }
    }
    Ok(())
}

/// Brings the schema up to date. Safe to call from several daemons at once.
///
/// # Errors
/// The schema is newer than this version, or a migration failed, which leaves
/// the ones before it in place.
pub async fn migrate(pool: &PgPool) -> Result<()> {
    // A connection of its own: building an index may take longer than the 5 s
    // that a statement of the pool has.
    let options = (*pool.connect_options())
        .clone()
        .options([("statement_timeout", "0"), ("lock_timeout", "30s")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    let outcome = MIGRATOR.run(&mut connection).await;
    let result = outcome.map_err(|error| match error {
        MigrateError::VersionMissing(found) => StoreError::SchemaTooNew {
            found,
            known: MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0),
        },
        MigrateError::Execute(error) => error.into(),
        other => StoreError::Migration(Box::new(other)),
    });
    if result.is_ok() {
        connection.close().await?;
    }
    result
}
