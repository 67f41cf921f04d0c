//! The end of a deployment: its tables go, and nothing else of the database does.

use sqlx::{AssertSqlSafe, Connection, PgPool};
use uuid::Uuid;

use crate::domain::id::DaemonId;

use super::connect::MIGRATOR;
use super::error::Result;

/// How much was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Projects.
    pub projects: i64,
    /// Accounts.
    pub accounts: i64,
}

/// Whose database this is; `None`: it has no tables of ours.
///
/// # Errors
/// The database.
pub async fn deployment(pool: &PgPool) -> Result<Option<Uuid>> {
    let there = sqlx::query_scalar!(r#"select to_regclass('deployments') is not null as "there!""#)
        .fetch_one(pool)
        .await?;
    if !there {
        return Ok(None);
    }
    Ok(sqlx::query_scalar!("select id from deployments")
        .fetch_optional(pool)
        .await?)
}

/// The hosts of the other daemons that live.
///
/// # Errors
/// The database.
pub async fn other_daemons(pool: &PgPool, daemon: DaemonId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select host from daemons
         where id <> $1 and seen_at > now() - interval '15 seconds' order by host",
        daemon.uuid()
    )
    .fetch_all(pool)
    .await?)
}

/// Drops every table that the migrations made, and what says that they ran.
///
/// # Errors
/// The database; nothing is dropped then.
pub async fn drop_everything(pool: &PgPool) -> Result<Deleted> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let counted = sqlx::query!(
        r#"select (select count(*) from projects) as "projects!",
                  (select count(*) from users) as "accounts!""#
    )
    .fetch_one(&mut *transaction)
    .await?;
    let names = tables().collect::<Vec<_>>().join(", ");
    // Unchecked: it is DDL. Together, since they refer to each other; whatever
    // else refers to one of them is somebody else's, and makes this fail.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "drop table if exists {names}, _sqlx_migrations"
    )))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Deleted {
        projects: counted.projects,
        accounts: counted.accounts,
    })
}

/// The tables that the migrations make.
fn tables() -> impl Iterator<Item = &'static str> {
    MIGRATOR
        .iter()
        .flat_map(|migration| migration.sql.as_str().lines())
        .filter_map(|line| line.strip_prefix("create table "))
        .filter_map(|rest| rest.split([' ', '(']).next())
}
