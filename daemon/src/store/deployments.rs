//! The deployment: everything that shares this database. Its id labels what is
//! made on engines, so that nobody else's is ever touched.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::error::Result;
use crate::fresh;

/// The id, made by whoever asks first.
///
/// # Errors
/// The database.
pub async fn id(db: impl PgExecutor<'_>) -> Result<Uuid> {
    let fresh: Uuid = fresh::id();
    Ok(sqlx::query_scalar!(
        r#"with made as (
            insert into deployments (id) values ($1)
            on conflict (one) do update set one = true
            returning id
        )
        select id as "id!" from made"#,
        fresh
    )
    .fetch_one(db)
    .await?)
}
