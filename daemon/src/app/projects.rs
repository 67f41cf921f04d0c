//! Projects: made, looked at, changed, deleted.

mod addresses;

use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;
use sqlx::PgPool;

use super::access;
use super::generations::Generations;
use super::previews::Previews;
use super::progress::Progress;
use super::reporter::Reporter;
use super::requests;
use super::sandboxes::Sandboxes;
use crate::domain::account::{Caller, TeamRole};
use crate::domain::error::{FieldRule, Violation};
use crate::domain::event::Event;
use crate::domain::id::{ProjectId, TeamId};
use crate::domain::project::{DEFAULT_TEMPLATE, Project};
use crate::domain::{Error, Result};
use crate::fresh;
use crate::journal::Journal;
use crate::preview::Gateway;
use crate::store::change::RowChange;
use crate::store::page::PageRequest;
use crate::store::projects::{self as rows, NewProject, ProjectUpdate};
use crate::store::{StoreError, teams};
use crate::template::Templates;

/// Characters of a name at most.
const NAME_MAX: usize = 100;

/// Characters of a description at most.
const DESCRIPTION_MAX: usize = 2_000;

/// What projects need.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) journal: Journal,
    pub(crate) templates: Arc<Templates>,
    pub(crate) generations: Generations,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) gateway: Arc<Gateway<Previews>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) ports: RangeInclusive<u16>,
}

/// Use cases around projects.
#[derive(Clone)]
pub struct Projects {
    parts: Arc<Parts>,
}

/// A project to be made.
#[derive(Clone, Debug, Serialize)]
pub struct CreateProject {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 2,000 characters.
    pub description: String,
    /// Empty: the default.
    pub template: String,
    /// `None`: the caller's own.
    pub team: Option<TeamId>,
    /// Empty: the server's.
    pub default_model: String,
    /// Makes a retry safe.
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// What is to be changed of a project; `None` stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateProject {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The default model.
    pub default_model: Option<String>,
    /// Makes a retry safe.
    #[serde(skip)]
    pub request_id: Option<String>,
}

impl Projects {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Makes an empty project, and its preview's address.
    ///
    /// # Errors
    /// As the schema says at `CreateProject`.
    pub async fn create(&self, caller: &Caller, request: CreateProject) -> Result<Project> {
        let pool = &self.parts.pool;
        let mut violations = Vec::new();
        check_name(&request.name, &mut violations);
        check_description(&request.description, &mut violations);
        let template = if request.template.is_empty() {
            DEFAULT_TEMPLATE
        } else {
            &request.template
        };
        if self.parts.templates.get(template).is_none() {
            violations.push(Violation {
                field: "template",
                rule: FieldRule::Field,
                message: format!(
                    "there is no template \"{template}\"; there are {}",
                    self.parts
                        .templates
                        .iter()
                        .map(|template| template.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            });
        }
        if !violations.is_empty() {
            return Err(Error::Invalid(violations));
        }
        let team = match request.team {
            Some(team) => team,
            None => teams::personal_team(pool, caller.user_id)
                .await
                .map_err(StoreError::from)?,
        };
        match rows::team_role(pool, caller.user_id, team).await? {
            None => return Err(Error::NotFound),
            Some(TeamRole::Viewer) => return Err(Error::RoleRequired),
            Some(TeamRole::Editor | TeamRole::Owner) => {}
        }
        let id: ProjectId = fresh::id();
        let record = requests::record(
            request.request_id.as_deref(),
            caller.user_id,
            "CreateProject",
            &request,
            id.uuid(),
        )?;
        if let Some(earlier) = requests::answered(pool, record.as_ref()).await? {
            return self.get(caller, earlier.into()).await;
        }
        let mut changes = vec![RowChange::InsertProject(NewProject {
            id,
            team_id: team,
            owner_id: caller.user_id,
            name: request.name.clone(),
            description: request.description.clone(),
            template: template.to_owned(),
            default_model: request.default_model.clone(),
        })];
        changes.extend(record.map(RowChange::RecordRequestId));
        let created = Event::ProjectCreated {
            name: request.name.clone(),
            template: template.to_owned(),
        };
        match self.reporter(id).emit(vec![created], changes).await {
            Ok(_) => {}
            Err(Error::Repeated(earlier)) => return self.get(caller, earlier.into()).await,
            Err(error) => return Err(error),
        }
        if let Err(error) = self.give_address(id, vec![]).await {
            self.take_back(caller, id, request.request_id.as_deref())
                .await;
            return Err(error);
        }
        self.get(caller, id).await
    }

    /// One project.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: ProjectId) -> Result<Project> {
        access::project(&self.parts.pool, caller, id, TeamRole::Viewer).await
    }

    /// The projects of the caller's teams, newest first.
    ///
    /// # Errors
    /// The database.
    pub async fn list(
        &self,
        caller: &Caller,
        team: Option<TeamId>,
        page: PageRequest,
    ) -> Result<Vec<Project>> {
        Ok(rows::list(&self.parts.pool, caller.user_id, team, page).await?)
    }

    /// Changes what the request names.
    ///
    /// # Errors
    /// As the schema says at `UpdateProject`.
    pub async fn update(
        &self,
        caller: &Caller,
        id: ProjectId,
        request: UpdateProject,
    ) -> Result<Project> {
        let project = access::project(&self.parts.pool, caller, id, TeamRole::Editor).await?;
        let mut violations = Vec::new();
        if let Some(name) = &request.name {
            check_name(name, &mut violations);
        }
        if let Some(description) = &request.description {
            check_description(description, &mut violations);
        }
        if !violations.is_empty() {
            return Err(Error::Invalid(violations));
        }
        let record = requests::record(
            request.request_id.as_deref(),
            caller.user_id,
            "UpdateProject",
            &(id, &request),
            id.uuid(),
        )?;
        if requests::answered(&self.parts.pool, record.as_ref())
            .await?
            .is_some()
        {
            return self.get(caller, id).await;
        }
        let updated = Event::ProjectUpdated {
            name: request.name.clone().unwrap_or(project.name),
            description: request.description.clone().unwrap_or(project.description),
            default_model: request
                .default_model
                .clone()
                .unwrap_or(project.default_model),
        };
        let mut changes: Vec<RowChange> =
            record.into_iter().map(RowChange::RecordRequestId).collect();
        changes.push(RowChange::UpdateProject(ProjectUpdate {
            name: request.name,
            description: request.description,
            default_model: request.default_model,
        }));
        match self.reporter(id).emit(vec![updated], changes).await {
            Ok(_) | Err(Error::Repeated(_)) => self.get(caller, id).await,
            Err(error) => Err(error),
        }
    }

    /// Deletes a project with everything that belongs to it.
    ///
    /// # Errors
    /// Not the caller's, or may not; the engine, which must answer so that
    /// nothing is left behind.
    pub async fn delete(&self, caller: &Caller, id: ProjectId) -> Result<()> {
        access::project(&self.parts.pool, caller, id, TeamRole::Editor).await?;
        self.parts.generations.clear(id).await?;
        self.parts.sandboxes.remove(id).await?;
        self.parts.gateway.remove(id).await;
        if !rows::delete(&self.parts.pool, id).await? {
            return Err(Error::NotFound);
        }
        self.parts.journal.forget(id);
        Ok(())
    }

    fn reporter(&self, id: ProjectId) -> Reporter {
        Reporter::of_project(
            self.parts.journal.clone(),
            id,
            Arc::clone(&self.parts.progress),
        )
    }
}

/// No control and no bidirectional characters: names are shown everywhere.
fn check_name(name: &str, violations: &mut Vec<Violation>) {
    let bidi = |c| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
    let message = if name.trim().is_empty() {
        "must not be empty"
    } else if name.chars().count() > NAME_MAX {
        "must have at most 100 characters"
    } else if name.chars().any(|c| c.is_control() || bidi(c)) {
        "must not have control or direction characters"
    } else {
        return;
    };
    violations.push(Violation {
        field: "name",
        rule: FieldRule::Name,
        message: message.into(),
    });
}

fn check_description(description: &str, violations: &mut Vec<Violation>) {
    let message = if description.chars().count() > DESCRIPTION_MAX {
        "must have at most 2,000 characters"
    } else if description.contains('\0') {
        "must not have U+0000"
    } else {
        return;
    };
    violations.push(Violation {
        field: "description",
        rule: FieldRule::Field,
        message: message.into(),
    });
}
