//! Who may do what to which project: the one place that decides it.

use sqlx::PgPool;

use crate::domain::account::{Caller, TeamRole};
use crate::domain::id::ProjectId;
use crate::domain::project::Project;
use crate::domain::{Error, Result};
use crate::store::projects;

/// A project that the caller may do this to.
///
/// # Errors
/// [`Error::NotFound`] for what does not exist and for what is another team's;
/// [`Error::RoleRequired`] for a member who may not.
pub(crate) async fn project(
    pool: &PgPool,
    caller: &Caller,
    id: ProjectId,
    needed: TeamRole,
) -> Result<Project> {
    let project = projects::get(pool, caller.user_id, id)
        .await?
        .ok_or(Error::NotFound)?;
    // Every member may look; only what needs more is asked for.
    if needed > TeamRole::Viewer {
        let role = projects::role(pool, caller.user_id, id).await?;
        if role.is_none_or(|role| role < needed) {
            return Err(Error::RoleRequired);
        }
    }
    Ok(project)
}
