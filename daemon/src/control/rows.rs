//! The rows of a deployment in a database that was named, for when they are to
//! be deleted. It touches no table that is not Kiln's, and none of a database that
//! another deployment or a daemon that lives works with.

use std::path::Path;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::config::Config;
use crate::postgres::{DataDir, ManagedPostgres};
use crate::server::{DEPLOYMENT, ServeError, database_error};
use crate::store::{self, Durability, StoreError, purge};

/// Where the rows of a deployment are.
pub(super) enum Rows {
    /// In a cluster in the data directory, or nowhere yet: they go with it.
    InTheDirectory,
    /// In a database that was named, and that is not there any more.
    Gone(String),
    /// In this one.
    Here(Named),
}

/// A database that was named, with the rows of this deployment.
pub(super) struct Named {
    pool: PgPool,
    /// Its name for people.
    name: String,
}

/// Finds the rows of the data directory's deployment.
///
/// # Errors
/// The database does not answer, is another deployment's, or another daemon
/// works with it; or it was not named.
pub(super) async fn open(config: &Config, data_dir: &DataDir) -> Result<Rows, ServeError> {
    let Ok(deployment) = std::fs::read_to_string(data_dir.path().join(DEPLOYMENT)) else {
        return Ok(Rows::InTheDirectory);
    };
    let Some(url) = &config.database.url else {
        return if ManagedPostgres::has_cluster(data_dir) {
            Ok(Rows::InTheDirectory)
        } else {
            Err(unnamed(data_dir.path()))
        };
    };
    let options: PgConnectOptions = url
        .expose_secret()
        .parse()
        .map_err(|_| ServeError::Configuration("DATABASE_URL is not a postgres:// URL".into()))?;
    let name = options
        .get_database()
        .unwrap_or(options.get_username())
        .to_owned();
    let pool = match store::connect(options, 2, Durability::Unchecked).await {
        Ok(pool) => pool,
        Err(StoreError::NoDatabase(_)) => {
            return Ok(Rows::Gone(format!(
                "the database {name} is not there any more"
            )));
        }
        Err(error) => return Err(database_error(error)),
    };
    match purge::deployment(&pool).await.map_err(database_error)? {
        None => {
            return Ok(Rows::Gone(format!(
                "the database {name} has no tables of Kiln"
            )));
        }
        Some(found) if found.to_string() == deployment.trim() => {}
        Some(_) => {
            return Err(ServeError::Configuration(format!(
                "DATABASE_URL names the database of another deployment than {}: nothing was deleted; \
                 set the one with which its daemon was started",
                data_dir.path().display()
            )));
        }
    }
    let others = purge::other_daemons(&pool, data_dir.daemon_id())
        .await
        .map_err(database_error)?;
    if !others.is_empty() {
        return Err(ServeError::AnotherInstance(format!(
            "another kilnd works with the database {name} (on {}): nothing was deleted; stop it first, \
             with `kilnd stop`",
            others.join(", ")
        )));
    }
    Ok(Rows::Here(Named { pool, name }))
}

impl Named {
    /// Deletes them, and says what it did.
    pub(super) async fn delete(self) -> Result<String, ServeError> {
        let deleted = purge::drop_everything(&self.pool)
            .await
            .map_err(database_error)?;
        self.pool.close().await;
        Ok(format!(
            "deleted {} projects and {} accounts with everything of theirs from the database {}, and Kiln's tables",
            deleted.projects, deleted.accounts, self.name
        ))
    }
}

fn unnamed(data_dir: &Path) -> ServeError {
    ServeError::Configuration(format!(
        "the rows of {} are in a database that DATABASE_URL named and that is not named now: \
         nothing was deleted; set DATABASE_URL as when the daemon was started",
        data_dir.display()
    ))
}
