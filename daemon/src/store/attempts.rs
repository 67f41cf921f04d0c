//! Model calls: what each used, and the answer as it came.

use sqlx::{PgConnection, PgExecutor};

use crate::domain::generation::{AttemptKind, FinishReason, Usage};
use crate::domain::id::{GenerationId, ProjectId};

use super::error::{Result, StoreError, known};

/// How a model call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// Its generation.
    pub generation_id: GenerationId,
    /// From 1.
    pub attempt: i32,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// What it used.
    pub usage: Usage,
    /// The model that was billed.
    pub billed_model: String,
    /// What went wrong; empty if nothing.
    pub error: String,
    /// The answer as it came.
    pub answer: String,
}

/// A model call as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub attempt: i32,
    /// Why the model was called.
    pub kind: AttemptKind,
    /// The model asked for.
    pub model: String,
    /// What it used.
    pub usage: Usage,
    /// What went wrong; empty if nothing.
    pub error: String,
    /// The answer as it came; empty until the call ended.
    pub answer: String,
}

/// Enters a model call, and counts it on its generation.
///
/// # Errors
/// [`StoreError::Conflict`] if it is there already, or the generation is over.
pub async fn insert(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    attempt: i32,
    kind: AttemptKind,
    model: &str,
) -> Result<()> {
    let done = sqlx::query!(
        "with generation as (
            update generations set attempts = greatest(attempts, $3)
            where id = $1 and project_id = $2 and state <> 'finished' returning id
        )
        insert into attempts (generation_id, attempt, kind, model)
        select id, $3, $4, $5 from generation",
        generation.uuid(),
        project.uuid(),
        attempt,
        kind.as_str(),
        model
    )
    .execute(db)
    .await?;
    expect_one(done.rows_affected())
}

/// Enters how a model call ended, and adds what it used to its generation.
///
/// # Errors
/// [`StoreError::Conflict`] if there is no such call under way.
pub async fn finish(db: &mut PgConnection, project: ProjectId, end: &AttemptEnd) -> Result<()> {
    // Postgres text holds no NUL; nothing else of the answer is touched.
    let answer = end.answer.replace('\0', "");
    let error = end.error.replace('\0', "");
    let done = sqlx::query!(
        "with attempt as (
            update attempts a
            set finish_reason = $4, prompt_tokens = $5, completion_tokens = $6,
                cost_micro_usd = $7, usage_estimated = $8, billed_model = $9, error = $10, answer = $11
            from generations g
            where a.generation_id = $1 and a.attempt = $3 and a.finish_reason = ''
              and g.id = a.generation_id and g.project_id = $2
            returning a.generation_id
        )
        update generations g
        set prompt_tokens = g.prompt_tokens + $5, completion_tokens = g.completion_tokens + $6,
            cost_micro_usd = case when $7::bigint is null then g.cost_micro_usd
                                  else coalesce(g.cost_micro_usd, 0) + $7::bigint end,
            usage_estimated = g.usage_estimated or $8
        from attempt where g.id = attempt.generation_id and g.state <> 'finished'",
        end.generation_id.uuid(),
        project.uuid(),
        end.attempt,
        end.finish_reason.as_str(),
        end.usage.prompt_tokens,
        end.usage.completion_tokens,
        end.usage.cost_micro_usd,
        end.usage.estimated,
        end.billed_model,
        error,
        answer
    )
    .execute(db)
    .await?;
    expect_one(done.rows_affected())
}

/// The model calls of a generation, in order.
///
/// # Errors
/// The database.
pub async fn of_generation(
    db: impl PgExecutor<'_>,
    generation: GenerationId,
) -> Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "select attempt, kind, model, prompt_tokens, completion_tokens, cost_micro_usd,
                usage_estimated, error, answer
         from attempts where generation_id = $1 order by attempt",
        generation.uuid()
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Attempt {
                attempt: row.attempt,
                kind: known("attempts.kind", &row.kind, AttemptKind::parse)?,
                model: row.model,
                usage: Usage {
                    prompt_tokens: row.prompt_tokens,
                    completion_tokens: row.completion_tokens,
                    cost_micro_usd: row.cost_micro_usd,
                    estimated: row.usage_estimated,
                },
                error: row.error,
                answer: row.answer,
            })
        })
        .collect()
}

fn expect_one(rows: u64) -> Result<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}
