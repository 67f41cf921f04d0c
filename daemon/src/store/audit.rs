//! What happened to accounts and credentials. Rows are only ever added.

use sqlx::PgExecutor;

use crate::domain::account::AuditAction;
use crate::domain::id::UserId;
use crate::fresh;

/// Adds a row. `detail` holds facts such as an id or an address, never a secret.
///
/// # Errors
/// The database does not answer.
pub async fn record(
    db: impl PgExecutor<'_>,
    user_id: Option<UserId>,
    action: AuditAction,
    detail: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into audit_entries (id, user_id, action, detail) values ($1, $2, $3, $4)",
        fresh::id::<uuid::Uuid>(),
        user_id.map(UserId::uuid),
        action.as_str(),
        detail,
    )
    .execute(db)
    .await?;
    Ok(())
}
