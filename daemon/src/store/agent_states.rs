//! Where the agent of each project is: one row a project, derived from the
//! states of its generations and written with them.

use sqlx::PgConnection;

use crate::domain::generation::{GenerationState, Outcome};
use crate::domain::id::{GenerationId, ProjectId};

use super::error::Result;

/// A generation of the project is in this state. One that waits in the queue is
/// not what the agent does.
///
/// # Errors
/// The database.
pub async fn set(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    state: GenerationState,
) -> Result<()> {
    sqlx::query!(
        "insert into agent_states (project_id, state, generation_id) values ($1, $2, $3)
         on conflict (project_id) do update
         set state = excluded.state, generation_id = excluded.generation_id, updated_at = now()",
        project.uuid(),
        state.as_str(),
        generation.uuid()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A generation of the project ended.
///
/// # Errors
/// The database.
pub async fn finish(
    db: &mut PgConnection,
    project: ProjectId,
    generation: GenerationId,
    outcome: Outcome,
) -> Result<()> {
    sqlx::query!(
        "insert into agent_states as a (project_id, last_outcome) values ($1, $3)
         on conflict (project_id) do update
         set last_outcome = excluded.last_outcome, updated_at = now(),
             state = case when a.generation_id = $2 then 'idle' else a.state end,
             generation_id = nullif(a.generation_id, $2)",
        project.uuid(),
        generation.uuid(),
        outcome.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}
