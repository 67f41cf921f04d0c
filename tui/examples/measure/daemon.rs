//! A daemon that only has what the client asks for at the beginning: one
//! project, its log, and the output of its sandbox. It answers at once and
//! costs the client what a real one costs; it does nothing else.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use kiln_proto::v1 as pb;
use pb::auth_service_server::{AuthService, AuthServiceServer};
use pb::project_service_server::{ProjectService, ProjectServiceServer};
use pb::sandbox_service_server::{SandboxService, SandboxServiceServer};
use pb::server_service_server::{ServerService, ServerServiceServer};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::scene;

/// Lines of one message, about what the real daemon sends under load.
const LINES_AT_ONCE: u64 = 500;
/// How often the real daemon says that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The daemon. Dropping it ends it with every connection.
pub(crate) struct Daemon {
    runtime: Option<Runtime>,
}

impl Daemon {
    /// Listens on a socket; the sandbox has written so many lines.
    pub(crate) fn start(socket: &Path, lines: u64) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let _ = std::fs::remove_file(socket);
        let listener = runtime.block_on(async { UnixListener::bind(socket) })?;
        let services = Services { lines };
        let router = Server::builder()
            .add_service(AuthServiceServer::new(services))
            .add_service(ProjectServiceServer::new(services))
            .add_service(SandboxServiceServer::new(services))
            .add_service(ServerServiceServer::new(services));
        runtime.spawn(router.serve_with_incoming(UnixListenerStream::new(listener)));
        Ok(Self {
            runtime: Some(runtime),
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone, Copy)]
struct Services {
    lines: u64,
}

fn no<T>() -> Answer<T> {
    Err(Status::unimplemented("not in this measurement"))
}

fn owner() -> pb::User {
    pb::User {
        display_name: "owner".into(),
        owner: true,
        ..pb::User::default()
    }
}

/// First these, then nothing more; the stream stays open.
fn open_ended<T: Send + 'static>(first: impl Iterator<Item = T> + Send + 'static) -> Answers<T> {
    Box::pin(stream::iter(first.map(Ok)).chain(stream::pending()))
}

#[tonic::async_trait]
impl AuthService for Services {
    async fn sign_in_local(
        &self,
        _: Request<pb::SignInLocalRequest>,
    ) -> Answer<pb::SignInLocalResponse> {
        Ok(Response::new(pb::SignInLocalResponse {
            session: Some(pb::Session {
                token: "kiln_s_measured".into(),
                expire_time: None,
            }),
            user: Some(owner()),
        }))
    }

    async fn get_current_user(
        &self,
        _: Request<pb::GetCurrentUserRequest>,
    ) -> Answer<pb::GetCurrentUserResponse> {
        Ok(Response::new(pb::GetCurrentUserResponse {
            user: Some(owner()),
            ..pb::GetCurrentUserResponse::default()
        }))
    }

    async fn sign_up(&self, _: Request<pb::SignUpRequest>) -> Answer<pb::SignUpResponse> {
        no()
    }

    async fn sign_in(&self, _: Request<pb::SignInRequest>) -> Answer<pb::SignInResponse> {
        no()
    }

    async fn sign_out(&self, _: Request<pb::SignOutRequest>) -> Answer<pb::SignOutResponse> {
        no()
    }

    async fn create_api_token(
        &self,
        _: Request<pb::CreateApiTokenRequest>,
    ) -> Answer<pb::CreateApiTokenResponse> {
        no()
    }

    async fn list_api_tokens(
        &self,
        _: Request<pb::ListApiTokensRequest>,
    ) -> Answer<pb::ListApiTokensResponse> {
        no()
    }

    async fn revoke_api_token(
        &self,
        _: Request<pb::RevokeApiTokenRequest>,
    ) -> Answer<pb::RevokeApiTokenResponse> {
        no()
    }
}

#[tonic::async_trait]
impl ServerService for Services {
    async fn get_server_info(
        &self,
        _: Request<pb::GetServerInfoRequest>,
    ) -> Answer<pb::GetServerInfoResponse> {
        Ok(Response::new(pb::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            provider: Some(demo()),
            ..pb::GetServerInfoResponse::default()
        }))
    }

    async fn get_provider(
        &self,
        _: Request<pb::GetProviderRequest>,
    ) -> Answer<pb::GetProviderResponse> {
        Ok(Response::new(pb::GetProviderResponse {
            provider: Some(demo()),
            source: pb::ProviderSource::Chosen.into(),
            can_change: true,
            ..pb::GetProviderResponse::default()
        }))
    }

    async fn set_provider(
        &self,
        _: Request<pb::SetProviderRequest>,
    ) -> Answer<pb::SetProviderResponse> {
        no()
    }
}

fn demo() -> pb::ProviderStatus {
    pb::ProviderStatus {
        demo_only: true,
        default_model: scene::MODEL.into(),
        ..pb::ProviderStatus::default()
    }
}

#[tonic::async_trait]
impl ProjectService for Services {
    type WatchProjectsStream = Answers<pb::WatchProjectsResponse>;
    type WatchProjectStream = Answers<pb::WatchProjectResponse>;

    async fn create_project(
        &self,
        _: Request<pb::CreateProjectRequest>,
    ) -> Answer<pb::CreateProjectResponse> {
        no()
    }

    async fn get_project(
        &self,
        _: Request<pb::GetProjectRequest>,
    ) -> Answer<pb::GetProjectResponse> {
        no()
    }

    async fn list_projects(
        &self,
        _: Request<pb::ListProjectsRequest>,
    ) -> Answer<pb::ListProjectsResponse> {
        no()
    }

    async fn update_project(
        &self,
        _: Request<pb::UpdateProjectRequest>,
    ) -> Answer<pb::UpdateProjectResponse> {
        no()
    }

    async fn delete_project(
        &self,
        _: Request<pb::DeleteProjectRequest>,
    ) -> Answer<pb::DeleteProjectResponse> {
        no()
    }

    async fn watch_projects(
        &self,
        _: Request<pb::WatchProjectsRequest>,
    ) -> Answer<Self::WatchProjectsStream> {
        let list = pb::WatchProjectsResponse {
            projects: vec![scene::project()],
            initial_list_complete: true,
            ..pb::WatchProjectsResponse::default()
        };
        Ok(Response::new(open_ended(std::iter::once(list))))
    }

    async fn watch_project(
        &self,
        _: Request<pb::WatchProjectRequest>,
    ) -> Answer<Self::WatchProjectStream> {
        let events = scene::turn(1, 1, 20);
        let head_sequence = events.last().map_or(0, |event| event.sequence);
        let batch = move |events| pb::WatchProjectResponse {
            events,
            head_sequence,
            snapshot: None,
        };
        let signs = stream::unfold((), move |()| async move {
            tokio::time::sleep(SIGN_OF_LIFE).await;
            Some((Ok(batch(Vec::new())), ()))
        });
        let first = stream::iter([Ok(batch(events))]);
        Ok(Response::new(Box::pin(first.chain(signs))))
    }
}

#[tonic::async_trait]
impl SandboxService for Services {
    type StreamLogsStream = Answers<pb::StreamLogsResponse>;

    async fn start_sandbox(
        &self,
        _: Request<pb::StartSandboxRequest>,
    ) -> Answer<pb::StartSandboxResponse> {
        no()
    }

    async fn stop_sandbox(
        &self,
        _: Request<pb::StopSandboxRequest>,
    ) -> Answer<pb::StopSandboxResponse> {
        no()
    }

    async fn restart_sandbox(
        &self,
        _: Request<pb::RestartSandboxRequest>,
    ) -> Answer<pb::RestartSandboxResponse> {
        no()
    }

    async fn get_sandbox(
        &self,
        _: Request<pb::GetSandboxRequest>,
    ) -> Answer<pb::GetSandboxResponse> {
        no()
    }

    async fn stream_logs(
        &self,
        _: Request<pb::StreamLogsRequest>,
    ) -> Answer<Self::StreamLogsStream> {
        let lines = self.lines;
        let batches = (0..lines.div_ceil(LINES_AT_ONCE)).map(move |batch| {
            let first = batch * LINES_AT_ONCE;
            pb::StreamLogsResponse {
                lines: (first..lines.min(first + LINES_AT_ONCE))
                    .map(scene::log_line)
                    .collect(),
                dropped_count: 0,
            }
        });
        Ok(Response::new(open_ended(batches)))
    }
}
