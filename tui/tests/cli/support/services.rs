//! The services of the tests' daemon: just enough of each.

use std::collections::VecDeque;
use std::pin::Pin;

use futures::Stream;
use kiln_proto::v1 as pb;
use pb::auth_service_server::{AuthService, AuthServiceServer};
use pb::event::Body;
use pb::generation_service_server::{GenerationService, GenerationServiceServer};
use pb::model_service_server::{ModelService, ModelServiceServer};
use pb::project_service_server::{ProjectService, ProjectServiceServer};
use pb::revision_service_server::{RevisionService, RevisionServiceServer};
use pb::sandbox_service_server::{SandboxService, SandboxServiceServer};
use pb::server_service_server::{ServerService, ServerServiceServer};
use pb::team_service_server::{TeamService, TeamServiceServer};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Code, Request, Response, Status};

use super::daemon::{Plan, Shared, refusal};
use super::events;

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone)]
pub(crate) struct Services {
    shared: Shared,
}

impl Services {
    pub(crate) fn router(mut server: Server, shared: &Shared) -> Router {
        let services = Self {
            shared: shared.clone(),
        };
        server
            .add_service(AuthServiceServer::new(services.clone()))
            .add_service(GenerationServiceServer::new(services.clone()))
            .add_service(ModelServiceServer::new(services.clone()))
            .add_service(ProjectServiceServer::new(services.clone()))
            .add_service(RevisionServiceServer::new(services.clone()))
            .add_service(SandboxServiceServer::new(services.clone()))
            .add_service(ServerServiceServer::new(services.clone()))
            .add_service(TeamServiceServer::new(services))
    }

    /// Notes the call, fails if a test asked for it, and checks the credential.
    fn enter<T>(&self, method: &'static str, request: Request<T>) -> Result<T, Status> {
        let open = matches!(method, "SignInLocal" | "SignIn" | "SignUp");
        let mut state = self.shared.lock();
        state.calls.push(method);
        if let Some(status) = state.errors.get_mut(method).and_then(VecDeque::pop_front) {
            return Err(status);
        }
        let bearer = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match bearer {
            _ if open => {}
            None => return Err(refusal(Code::Unauthenticated, "AUTH_REQUIRED", "no one")),
            Some(token) if state.tokens.iter().any(|known| known == token) => {}
            Some(_) => {
                let text = "the session has expired";
                return Err(refusal(Code::Unauthenticated, "SESSION_EXPIRED", text));
            }
        }
        Ok(request.into_inner())
    }

    fn project(&self, id: &str) -> Result<pb::Project, Status> {
        self.shared
            .lock()
            .projects
            .iter()
            .find(|project| project.id == id)
            .cloned()
            .ok_or_else(not_found)
    }
}

fn not_found() -> Status {
    refusal(Code::NotFound, "NOT_FOUND", "not found")
}

fn ada() -> pb::User {
    pb::User {
        id: "0193a7c2-cccc-7000-8000-000000000001".into(),
        email: "ada@example.com".into(),
        display_name: "Ada".into(),
        ..pb::User::default()
    }
}

fn generation() -> pb::Generation {
    pb::Generation {
        id: events::GENERATION.into(),
        model: "demo/kiln".into(),
        demo: true,
        ..pb::Generation::default()
    }
}

#[tonic::async_trait]
impl AuthService for Services {
    async fn sign_in_local(
        &self,
        request: Request<pb::SignInLocalRequest>,
    ) -> Answer<pb::SignInLocalResponse> {
        self.enter("SignInLocal", request)?;
        let mut state = self.shared.lock();
        if !state.local {
            let text = "somebody else runs this daemon";
            return Err(refusal(Code::PermissionDenied, "NOT_LOCAL_OWNER", text));
        }
        let token = format!("kiln_s_local{}", state.calls.len());
        state.tokens.push(token.clone());
        Ok(Response::new(pb::SignInLocalResponse {
            session: Some(pb::Session {
                token,
                expire_time: None,
            }),
            user: Some(pb::User {
                owner: true,
                ..pb::User::default()
            }),
        }))
    }

    async fn sign_up(&self, request: Request<pb::SignUpRequest>) -> Answer<pb::SignUpResponse> {
        let request = self.enter("SignUp", request)?;
        self.shared.lock().sign_ups.push(request);
        Ok(Response::new(pb::SignUpResponse {
            session: Some(pb::Session {
                token: "kiln_s_good".into(),
                expire_time: None,
            }),
            user: Some(ada()),
        }))
    }

    async fn sign_in(&self, request: Request<pb::SignInRequest>) -> Answer<pb::SignInResponse> {
        let request = self.enter("SignIn", request)?;
        let state = self.shared.lock();
        if state.passwords.get(&request.email) != Some(&request.password) {
            let text = "email or password is wrong";
            return Err(refusal(Code::Unauthenticated, "BAD_CREDENTIALS", text));
        }
        Ok(Response::new(pb::SignInResponse {
            session: Some(pb::Session {
                token: "kiln_s_good".into(),
                expire_time: None,
            }),
            user: Some(ada()),
        }))
    }

    async fn sign_out(&self, request: Request<pb::SignOutRequest>) -> Answer<pb::SignOutResponse> {
        self.enter("SignOut", request)?;
        Ok(Response::new(pb::SignOutResponse {}))
    }

    async fn get_current_user(
        &self,
        request: Request<pb::GetCurrentUserRequest>,
    ) -> Answer<pb::GetCurrentUserResponse> {
        self.enter("GetCurrentUser", request)?;
        Ok(Response::new(pb::GetCurrentUserResponse {
            user: Some(ada()),
            credential_expire_time: None,
        }))
    }

    async fn create_api_token(
        &self,
        request: Request<pb::CreateApiTokenRequest>,
    ) -> Answer<pb::CreateApiTokenResponse> {
        let request = self.enter("CreateApiToken", request)?;
        Ok(Response::new(pb::CreateApiTokenResponse {
            token: "kiln_k_new".into(),
            api_token: Some(pb::ApiToken {
                name: request.name,
                scopes: request.scopes,
                ..pb::ApiToken::default()
            }),
        }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<pb::ListApiTokensRequest>,
    ) -> Answer<pb::ListApiTokensResponse> {
        self.enter("ListApiTokens", request)?;
        Ok(Response::new(pb::ListApiTokensResponse::default()))
    }

    async fn revoke_api_token(
        &self,
        request: Request<pb::RevokeApiTokenRequest>,
    ) -> Answer<pb::RevokeApiTokenResponse> {
        self.enter("RevokeApiToken", request)?;
        Ok(Response::new(pb::RevokeApiTokenResponse {}))
    }
}

#[tonic::async_trait]
impl TeamService for Services {
    async fn create_invite(
        &self,
        request: Request<pb::CreateInviteRequest>,
    ) -> Answer<pb::CreateInviteResponse> {
        self.enter("CreateInvite", request)?;
        Ok(Response::new(pb::CreateInviteResponse {
            invite: "kiln_i_welcome".into(),
            expire_time: None,
        }))
    }
}

#[tonic::async_trait]
impl ServerService for Services {
    async fn get_server_info(
        &self,
        request: Request<pb::GetServerInfoRequest>,
    ) -> Answer<pb::GetServerInfoResponse> {
        self.enter("GetServerInfo", request)?;
        Ok(Response::new(pb::GetServerInfoResponse {
            version: "9.9.9".into(),
            provider: Some(pb::ProviderStatus {
                demo_only: true,
                default_model: "demo/kiln".into(),
                ..pb::ProviderStatus::default()
            }),
            ..pb::GetServerInfoResponse::default()
        }))
    }

    async fn get_provider(
        &self,
        request: Request<pb::GetProviderRequest>,
    ) -> Answer<pb::GetProviderResponse> {
        self.enter("GetProvider", request)?;
        let state = self.shared.lock();
        Ok(Response::new(pb::GetProviderResponse {
            provider: Some(provider(state.providers_set.last())),
            source: if state.providers_set.is_empty() {
                pb::ProviderSource::Demo
            } else {
                pb::ProviderSource::Chosen
            }
            .into(),
            can_change: true,
            detail: String::new(),
            local_endpoints: state.local_endpoints.clone(),
        }))
    }

    async fn set_provider(
        &self,
        request: Request<pb::SetProviderRequest>,
    ) -> Answer<pb::SetProviderResponse> {
        let request = self.enter("SetProvider", request)?;
        let answer = pb::SetProviderResponse {
            provider: Some(provider(Some(&request))),
            source: if request.demo_only {
                pb::ProviderSource::Demo
            } else {
                pb::ProviderSource::Chosen
            }
            .into(),
            model_count: 3,
            detail: String::new(),
        };
        self.shared.lock().providers_set.push(request);
        Ok(Response::new(answer))
    }
}

/// What a choice comes to.
fn provider(chosen: Option<&pb::SetProviderRequest>) -> pb::ProviderStatus {
    match chosen.filter(|chosen| !chosen.demo_only) {
        None => pb::ProviderStatus {
            demo_only: true,
            default_model: "demo/kiln".into(),
            ..pb::ProviderStatus::default()
        },
        Some(chosen) => pb::ProviderStatus {
            base_url: match chosen.base_url.as_str() {
                "" => "https://openrouter.ai/api/v1".into(),
                other => other.into(),
            },
            has_key: !chosen.api_key.is_empty(),
            demo_only: false,
            default_model: "a/one".into(),
        },
    }
}

#[tonic::async_trait]
impl ModelService for Services {
    async fn list_models(
        &self,
        request: Request<pb::ListModelsRequest>,
    ) -> Answer<pb::ListModelsResponse> {
        let request = self.enter("ListModels", request)?;
        let models = self.shared.lock().models.clone();
        // Two to a page, so that paging is used.
        let from: usize = request.page_token.parse().unwrap_or(0);
        let next = from + 2;
        Ok(Response::new(pb::ListModelsResponse {
            next_page_token: if next < models.len() {
                next.to_string()
            } else {
                String::new()
            },
            models: models.into_iter().skip(from).take(2).collect(),
            warning: String::new(),
        }))
    }
}

#[tonic::async_trait]
impl ProjectService for Services {
    type WatchProjectsStream = Answers<pb::WatchProjectsResponse>;
    type WatchProjectStream = Answers<pb::WatchProjectResponse>;

    async fn create_project(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Answer<pb::CreateProjectResponse> {
        let request = self.enter("CreateProject", request)?;
        let mut state = self.shared.lock();
        let project = pb::Project {
            id: format!("0193a7c2-0000-7000-8000-{:012}", state.projects.len() + 1),
            name: request.name,
            ..pb::Project::default()
        };
        state.projects.push(project.clone());
        Ok(Response::new(pb::CreateProjectResponse {
            project: Some(project),
        }))
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Answer<pb::GetProjectResponse> {
        let request = self.enter("GetProject", request)?;
        let project = self.project(&request.project_id)?;
        Ok(Response::new(pb::GetProjectResponse {
            project: Some(project),
        }))
    }

    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Answer<pb::ListProjectsResponse> {
        let request = self.enter("ListProjects", request)?;
        let projects = self.shared.lock().projects.clone();
        let size = usize::try_from(request.page_size).unwrap();
        Ok(Response::new(pb::ListProjectsResponse {
            projects: projects.into_iter().take(size).collect(),
            next_page_token: String::new(),
        }))
    }

    async fn update_project(
        &self,
        request: Request<pb::UpdateProjectRequest>,
    ) -> Answer<pb::UpdateProjectResponse> {
        let request = self.enter("UpdateProject", request)?;
        let mut project = self.project(&request.project_id)?;
        project.name = request.name;
        Ok(Response::new(pb::UpdateProjectResponse {
            project: Some(project),
        }))
    }

    async fn delete_project(
        &self,
        request: Request<pb::DeleteProjectRequest>,
    ) -> Answer<pb::DeleteProjectResponse> {
        let request = self.enter("DeleteProject", request)?;
        self.project(&request.project_id)?;
        let mut state = self.shared.lock();
        state.projects.retain(|p| p.id != request.project_id);
        Ok(Response::new(pb::DeleteProjectResponse {}))
    }

    async fn watch_projects(
        &self,
        request: Request<pb::WatchProjectsRequest>,
    ) -> Answer<Self::WatchProjectsStream> {
        self.enter("WatchProjects", request)?;
        Err(Status::unimplemented("not in these tests"))
    }

    async fn watch_project(
        &self,
        request: Request<pb::WatchProjectRequest>,
    ) -> Answer<Self::WatchProjectStream> {
        let request = self.enter("WatchProject", request)?;
        let project = self.project(&request.project_id)?;
        let plan = {
            let mut state = self.shared.lock();
            state.watched.push(request.clone());
            state.plans.pop_front()
        };
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(send_log(
            self.shared.clone(),
            project,
            request,
            plan,
            sender,
        ));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Sends a log from a position on, three events to a message, following it until
/// the generation that was asked for ends, the plan says otherwise, or the
/// reader leaves.
async fn send_log(
    shared: Shared,
    mut project: pb::Project,
    request: pb::WatchProjectRequest,
    plan: Option<Plan>,
    sender: tokio::sync::mpsc::Sender<Result<pb::WatchProjectResponse, Status>>,
) {
    let mut changed = shared.changed.subscribe();
    let head = || i64::try_from(shared.lock().log.len()).unwrap();
    let mut after = request.after_sequence.unwrap_or_else(head);
    project.head_sequence = after;
    let mut snapshot = request.after_sequence.is_none().then_some(project);
    let mut sent = 0;
    loop {
        let mut events: Vec<pb::Event> = shared
            .lock()
            .log
            .iter()
            .filter(|event| event.sequence > after)
            .take(3)
            .cloned()
            .collect();
        let mut end = None;
        match &plan {
            Some(Plan::Fail(limit, code)) if sent + events.len() >= *limit => {
                events.truncate(limit - sent);
                end = Some(Err(Status::new(*code, "broken by the test")));
            }
            Some(Plan::End(limit)) if sent + events.len() >= *limit => {
                events.truncate(limit - sent);
                end = Some(Ok(()));
            }
            _ => {}
        }
        sent += events.len();
        let last = events.last().map_or(after, |event| event.sequence);
        if events.iter().any(|event| {
            matches!(event.body, Some(Body::GenerationFinished(_)))
                && event.generation_id == request.until_generation_id
        }) {
            end = end.or(Some(Ok(())));
        }
        if let Some(Plan::Skip(sequence)) = &plan {
            events.retain(|event| event.sequence != *sequence);
        }
        if !events.is_empty() || snapshot.is_some() {
            let message = pb::WatchProjectResponse {
                events,
                head_sequence: last,
                snapshot: snapshot.take(),
            };
            let times = if matches!(plan, Some(Plan::Repeat)) {
                2
            } else {
                1
            };
            for _ in 0..times {
                if sender.send(Ok(message.clone())).await.is_err() {
                    return;
                }
            }
        }
        match end {
            Some(Ok(())) => return,
            Some(Err(status)) => {
                let _ = sender.send(Err(status)).await;
                return;
            }
            None => {}
        }
        if last == after {
            tokio::select! {
                _ = changed.changed() => {}
                () = sender.closed() => return,
            }
        }
        after = last;
    }
}

#[tonic::async_trait]
impl GenerationService for Services {
    type GenerateStream = Answers<pb::GenerateResponse>;

    async fn start_generation(
        &self,
        request: Request<pb::StartGenerationRequest>,
    ) -> Answer<pb::StartGenerationResponse> {
        let request = self.enter("StartGeneration", request)?;
        self.project(&request.project_id)?;
        let (first, answer) = {
            let mut state = self.shared.lock();
            let known = state
                .started
                .iter()
                .any(|known| known.request_id == request.request_id);
            state.started.push(request.clone());
            let first = i64::try_from(state.log.len()).unwrap() + 1;
            let answer = if known {
                Vec::new()
            } else {
                state.answer.clone()
            };
            (first, answer)
        };
        self.shared.append(answer);
        Ok(Response::new(pb::StartGenerationResponse {
            generation: Some(pb::Generation {
                project_id: request.project_id,
                first_sequence: first,
                ..generation()
            }),
        }))
    }

    async fn generate(
        &self,
        request: Request<pb::GenerateRequest>,
    ) -> Answer<Self::GenerateStream> {
        self.enter("Generate", request)?;
        Err(Status::unimplemented("not in these tests"))
    }

    async fn cancel_generation(
        &self,
        request: Request<pb::CancelGenerationRequest>,
    ) -> Answer<pb::CancelGenerationResponse> {
        self.enter("CancelGeneration", request)?;
        if self.shared.lock().cancel_ends {
            let end = events::finished(pb::GenerationOutcome::Cancelled, None);
            self.shared.append([end]);
        }
        Ok(Response::new(pb::CancelGenerationResponse {
            generation: Some(generation()),
        }))
    }

    async fn get_generation(
        &self,
        request: Request<pb::GetGenerationRequest>,
    ) -> Answer<pb::GetGenerationResponse> {
        self.enter("GetGeneration", request)?;
        Err(not_found())
    }

    async fn list_generations(
        &self,
        request: Request<pb::ListGenerationsRequest>,
    ) -> Answer<pb::ListGenerationsResponse> {
        self.enter("ListGenerations", request)?;
        Ok(Response::new(pb::ListGenerationsResponse::default()))
    }
}

#[tonic::async_trait]
impl RevisionService for Services {
    type ExportRevisionStream = Answers<pb::ExportRevisionResponse>;

    async fn list_revisions(
        &self,
        request: Request<pb::ListRevisionsRequest>,
    ) -> Answer<pb::ListRevisionsResponse> {
        self.enter("ListRevisions", request)?;
        Ok(Response::new(pb::ListRevisionsResponse {
            revisions: self.shared.lock().revisions.clone(),
            next_page_token: String::new(),
        }))
    }

    async fn get_revision(
        &self,
        request: Request<pb::GetRevisionRequest>,
    ) -> Answer<pb::GetRevisionResponse> {
        self.enter("GetRevision", request)?;
        Err(not_found())
    }

    async fn list_files(
        &self,
        request: Request<pb::ListFilesRequest>,
    ) -> Answer<pb::ListFilesResponse> {
        let request = self.enter("ListFiles", request)?;
        self.project(&request.project_id)?;
        let state = self.shared.lock();
        Ok(Response::new(pb::ListFilesResponse {
            files: state
                .files
                .iter()
                .map(|(path, bytes)| pb::File {
                    path: path.clone(),
                    size_bytes: i64::try_from(bytes.len()).unwrap(),
                    sha256: String::new(),
                })
                .collect(),
            revision_id: request.revision_id,
        }))
    }

    async fn read_file(
        &self,
        request: Request<pb::ReadFileRequest>,
    ) -> Answer<pb::ReadFileResponse> {
        let request = self.enter("ReadFile", request)?;
        let state = self.shared.lock();
        let (path, bytes) = state
            .files
            .iter()
            .find(|(path, _)| *path == request.path)
            .cloned()
            .ok_or_else(not_found)?;
        let file = Some(pb::File {
            path,
            ..pb::File::default()
        });
        Ok(Response::new(match String::from_utf8(bytes) {
            Ok(text) => pb::ReadFileResponse {
                file,
                text,
                data: Vec::new(),
            },
            Err(error) => pb::ReadFileResponse {
                file,
                text: String::new(),
                data: error.into_bytes(),
            },
        }))
    }

    async fn export_revision(
        &self,
        request: Request<pb::ExportRevisionRequest>,
    ) -> Answer<Self::ExportRevisionStream> {
        self.enter("ExportRevision", request)?;
        let state = self.shared.lock();
        let mut revision = state.revisions.first().cloned();
        let pieces: Vec<_> = state
            .archive
            .chunks(7)
            .map(|piece| {
                Ok(pb::ExportRevisionResponse {
                    data: piece.to_vec().into(),
                    revision: revision.take(),
                })
            })
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(pieces))))
    }
}

#[tonic::async_trait]
impl SandboxService for Services {
    type StreamLogsStream = Answers<pb::StreamLogsResponse>;

    async fn start_sandbox(
        &self,
        request: Request<pb::StartSandboxRequest>,
    ) -> Answer<pb::StartSandboxResponse> {
        self.enter("StartSandbox", request)?;
        Ok(Response::new(pb::StartSandboxResponse {
            sandbox: Some(sandbox(pb::SandboxState::Starting)),
        }))
    }

    async fn stop_sandbox(
        &self,
        request: Request<pb::StopSandboxRequest>,
    ) -> Answer<pb::StopSandboxResponse> {
        self.enter("StopSandbox", request)?;
        Ok(Response::new(pb::StopSandboxResponse {
            sandbox: Some(sandbox(pb::SandboxState::Stopped)),
        }))
    }

    async fn restart_sandbox(
        &self,
        request: Request<pb::RestartSandboxRequest>,
    ) -> Answer<pb::RestartSandboxResponse> {
        self.enter("RestartSandbox", request)?;
        Ok(Response::new(pb::RestartSandboxResponse {
            sandbox: Some(sandbox(pb::SandboxState::Starting)),
        }))
    }

    async fn get_sandbox(
        &self,
        request: Request<pb::GetSandboxRequest>,
    ) -> Answer<pb::GetSandboxResponse> {
        self.enter("GetSandbox", request)?;
        Ok(Response::new(pb::GetSandboxResponse {
            sandbox: Some(sandbox(pb::SandboxState::Running)),
        }))
    }

    async fn stream_logs(
        &self,
        request: Request<pb::StreamLogsRequest>,
    ) -> Answer<Self::StreamLogsStream> {
        self.enter("StreamLogs", request)?;
        let lines = self.shared.lock().log_lines.clone();
        let batches: Vec<_> = lines
            .chunks(100)
            .map(|lines| {
                Ok(pb::StreamLogsResponse {
                    lines: lines.to_vec(),
                    dropped_count: 0,
                })
            })
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(batches))))
    }
}

fn sandbox(state: pb::SandboxState) -> pb::Sandbox {
    pb::Sandbox {
        state: state.into(),
        preview_url: events::PREVIEW.into(),
        ..pb::Sandbox::default()
    }
}
