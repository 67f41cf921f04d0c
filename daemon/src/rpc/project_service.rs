//! `kiln.v1.ProjectService`: messages in, use cases, messages out.

use kiln_proto::v1::{self, project_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use super::lists::{Listing, listing};
use super::streams::{Streams, WatchStream};
use crate::app::projects::{CreateProject, Projects, UpdateProject};
use crate::domain::account;
use crate::domain::error::Error;
use crate::domain::id::{GenerationId, ProjectId};

/// The service.
#[derive(Clone)]
pub struct ProjectService {
    projects: Projects,
    streams: Streams,
}

impl ProjectService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(projects: Projects, streams: Streams) -> Self {
        Self { projects, streams }
    }
}

#[tonic::async_trait]
impl project_service_server::ProjectService for ProjectService {
    async fn create_project(
        &self,
        request: Request<v1::CreateProjectRequest>,
    ) -> Result<Response<v1::CreateProjectResponse>, Status> {
        let caller = caller(&request)?;
        let new = read_create(request.into_inner())?;
        let project = self.projects.create(&caller, new).await?;
        Ok(Response::new(v1::CreateProjectResponse {
            project: Some(convert::project(project)),
        }))
    }

    async fn get_project(
        &self,
        request: Request<v1::GetProjectRequest>,
    ) -> Result<Response<v1::GetProjectResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        let project = self.projects.get(&caller, id).await?;
        Ok(Response::new(v1::GetProjectResponse {
            project: Some(convert::project(project)),
        }))
    }

    async fn list_projects(
        &self,
        request: Request<v1::ListProjectsRequest>,
    ) -> Result<Response<v1::ListProjectsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::default();
        let team = fields.optional_id("team_id", &message.team_id);
        let Listing { page, rows } = listing(
            &mut fields,
            (message.page_size, &message.page_token),
            "ListProjects",
            &[&caller.user_id.to_string(), &message.team_id],
        )?;
        let Some(team) = team else {
            return Err(fields.into_error().into());
        };
        let mut projects = self.projects.list(&caller, team, rows).await?;
        let next_page_token = page.finish(&mut projects, |project| {
            (project.created_at, project.id.uuid())
        });
        Ok(Response::new(v1::ListProjectsResponse {
            projects: projects.into_iter().map(convert::project).collect(),
            next_page_token,
        }))
    }

    async fn update_project(
        &self,
        request: Request<v1::UpdateProjectRequest>,
    ) -> Result<Response<v1::UpdateProjectResponse>, Status> {
        let caller = caller(&request)?;
        let (id, update) = read_update(&request.into_inner())?;
        let project = self.projects.update(&caller, id, update).await?;
        Ok(Response::new(v1::UpdateProjectResponse {
            project: Some(convert::project(project)),
        }))
    }

    async fn delete_project(
        &self,
        request: Request<v1::DeleteProjectRequest>,
    ) -> Result<Response<v1::DeleteProjectResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        self.projects.delete(&caller, id).await?;
        Ok(Response::new(v1::DeleteProjectResponse {}))
    }

    type WatchProjectsStream = WatchStream<v1::WatchProjectsResponse>;

    async fn watch_projects(
        &self,
        request: Request<v1::WatchProjectsRequest>,
    ) -> Result<Response<Self::WatchProjectsStream>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::default();
        let Some(team) = fields.optional_id("team_id", &request.into_inner().team_id) else {
            return Err(fields.into_error().into());
        };
        let stream = self.streams.projects(caller, team, self.projects.clone())?;
        Ok(Response::new(stream))
    }

    type WatchProjectStream = WatchStream<v1::WatchProjectResponse>;

    async fn watch_project(
        &self,
        request: Request<v1::WatchProjectRequest>,
    ) -> Result<Response<Self::WatchProjectStream>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.id::<ProjectId>("project_id", &message.project_id);
        let until =
            fields.optional_id::<GenerationId>("until_generation_id", &message.until_generation_id);
        let (Some(id), Some(until)) = (id, until) else {
            return Err(fields.into_error().into());
        };
        let project = self.projects.get(&caller, id).await?;
        let stream = self
            .streams
            .project(caller, project, message.after_sequence, until)
            .await?;
        Ok(Response::new(stream))
    }
}

fn read_id(text: &str) -> Result<ProjectId, Error> {
    let mut fields = Fields::default();
    fields
        .id("project_id", text)
        .ok_or_else(|| fields.into_error())
}

fn read_create(message: v1::CreateProjectRequest) -> Result<CreateProject, Error> {
    let mut fields = Fields::default();
    let team = fields.optional_id("team_id", &message.team_id);
    let request_id = fields.take(account::request_id(&message.request_id));
    match (team, request_id) {
        (Some(team), Some(request_id)) => Ok(CreateProject {
            name: message.name,
            description: message.description,
            template: message.template,
            team,
            default_model: message.default_model,
            request_id,
        }),
        _ => Err(fields.into_error()),
    }
}

fn read_update(message: &v1::UpdateProjectRequest) -> Result<(ProjectId, UpdateProject), Error> {
    let mut fields = Fields::default();
    let id = fields.id("project_id", &message.project_id);
    let request_id = fields.take(account::request_id(&message.request_id));
    let mut update = UpdateProject::default();
    match &message.update_mask {
        Some(mask) => {
            for path in &mask.paths {
                match path.as_str() {
                    "name" => update.name = Some(message.name.clone()),
                    "description" => update.description = Some(message.description.clone()),
                    "default_model" => update.default_model = Some(message.default_model.clone()),
                    _ => fields.refuse(
                        "update_mask",
                        "may name name, description and default_model",
                    ),
                }
            }
        }
        None => {
            let set = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
            update.name = set(&message.name);
            update.description = set(&message.description);
            update.default_model = set(&message.default_model);
        }
    }
    match (id, request_id, fields.is_clean()) {
        (Some(id), Some(request_id), true) => {
            update.request_id = request_id;
            Ok((id, update))
        }
        _ => Err(fields.into_error()),
    }
}
