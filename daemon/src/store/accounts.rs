//! Users, each with a team of their own.

use sqlx::{PgConnection, PgExecutor};

use crate::domain::account::{TeamRole, User};
use crate::domain::id::{TeamId, UserId};

/// An account to be made, with ids chosen by the caller.
#[derive(Clone, Copy)]
pub struct NewUser<'a> {
    /// Their id.
    pub id: UserId,
    /// The id of their own team.
    pub team_id: TeamId,
    /// Lower case; `None` for the local owner.
    pub email: Option<&'a str>,
    /// What to call them, and their team.
    pub display_name: &'a str,
    /// PHC string; `None` where there is no password.
    pub password_hash: Option<&'a str>,
    /// What they are to the daemon.
    pub standing: Standing,
}

/// What a user is to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One of many.
    Member,
    /// Owns the daemon, and signs in by password.
    Owner,
    /// Owns the daemon, and signs in by peer credentials.
    LocalOwner,
}

/// Makes an account and its team. False where the e-mail is taken, or where
/// there is a local owner already; nothing is written then.
///
/// # Errors
/// The database does not answer.
pub async fn insert(db: &mut PgConnection, user: NewUser<'_>) -> sqlx::Result<bool> {
    // Without a target: `users_email_key` and `users_local_owner_key` are the
    // only ones that can be met, ids being new.
    let made = sqlx::query!(
        "insert into users (id, email, display_name, password_hash, is_owner, is_local)
        values ($1, $2, $3, $4, $5, $6)
        on conflict do nothing",
        user.id.uuid(),
        user.email,
        user.display_name,
        user.password_hash,
        matches!(user.standing, Standing::Owner | Standing::LocalOwner),
        matches!(user.standing, Standing::LocalOwner),
    )
    .execute(&mut *db)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "insert into teams (id, name, personal_user_id) values ($1, $2, $3)",
        user.team_id.uuid(),
        user.display_name,
        user.id.uuid(),
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into team_members (team_id, user_id, role) values ($1, $2, $3)",
        user.team_id.uuid(),
        user.id.uuid(),
        TeamRole::Owner.as_str(),
    )
    .execute(&mut *db)
    .await?;
    Ok(true)
}

/// An account.
///
/// # Errors
/// The database does not answer.
pub async fn get(db: impl PgExecutor<'_>, id: UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query!(
        "select u.id, u.email, u.display_name, u.is_owner, u.created_at, t.id as team_id
        from users u join teams t on t.personal_user_id = u.id
        where u.id = $1",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| User {
        id: row.id.into(),
        email: row.email,
        display_name: row.display_name,
        is_owner: row.is_owner,
        personal_team_id: row.team_id.into(),
        created_at: row.created_at,
    }))
}

/// What a sign-in needs to know.
#[derive(Clone)]
pub struct SignInRow {
    /// The account.
    pub user_id: UserId,
    /// PHC string; `None` where there is no password.
    pub password_hash: Option<String>,
    /// Whether the account was switched off.
    pub disabled: bool,
}

/// The account with an e-mail.
///
/// # Errors
/// The database does not answer.
pub async fn find_by_email(
    db: impl PgExecutor<'_>,
    email: &str,
) -> sqlx::Result<Option<SignInRow>> {
    let row = sqlx::query!(
        "select id, password_hash, disabled from users where email = $1",
        email,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| SignInRow {
        user_id: row.id.into(),
        password_hash: row.password_hash,
        disabled: row.disabled,
    }))
}

/// The local owner, if there is one, and whether the account was switched off.
///
/// # Errors
/// The database does not answer.
pub async fn local_owner(db: impl PgExecutor<'_>) -> sqlx::Result<Option<(UserId, bool)>> {
    let row = sqlx::query!("select id, disabled from users where is_local")
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| (row.id.into(), row.disabled)))
}

/// Whether anybody owns the daemon.
///
/// # Errors
/// The database does not answer.
pub async fn has_owner(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from users where is_owner) as "owner!""#)
        .fetch_one(db)
        .await
}

/// Replaces the hash of a password by a newer one of the same password, unless
/// the password has changed meanwhile.
///
/// # Errors
/// The database does not answer.
pub async fn rehash(db: impl PgExecutor<'_>, id: UserId, from: &str, to: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set password_hash = $3 where id = $1 and password_hash = $2",
        id.uuid(),
        from,
        to,
    )
    .execute(db)
    .await?;
    Ok(())
}
