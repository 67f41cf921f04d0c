//! Generations: reading them, and the changes that the journal writes with their
//! events.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::generation::{
    Ending, FailureReason, Generation, GenerationState, Outcome, Usage,
};
use crate::domain::id::{BootId, DaemonId, GenerationId, ProjectId, UserId};

use super::agent_states;
use super::error::{Result, StoreError, known, known_or_null};
use super::page::PageRequest;

/// A generation to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// Who asked.
    pub user_id: UserId,
    /// The prompt, as given.
    pub prompt: String,
    /// The model that was chosen.
    pub model: String,
    /// Whether its answers are canned.
    pub demo: bool,
    /// Whether it runs at once or waits.
    pub start: Start,
}

/// Whether a new generation runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs: refused if another one of the project does.
    Now,
    /// It waits for its turn.
    Queued,
}

/// A generation whose daemon is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The generation.
    pub id: GenerationId,
    /// Its project.
    pub project_id: ProjectId,
    /// Where it was.
    pub state: GenerationState,
    /// What its attempts used so far.
    pub usage: Usage,
    /// Model calls made.
    pub attempts: i32,
    /// The revision that it made already.
    pub revision_id: Option<crate::domain::id::RevisionId>,
}

struct Row {
    id: Uuid,
    project_id: Uuid,
    user_id: Uuid,
    prompt: String,
    model: String,
    demo: bool,
    state: String,
    outcome: Option<String>,
    failure_reason: Option<String>,
    message: String,
    revision_id: Option<Uuid>,
    attempts: i32,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost_micro_usd: Option<i64>,
    usage_estimated: bool,
    context_omitted: Vec<String>,
    first_sequence: i64,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Generation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            user_id: row.user_id.into(),
            prompt: row.prompt,
            model: row.model,
            demo: row.demo,
            state: known("generations.state", &row.state, GenerationState::parse)?,
            outcome: known_or_null(
                "generations.outcome",
                row.outcome.as_deref(),
                Outcome::parse,
            )?,
            failure_reason: known_or_null(
                "generations.failure_reason",
                row.failure_reason.as_deref(),
                FailureReason::parse,
            )?,
            message: row.message,
            revision_id: row.revision_id.map(Into::into),
            usage: Usage {
                prompt_tokens: row.prompt_tokens,
                completion_tokens: row.completion_tokens,
                cost_micro_usd: row.cost_micro_usd,
                estimated: row.usage_estimated,
            },
            attempts: row.attempts,
            context_omitted: row.context_omitted,
            first_sequence: row.first_sequence,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// Generations, every column: `g` is the table.
macro_rules! select_generations {
    ($tail:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "select g.id, g.project_id, g.user_id, g.prompt, g.model, g.demo, g.state, g.outcome,
                g.failure_reason, g.message, g.revision_id, g.attempts, g.prompt_tokens,
                g.completion_tokens, g.cost_micro_usd, g.usage_estimated, g.context_omitted,
                g.first_sequence, g.created_at, g.finished_at
            from generations g " + $tail,
            $($argument),+
        )
    };
}

/// The generation; `None` if it does not exist or is not the user's.
///
/// # Errors
/// The database.
pub async fn get(
    db: impl PgExecutor<'_>,
    user: UserId,
    generation: GenerationId,
) -> Result<Option<Generation>> {
    select_generations!(
        "join projects p on p.id = g.project_id
         join team_members m on m.team_id = p.team_id and m.user_id = $1
         where g.id = $2",
        user.uuid(),
        generation.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Generation::try_from)
    .transpose()
}

/// The generation, for the daemon itself: whose it is was settled before.
///
/// # Errors
/// The database.
pub async fn get_unscoped(
    db: impl PgExecutor<'_>,
    generation: GenerationId,
) -> Result<Option<Generation>> {
    select_generations!("where g.id = $1", generation.uuid())
        .fetch_optional(db)
        .await?
        .map(Generation::try_from)
        .transpose()
}

/// The generations of a project, newest first; none where it is not the user's.
///
/// # Errors
/// The database.
pub async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    project: ProjectId,
    page: PageRequest,
) -> Result<Vec<Generation>> {
    select_generations!(
        "join projects p on p.id = g.project_id
         join team_members m on m.team_id = p.team_id and m.user_id = $1
         where g.project_id = $2
           and ($3::timestamptz is null or (g.created_at, g.id) < ($3, $4))
         order by g.created_at desc, g.id desc
         limit $5",
        user.uuid(),
        project.uuid(),
        page.created_before(),
        page.id_before(),
        page.limit
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Generation::try_from)
    .collect()
}

/// The generation of a project that runs, if one does.
///
/// # Errors
/// The database.
pub async fn running(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<Generation>> {
    select_generations!(
        "where g.project_id = $1 and g.state not in ('queued', 'finished')",
        project.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Generation::try_from)
    .transpose()
}

/// The generation of a project that has waited longest.
///
/// # Errors
/// The database.
pub async fn next_queued(
    db: impl PgExecutor<'_>,
    project: ProjectId,
) -> Result<Option<Generation>> {
    select_generations!(
        "where g.project_id = $1 and g.state = 'queued'
         order by g.first_sequence, g.id limit 1",
        project.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Generation::try_from)
    .transpose()
}

/// Every generation of a project that is not over: what runs and what waits.
///
/// # Errors
/// The database.
pub async fn live_of_project(
    db: impl PgExecutor<'_>,
    project: ProjectId,
) -> Result<Vec<Generation>> {
    select_generations!(
        "where g.project_id = $1 and g.state <> 'finished' order by g.first_sequence, g.id",
        project.uuid()
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Generation::try_from)
    .collect()
}

/// How many generations of a user are not over.
///
/// # Errors
/// The database.
pub async fn live_of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from generations where user_id = $1 and state <> 'finished'"#,
        user.uuid()
    )
    .fetch_one(db)
    .await?)
}

/// Leaves a mark for the daemon that runs a generation: it is to be cancelled.
///
/// # Errors
/// The database.
pub async fn request_cancel(db: impl PgExecutor<'_>, generation: GenerationId) -> Result<()> {
    sqlx::query!(
        "update generations set cancel_requested = true where id = $1 and state <> 'finished'",
        generation.uuid()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether somebody left that mark.
///
/// # Errors
/// The database.
pub async fn cancel_requested(db: impl PgExecutor<'_>, generation: GenerationId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "select cancel_requested from generations where id = $1",
        generation.uuid()
    )
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or(false))
}

/// Whose generations to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphansOf {
    /// Of earlier boots of this daemon.
    ThisDaemon,
    /// Of any daemon that is no longer alive, by the database's clock.
    AnyDaemon,
}

/// Generations that are not over but whose daemon is dead. One that waits for a
/// running one stays: the daemon that runs that one will start it.
///
/// # Errors
/// The database.
pub async fn orphans(
    db: impl PgExecutor<'_>,
    daemon: DaemonId,
    of: OrphansOf,
) -> Result<Vec<Orphan>> {
    let rows = sqlx::query!(
        "select g.id, g.project_id, g.state, g.prompt_tokens, g.completion_tokens, g.cost_micro_usd,
                g.usage_estimated, g.attempts, g.revision_id
         from generations g
         where g.state <> 'finished' and ($2 or g.daemon_id = $1)
           and not exists (
                select from daemons d where d.id = g.daemon_id and d.boot_id = g.boot_id
                  and d.seen_at > now() - interval '15 seconds')
           and not (g.state = 'queued' and exists (
                select from generations r
                join daemons d on d.id = r.daemon_id and d.boot_id = r.boot_id
                where r.project_id = g.project_id and r.state not in ('queued', 'finished')
                  and d.seen_at > now() - interval '15 seconds'))
         order by g.project_id, g.first_sequence
         limit 1000",
        daemon.uuid(),
        of == OrphansOf::AnyDaemon
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Orphan {
                id: row.id.into(),
                project_id: row.project_id.into(),
                state: known("generations.state", &row.state, GenerationState::parse)?,
                usage: Usage {
                    prompt_tokens: row.prompt_tokens,
                    completion_tokens: row.completion_tokens,
                    cost_micro_usd: row.cost_micro_usd,
                    estimated: row.usage_estimated,
                },
                attempts: row.attempts,
                revision_id: row.revision_id.map(Into::into),
            })
        })
        .collect()
}

/// Makes a generation. The caller holds the head of the project, so nothing can
/// start between the look and the insert.
///
/// # Errors
/// [`StoreError::GenerationRunning`], with nothing written.
pub(crate) async fn insert(
    db: &mut PgConnection,
    project: ProjectId,
    new: &NewGeneration,
    owner: (DaemonId, BootId),
    first_sequence: i64,
) -> Result<()> {
    let state = match new.start {
        Start::Now => GenerationState::Preparing,
        Start::Queued => GenerationState::Queued,
    };
    let running = sqlx::query_scalar!(
        r#"with running as (
            select id from generations
            where project_id = $2 and state not in ('queued', 'finished') and $4 <> 'queued'
        ), made as (
            insert into generations (id, project_id, user_id, state, prompt, model, demo,
                daemon_id, boot_id, first_sequence)
            select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
            where not exists (select from running)
        )
        select (select id from running) as running"#,
        new.id.uuid(),
        project.uuid(),
        new.user_id.uuid(),
        state.as_str(),
        new.prompt,
        new.model,
        new.demo,
        owner.0.uuid(),
        owner.1.uuid(),
        first_sequence
    )
    .fetch_one(&mut *db)
    .await?;
    if let Some(running) = running {
        return Err(StoreError::GenerationRunning(running.into()));
    }
    if new.start == Start::Now {
        agent_states::set(db, project, new.id, state).await?;
    }
    Ok(())
}

/// Moves a generation to another state, which must be one that may follow; who
/// moves it owns it from then on.
///
/// # Errors
/// [`StoreError::Conflict`] if the state may not follow, or another generation
/// of the project runs.
pub(crate) async fn set_state(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    state: GenerationState,
    owner: (DaemonId, BootId),
) -> Result<()> {
    let before: Vec<String> = GenerationState::ALL
        .iter()
        .filter(|before| before.may_become(state))
        .map(ToString::to_string)
        .collect();
    let done = sqlx::query!(
        "update generations set state = $3, daemon_id = $5, boot_id = $6
         where id = $1 and project_id = $2 and state = any($4)",
        generation.uuid(),
        project.uuid(),
        state.as_str(),
        &before,
        owner.0.uuid(),
        owner.1.uuid()
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    agent_states::set(db, project, generation, state).await
}

/// Ends a generation.
///
/// # Errors
/// [`StoreError::Conflict`] if it is over already.
pub(crate) async fn finish(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    ending: &Ending,
) -> Result<()> {
    let message = ending.message.replace('\0', "");
    let done = sqlx::query!(
        "update generations
         set state = 'finished', outcome = $3, failure_reason = $4, message = $5,
             revision_id = $6, attempts = $7, prompt_tokens = $8, completion_tokens = $9,
             cost_micro_usd = $10, usage_estimated = $11, finished_at = now()
         where id = $1 and project_id = $2 and state <> 'finished'",
        generation.uuid(),
        project.uuid(),
        ending.outcome.as_str(),
        ending.failure_reason.map(FailureReason::as_str),
        message,
        ending.revision_id.map(|id| id.uuid()),
        ending.attempts,
        ending.usage.prompt_tokens,
        ending.usage.completion_tokens,
        ending.usage.cost_micro_usd,
        ending.usage.estimated
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    agent_states::finish(db, project, generation, ending.outcome).await
}

/// Records what did not fit into the model's window.
///
/// # Errors
/// [`StoreError::NotFound`] if the generation is gone.
pub(crate) async fn set_omitted(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    omitted: &[String],
) -> Result<()> {
    let done = sqlx::query!(
        "update generations set context_omitted = $3 where id = $1 and project_id = $2",
        generation.uuid(),
        project.uuid(),
        omitted
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}
