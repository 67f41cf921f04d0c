//! What mutations answered, so that a retry answers the same. A record is
//! written in the same transaction as the effect, and kept for 24 hours.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::domain::id::UserId;

use super::error::{Result, StoreError};

/// One use of a `request_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Whose it is: ids of different accounts never meet.
    pub user_id: UserId,
    /// As given.
    pub request_id: String,
    /// The method, as in its path.
    pub method: String,
    /// SHA-256 of the request without its `request_id`.
    pub payload_sha256: [u8; 32],
    /// What the call makes; `None` where it hands out a secret.
    pub resource_id: Option<Uuid>,
}

/// What an earlier call with this `request_id` made. `None`: there was none.
///
/// # Errors
/// [`StoreError::RequestIdReused`] if it was for something else or for a
/// secret; else the database.
pub async fn lookup(db: impl PgExecutor<'_>, record: &RequestRecord) -> Result<Option<Uuid>> {
    let found = sqlx::query!(
        "select method, payload_sha256, resource_id from request_ids
         where user_id = $1 and request_id = $2 and created_at > now() - interval '24 hours'",
        record.user_id.uuid(),
        record.request_id
    )
    .fetch_optional(db)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let same = found.method == record.method && found.payload_sha256 == record.payload_sha256;
    match found.resource_id {
        Some(resource_id) if same => Ok(Some(resource_id)),
        _ => Err(StoreError::RequestIdReused),
    }
}

/// Records a use. To be called in the transaction of the effect, before it.
///
/// # Errors
/// [`StoreError::RequestRepeated`] if the same request was answered before,
/// [`StoreError::RequestIdReused`] if another one was; nothing is written then.
pub async fn record(db: &mut PgConnection, record: &RequestRecord) -> Result<()> {
    // A record past its day is as good as none.
    let written = sqlx::query!(
        "insert into request_ids as r (user_id, request_id, method, payload_sha256, resource_id)
         values ($1, $2, $3, $4, $5)
         on conflict (user_id, request_id) do update
         set method = excluded.method, payload_sha256 = excluded.payload_sha256,
             resource_id = excluded.resource_id, created_at = now()
         where r.created_at <= now() - interval '24 hours'",
        record.user_id.uuid(),
        record.request_id,
        record.method,
        &record.payload_sha256,
        record.resource_id
    )
    .execute(&mut *db)
    .await?;
    if written.rows_affected() == 1 {
        return Ok(());
    }
    match lookup(db, record).await? {
        Some(resource_id) => Err(StoreError::RequestRepeated { resource_id }),
        // It was there a moment ago: it aged out or its account went.
        None => Err(StoreError::Conflict),
    }
}

/// Forgets one use: what it made was taken back.
///
/// # Errors
/// The database.
pub async fn forget(db: impl PgExecutor<'_>, user: UserId, request_id: &str) -> Result<()> {
    sqlx::query!(
        "delete from request_ids where user_id = $1 and request_id = $2",
        user.uuid(),
        request_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets records older than 24 hours and says how many.
///
/// # Errors
/// The database.
pub async fn purge(db: impl PgExecutor<'_>) -> Result<u64> {
    let done =
        sqlx::query!("delete from request_ids where created_at <= now() - interval '24 hours'")
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}
