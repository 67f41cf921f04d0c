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
    let mut connection = pool.acquire().await.map_err(crate::store::StoreError::from)?;
    let (project, role) = projects::get(&mut connection, caller.user_id, id)
        .await?
        .ok_or(Error::NotFound)?;
    if role < needed {
        return Err(Error::RoleRequired);
    }
    Ok(project)
}
