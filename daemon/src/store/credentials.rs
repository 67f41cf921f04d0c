//! Sessions and API tokens, by the hash of their secret, and the request ids of
//! the calls that made one. All times are the database's.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::account::{ApiToken, Caller, Credential, Scope};
use crate::domain::id::{ApiTokenId, SessionId, UserId};

/// Starts a session: seven days, from the database's clock. Says when it ends.
///
/// # Errors
/// The database does not answer.
pub async fn insert_session(
    db: impl PgExecutor<'_>,
    id: SessionId,
    user_id: UserId,
    token_hash: &[u8],
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "insert into sessions (id, user_id, token_hash, expires_at)
        values ($1, $2, $3, now() + interval '7 days')
        returning expires_at",
        id.uuid(),
        user_id.uuid(),
        token_hash,
    )
    .fetch_one(db)
    .await
}

/// Who a session belongs to, while it lasts. Use makes it last longer: seven
/// days from now, written at most once in 24 hours, never past 30 days after
/// the sign-in.
///
/// # Errors
/// The database does not answer.
pub async fn session(db: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<Caller>> {
    let Some(row) = sqlx::query!(
        r#"select s.id, s.user_id, s.created_at, s.expires_at, u.is_owner,
            (s.extended_at < now() - interval '24 hours') as "due!"
        from sessions s join users u on u.id = s.user_id
        where s.token_hash = $1 and s.expires_at > now() and not u.disabled"#,
        token_hash,
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    let mut expires_at = row.expires_at;
    if row.due {
        let extended = sqlx::query_scalar!(
            "update sessions set
                expires_at = least(now() + interval '7 days', created_at + interval '30 days'),
                extended_at = now()
            where id = $1 and expires_at > now()
            returning expires_at",
            row.id,
        )
        .fetch_optional(&mut *db)
        .await?;
        let Some(extended) = extended else {
            return Ok(None);
        };
        expires_at = extended;
    }
    Ok(Some(Caller {
        user_id: row.user_id.into(),
        is_owner: row.is_owner,
        credential: Credential::Session {
            id: row.id.into(),
            signed_in_at: row.created_at,
        },
        expires_at,
    }))
}

/// Whether a session lasts, and was started at most ten minutes ago; `None`
/// where it is over.
///
/// # Errors
/// The database does not answer.
pub async fn session_is_fresh(
    db: impl PgExecutor<'_>,
    id: SessionId,
) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"select (s.created_at >= now() - interval '10 minutes') as "fresh!"
        from sessions s join users u on u.id = s.user_id
        where s.id = $1 and s.expires_at > now() and not u.disabled"#,
        id.uuid(),
    )
    .fetch_optional(db)
    .await
}

/// Ends a session. False where it was over.
///
/// # Errors
/// The database does not answer.
pub async fn delete_session(db: impl PgExecutor<'_>, id: SessionId) -> sqlx::Result<bool> {
    let done = sqlx::query!("delete from sessions where id = $1", id.uuid())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// An API token to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewApiToken<'a> {
    /// Its id.
    pub id: ApiTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its name.
    pub name: &'a str,
    /// Hash of the secret.
    pub token_hash: &'a [u8],
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Days until it ends.
    pub valid_days: i32,
}

/// Writes an API token, unless its user has `limit` of them that last: then
/// `None`. Calls for one user wait for one another until the transaction of `db`
/// ends.
///
/// # Errors
/// The database does not answer.
pub async fn insert_api_token(
    db: &mut PgConnection,
    token: NewApiToken<'_>,
    limit: i64,
) -> sqlx::Result<Option<ApiToken>> {
    sqlx::query!(
        "select id from users where id = $1 for update",
        token.user_id.uuid()
    )
    .fetch_one(&mut *db)
    .await?;
    let standing = sqlx::query_scalar!(
        r#"select count(*) as "count!" from api_tokens
        where user_id = $1 and revoked_at is null and expires_at > now()"#,
        token.user_id.uuid(),
    )
    .fetch_one(&mut *db)
    .await?;
    if standing >= limit {
        return Ok(None);
    }
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    let row = sqlx::query!(
        "insert into api_tokens (id, user_id, name, token_hash, scopes, expires_at)
        values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))
        returning created_at, expires_at",
        token.id.uuid(),
        token.user_id.uuid(),
        token.name,
        token.token_hash,
        &scopes,
        token.valid_days,
    )
    .fetch_one(&mut *db)
    .await?;
    Ok(Some(ApiToken {
        id: token.id,
        name: token.name.to_owned(),
        scopes: token.scopes.to_vec(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: None,
    }))
}

/// Who an API token belongs to, while it lasts. Its last use is written at most
/// once a minute.
///
/// # Errors
/// The database does not answer.
pub async fn api_token(db: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<Caller>> {
    let Some(row) = sqlx::query!(
        r#"select a.id, a.user_id, a.scopes, a.expires_at, u.is_owner,
            (a.last_used_at is null or a.last_used_at <= now() - interval '1 minute') as "due!"
        from api_tokens a join users u on u.id = a.user_id
        where a.token_hash = $1 and a.revoked_at is null and a.expires_at > now()
            and not u.disabled"#,
        token_hash,
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    if row.due {
        sqlx::query!(
            "update api_tokens set last_used_at = now() where id = $1",
            row.id
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(Some(Caller {
        user_id: row.user_id.into(),
        is_owner: row.is_owner,
        credential: Credential::ApiToken {
            id: row.id.into(),
            scopes: scopes(&row.scopes),
        },
        expires_at: row.expires_at,
    }))
}

/// Whether the credential of a caller still lasts, without counting as use.
///
/// # Errors
/// The database does not answer.
pub async fn lasts(db: impl PgExecutor<'_>, credential: &Credential) -> sqlx::Result<bool> {
    match credential {
        Credential::Session { id, .. } => {
            sqlx::query_scalar!(
                r#"select exists (
                    select from sessions s join users u on u.id = s.user_id
                    where s.id = $1 and s.expires_at > now() and not u.disabled
                ) as "lasts!""#,
                id.uuid(),
            )
            .fetch_one(db)
            .await
        }
        Credential::ApiToken { id, .. } => {
            sqlx::query_scalar!(
                r#"select exists (
                    select from api_tokens a join users u on u.id = a.user_id
                    where a.id = $1 and a.revoked_at is null and a.expires_at > now()
                        and not u.disabled
                ) as "lasts!""#,
                id.uuid(),
            )
            .fetch_one(db)
            .await
        }
    }
}

/// The tokens of a user that were not revoked, newest first, after a position.
///
/// # Errors
/// The database does not answer.
pub async fn api_tokens(
    db: impl PgExecutor<'_>,
    user_id: UserId,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<ApiToken>> {
    let (after_time, after_id) = after.unzip();
    let rows = sqlx::query!(
        "select id, name, scopes, created_at, expires_at, last_used_at from api_tokens
        where user_id = $1 and revoked_at is null
            and ($2::timestamptz is null or (created_at, id) < ($2, $3))
        order by created_at desc, id desc
        limit $4",
        user_id.uuid(),
        after_time,
        after_id,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApiToken {
            id: row.id.into(),
            name: row.name,
            scopes: scopes(&row.scopes),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
        .collect())
}

/// What became of an API token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is over from now on.
    Now,
    /// It was revoked before.
    Before,
    /// The user has no such token.
    Unknown,
}

/// Ends an API token of a user.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_api_token(
    db: &mut PgConnection,
    user_id: UserId,
    id: ApiTokenId,
) -> sqlx::Result<Revoked> {
    let done = sqlx::query!(
        "update api_tokens set revoked_at = now()
        where id = $1 and user_id = $2 and revoked_at is null",
        id.uuid(),
        user_id.uuid(),
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(Revoked::Now);
    }
    let known = sqlx::query_scalar!(
        r#"select exists (select from api_tokens where id = $1 and user_id = $2) as "known!""#,
        id.uuid(),
        user_id.uuid(),
    )
    .fetch_one(&mut *db)
    .await?;
    Ok(if known {
        Revoked::Before
    } else {
        Revoked::Unknown
    })
}

/// Takes a request id for a call that hands out a secret, in the transaction of
/// that call. False where it was taken in the last 24 hours.
///
/// # Errors
/// The database does not answer.
pub async fn claim_request_id(
    db: impl PgExecutor<'_>,
    user_id: UserId,
    request_id: &str,
    method: &str,
    payload_sha256: &[u8],
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into request_ids as r (user_id, request_id, method, payload_sha256)
        values ($1, $2, $3, $4)
        on conflict on constraint request_ids_pkey do update set
            method = excluded.method, payload_sha256 = excluded.payload_sha256,
            resource_id = null, created_at = now()
        where r.created_at < now() - interval '24 hours'",
        user_id.uuid(),
        request_id,
        method,
        payload_sha256,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Drops sessions that are over, and API tokens that have been for thirty days.
///
/// # Errors
/// The database does not answer.
pub async fn prune(db: &mut PgConnection) -> sqlx::Result<u64> {
    let sessions = sqlx::query!("delete from sessions where expires_at <= now()")
        .execute(&mut *db)
        .await?;
    let tokens = sqlx::query!(
        "delete from api_tokens where least(revoked_at, expires_at) < now() - interval '30 days'"
    )
    .execute(&mut *db)
    .await?;
    let request_ids =
        sqlx::query!("delete from request_ids where created_at < now() - interval '24 hours'")
            .execute(&mut *db)
            .await?;
    Ok(sessions.rows_affected() + tokens.rows_affected() + request_ids.rows_affected())
}

fn scopes(texts: &[String]) -> Vec<Scope> {
    texts.iter().filter_map(|text| Scope::parse(text)).collect()
}
