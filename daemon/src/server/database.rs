//! Opens the database: the one that was named, or the daemon's own. It writes no
//! query; the schema is brought up to date before anybody else sees the pool.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::error::{ServeError, database_error, postgres_error};
use crate::config::Config;
use crate::postgres::{DataDir, ManagedPostgres, ManagedSettings};
use crate::shutdown::Shutdown;
use crate::store::{self, Durability, StoreError};

/// How long a database that was named is waited for.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);

/// A pool on a database whose schema is that of this version.
pub(super) async fn open(
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
                tokio::select! {
                    () = shutdown.stopping.cancelled() => return Err(database_error(error)),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
            Err(error) => return Err(database_error(error)),
        }
    };
    store::migrate(&pool).await.map_err(database_error)?;
    Ok(pool)
}
