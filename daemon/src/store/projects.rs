//! Projects, always as far as a user may see them: by the teams that they are in.

use std::ops::RangeInclusive;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::account::TeamRole;
use crate::domain::generation::{GenerationState, Outcome};
use crate::domain::id::{ProjectId, TeamId, UserId};
use crate::domain::project::Project;
use crate::domain::sandbox::SandboxState;

use super::error::{Result, StoreError, known_or_null};
use super::page::PageRequest;

/// A project to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProject {
    /// Its id.
    pub id: ProjectId,
    /// The team that will own it.
    pub team_id: TeamId,
    /// Who makes it.
    pub owner_id: UserId,
    /// 1 to 100 characters.
    pub name: String,
    /// Goes into the context of every prompt.
    pub description: String,
    /// The template that it starts from.
    pub template: String,
    /// Empty: the server's default.
    pub default_model: String,
}

/// Fields to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectUpdate {
    /// The new name.
    pub name: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// The new default model.
    pub default_model: Option<String>,
}

struct Row {
    id: Uuid,
    team_id: Uuid,
    owner_id: Uuid,
    name: String,
    description: String,
    template: String,
    default_model: String,
    preview_port: Option<i32>,
    created_at: OffsetDateTime,
    changed_at: OffsetDateTime,
    head: i64,
    agent_state: Option<String>,
    running_generation_id: Option<Uuid>,
    last_outcome: Option<String>,
    sandbox_state: Option<String>,
    head_revision_id: Option<Uuid>,
    cost_micro_usd: i64,
}

impl TryFrom<Row> for Project {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let running = row.running_generation_id;
        Ok(Self {
            id: row.id.into(),
            team_id: row.team_id.into(),
            owner_id: row.owner_id.into(),
            name: row.name,
            description: row.description,
            template: row.template,
            default_model: row.default_model,
            preview_port: row.preview_port.and_then(|port| u16::try_from(port).ok()),
            created_at: row.created_at,
            changed_at: row.changed_at,
            agent_state: known_or_null(
                "agent_states.state",
                row.agent_state.as_deref().filter(|_| running.is_some()),
                GenerationState::parse,
            )?,
            running_generation_id: running.map(Into::into),
            last_outcome: known_or_null(
                "agent_states.last_outcome",
                row.last_outcome.as_deref(),
                Outcome::parse,
            )?,
            head_revision_id: row.head_revision_id.map(Into::into),
            sandbox_state: known_or_null(
                "sandboxes.state",
                row.sandbox_state.as_deref(),
                SandboxState::parse,
            )?
            .unwrap_or(SandboxState::Stopped),
            head_sequence: row.head,
            cost_micro_usd: row.cost_micro_usd,
        })
    }
}

/// A project with all that is known of its parts, as members of its team see
/// it: `$1` is the user.
macro_rules! select_projects {
    ($tail:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"select p.id as "id!", p.team_id as "team_id!", p.owner_id as "owner_id!", p.name as "name!",
                p.description as "description!", p.template as "template!",
                p.default_model as "default_model!", p.preview_port, p.created_at as "created_at!",
                h.changed_at as "changed_at!", h.head as "head!",
                a.state as "agent_state?", a.generation_id as "running_generation_id?",
                a.last_outcome as "last_outcome?", s.state as "sandbox_state?",
                (select r.id from revisions r where r.project_id = p.id
                 order by r.number desc limit 1) as head_revision_id,
                (select coalesce(sum(g.cost_micro_usd), 0)::bigint from generations g
                 where g.project_id = p.id) as "cost_micro_usd!"
            from team_members m
            join projects p on p.team_id = m.team_id
            join project_heads h on h.project_id = p.id
            left join agent_states a on a.project_id = p.id
            left join sandboxes s on s.project_id = p.id
            where m.user_id = $1 "# + $tail,
            $($argument),+
        )
    };
}

/// The project; `None` if it does not exist or is not the user's: both look the same.
///
/// # Errors
/// The database.
pub async fn get(
    db: impl PgExecutor<'_>,
    user: UserId,
    project: ProjectId,
) -> Result<Option<Project>> {
    select_projects!("and p.id = $2", user.uuid(), project.uuid())
        .fetch_optional(db)
        .await?
        .map(Project::try_from)
        .transpose()
}

/// The user's projects, newest first, of one team or of all.
///
/// # Errors
/// The database.
pub async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    team: Option<TeamId>,
    page: PageRequest,
) -> Result<Vec<Project>> {
    select_projects!(
        "and ($2::uuid is null or p.team_id = $2)
         and ($3::timestamptz is null or (p.created_at, p.id) < ($3, $4))
         order by p.created_at desc, p.id desc
         limit $5",
        user.uuid(),
        team.map(TeamId::uuid),
        page.created_before(),
        page.id_before(),
        page.limit
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Project::try_from)
    .collect()
}

/// What the user may do in the project's team; `None` if the project does not
/// exist or is not theirs.
///
/// # Errors
/// The database.
pub async fn role(
    db: impl PgExecutor<'_>,
    user: UserId,
    project: ProjectId,
) -> Result<Option<TeamRole>> {
    let role = sqlx::query_scalar!(
        "select m.role from projects p
         join team_members m on m.team_id = p.team_id and m.user_id = $1
         where p.id = $2",
        user.uuid(),
        project.uuid()
    )
    .fetch_optional(db)
    .await?;
    known_or_null("team_members.role", role.as_deref(), TeamRole::parse)
}

/// What the user may do in a team; `None` if it is not theirs.
///
/// # Errors
/// The database.
pub async fn team_role(
    db: impl PgExecutor<'_>,
    user: UserId,
    team: TeamId,
) -> Result<Option<TeamRole>> {
    let role = sqlx::query_scalar!(
        "select role from team_members where team_id = $1 and user_id = $2",
        team.uuid(),
        user.uuid()
    )
    .fetch_optional(db)
    .await?;
    known_or_null("team_members.role", role.as_deref(), TeamRole::parse)
}

/// Makes a project with an empty log. Only the journal calls this: its first
/// event goes with it.
///
/// # Errors
/// [`StoreError::NotFound`] if team or owner are gone.
pub(crate) async fn insert(db: &mut PgConnection, project: &NewProject) -> Result<()> {
    sqlx::query!(
        "with project as (
            insert into projects (id, team_id, owner_id, name, description, template, default_model)
            values ($1, $2, $3, $4, $5, $6, $7) returning id
        )
        insert into project_heads (project_id) select id from project",
        project.id.uuid(),
        project.team_id.uuid(),
        project.owner_id.uuid(),
        project.name,
        project.description,
        project.template,
        project.default_model
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Changes fields of a project.
///
/// # Errors
/// [`StoreError::NotFound`] if it is gone.
pub(crate) async fn update(
    db: &mut PgConnection,
    project: ProjectId,
    update: &ProjectUpdate,
) -> Result<()> {
    let done = sqlx::query!(
        "update projects
         set name = coalesce($2, name), description = coalesce($3, description),
             default_model = coalesce($4, default_model)
         where id = $1",
        project.uuid(),
        update.name,
        update.description,
        update.default_model
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}

/// Deletes a project with everything that hangs on it, and says whether it was
/// there. The caller has checked the role; tell the journal afterwards.
///
/// # Errors
/// The database.
pub async fn delete(db: impl PgExecutor<'_>, project: ProjectId) -> Result<bool> {
    let done = sqlx::query!("delete from projects where id = $1", project.uuid())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the project the smallest free preview port of a range, or leaves it the
/// one that it has, and returns it. `refused` are ports that cannot be listened
/// on here: none of them is given, and one of them is not left.
///
/// # Errors
/// [`StoreError::NoPortLeft`]; [`StoreError::Conflict`] if another project took
/// the port at the same moment: try again; [`StoreError::NotFound`].
pub async fn assign_preview_port(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    range: RangeInclusive<u16>,
    refused: &[u16],
) -> Result<u16> {
    let refused_ports: Vec<i32> = refused.iter().copied().map(i32::from).collect();
    let row = sqlx::query!(
        r#"with assigned as (
            update projects set preview_port = (
                select port from generate_series($2::integer, $3::integer) port
                where not exists (select from projects taken where taken.preview_port = port)
                  and port <> all($4::integer[])
                order by port limit 1)
            where id = $1 and (preview_port is null or preview_port = any($4::integer[]))
            returning preview_port
        )
        select coalesce((select preview_port from assigned), preview_port) as port
        from projects where id = $1"#,
        project.uuid(),
        i32::from(*range.start()),
        i32::from(*range.end()),
        &refused_ports
    )
    .fetch_optional(db)
    .await?
    .ok_or(StoreError::NotFound)?;
    row.port
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| !refused.contains(port))
        .ok_or(StoreError::NoPortLeft)
}

/// All projects with their preview ports; those that have none come last.
///
/// # Errors
/// The database.
pub async fn preview_ports(db: impl PgExecutor<'_>) -> Result<Vec<(ProjectId, Option<u16>)>> {
    let rows = sqlx::query!("select id, preview_port from projects order by preview_port, id")
        .fetch_all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let port = row.preview_port.and_then(|port| u16::try_from(port).ok());
            (row.id.into(), port)
        })
        .collect())
}
