//! Retries of mutations: the same `request_id` with the same request gets the
//! answer of the first, without a second effect.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::domain::id::UserId;
use crate::domain::{Error, Result};
use crate::store::request_ids::{self, RequestRecord};

/// What goes into the database for a call that makes `resource`; `None` where
/// the client gave no `request_id`.
pub(crate) fn record(
    request_id: Option<&str>,
    user: UserId,
    method: &str,
    payload: &impl Serialize,
    resource: Uuid,
) -> Result<Option<RequestRecord>> {
    let Some(request_id) = request_id else {
        return Ok(None);
    };
    let payload = serde_json::to_vec(payload).map_err(Error::internal)?;
    Ok(Some(RequestRecord {
        user_id: user,
        request_id: request_id.to_owned(),
        method: method.to_owned(),
        payload_sha256: Sha256::digest(payload).into(),
        resource_id: Some(resource),
    }))
}

/// What an earlier call with this id made.
///
/// # Errors
/// [`Error::RequestIdReused`] if it was another call; else the database.
pub(crate) async fn answered(
    pool: &PgPool,
    record: Option<&RequestRecord>,
) -> Result<Option<Uuid>> {
    match record {
        Some(record) => Ok(request_ids::lookup(pool, record).await?),
        None => Ok(None),
    }
}
