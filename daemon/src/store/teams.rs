//! Teams, their members, and the codes that let somebody in.

use sqlx::{PgExecutor, PgTransaction};
use time::OffsetDateTime;

use crate::domain::account::TeamRole;
use crate::domain::id::{InviteId, TeamId, UserId};

/// The role of a user in a team; `None` where they are not in it, or where there
/// is no such team.
///
/// # Errors
/// The database does not answer.
pub async fn role_of(
    db: impl PgExecutor<'_>,
    team_id: TeamId,
    user_id: UserId,
) -> sqlx::Result<Option<TeamRole>> {
    let role = sqlx::query_scalar!(
        "select role from team_members where team_id = $1 and user_id = $2",
        team_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    Ok(role.and_then(|role| TeamRole::parse(&role)))
}

/// The team that belongs to a user alone.
///
/// # Errors
/// The database does not answer, or there is no such user.
pub async fn personal_team(db: impl PgExecutor<'_>, user_id: UserId) -> sqlx::Result<TeamId> {
    sqlx::query_scalar!(
        "select id from teams where personal_user_id = $1",
        user_id.uuid()
    )
    .fetch_one(db)
    .await
    .map(Into::into)
}

/// Adds somebody to a team, unless they are in it.
///
/// # Errors
/// The database does not answer.
pub async fn add_member(
    db: impl PgExecutor<'_>,
    team_id: TeamId,
    user_id: UserId,
    role: TeamRole,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into team_members (team_id, user_id, role) values ($1, $2, $3)
        on conflict on constraint team_members_pkey do nothing",
        team_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What an invite lets somebody be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteGrant {
    /// The first owner of a server.
    Bootstrap,
    /// Somebody with an account and no team but their own.
    Account,
    /// A member of a team too.
    Member(TeamId, TeamRole),
}

/// Writes an invite and says when it ends.
///
/// # Errors
/// The database does not answer.
pub async fn insert_invite(
    db: impl PgExecutor<'_>,
    id: InviteId,
    code_hash: &[u8],
    place: Option<(TeamId, TeamRole)>,
    created_by: Option<UserId>,
    valid_days: i32,
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "insert into invites (id, code_hash, team_id, role, created_by, expires_at)
        values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))
        returning expires_at",
        id.uuid(),
        code_hash,
        place.map(|(team_id, _)| team_id.uuid()),
        place.map_or(BOOTSTRAP, |(_, role)| role.as_str()),
        created_by.map(UserId::uuid),
        valid_days,
    )
    .fetch_one(db)
    .await
}

/// What an invite that can still be used stands for. A bootstrap code can be
/// used only while nobody owns the server.
///
/// # Errors
/// The database does not answer.
pub async fn usable_invite(
    db: impl PgExecutor<'_>,
    code_hash: &[u8],
) -> sqlx::Result<Option<InviteGrant>> {
    let row = sqlx::query!(
        r#"select i.team_id, i.role, (t.personal_user_id is not null) as "personal!"
        from invites i left join teams t on t.id = i.team_id
        where i.code_hash = $1 and i.used_at is null and i.expires_at > now()
            and (i.role <> 'bootstrap' or not exists (select from users where is_owner))"#,
        code_hash,
    )
    .fetch_optional(db)
    .await?;
    Ok(
        row.and_then(|row| match (row.team_id, TeamRole::parse(&row.role)) {
            (None, None) if row.role == BOOTSTRAP => Some(InviteGrant::Bootstrap),
            (Some(_), Some(_)) if row.personal => Some(InviteGrant::Account),
            (Some(team_id), Some(role)) => Some(InviteGrant::Member(team_id.into(), role)),
            _ => None,
        }),
    )
}

/// Uses an invite up. False where somebody else was first, or it ended. The
/// caller must roll back then: whoever waits here for another sign-up sees its
/// result.
///
/// # Errors
/// The database does not answer.
pub async fn use_invite(
    tx: &mut PgTransaction<'_>,
    code_hash: &[u8],
    user_id: UserId,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update invites set used_by = $2, used_at = now()
        where code_hash = $1 and used_at is null and expires_at > now()",
        code_hash,
        user_id.uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes sign-ups of a first owner wait for one another, until the transaction
/// ends.
///
/// # Errors
/// The database does not answer.
pub async fn lock_bootstrap(tx: &mut PgTransaction<'_>) -> sqlx::Result<()> {
    // A plain query: the checked ones have no name for the type `void`.
    sqlx::query("select pg_advisory_xact_lock(7307164870186886401)")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Drops invites that were used or have ended more than thirty days ago.
///
/// # Errors
/// The database does not answer.
pub async fn prune_invites(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from invites where least(used_at, expires_at) < now() - interval '30 days'"
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

const BOOTSTRAP: &str = "bootstrap";
