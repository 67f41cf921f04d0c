//! `kiln.v1.SandboxService`: messages in, use cases, messages out.

use kiln_proto::v1::{self, sandbox_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use super::streams::{Streams, WatchStream};
use crate::app::launch::Launcher;
use crate::domain::error::Error;
use crate::domain::id::ProjectId;
use crate::domain::project::Project;
use crate::domain::sandbox::{Sandbox, SandboxState};

/// Lines sent first where none are asked for, and at most.
const TAIL: (u32, u32) = (200, 10_000);

/// The service.
#[derive(Clone)]
pub struct SandboxService {
    launcher: Launcher,
    streams: Streams,
}

impl SandboxService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(launcher: Launcher, streams: Streams) -> Self {
        Self { launcher, streams }
    }
}

#[tonic::async_trait]
impl sandbox_service_server::SandboxService for SandboxService {
    async fn start_sandbox(
        &self,
        request: Request<v1::StartSandboxRequest>,
    ) -> Result<Response<v1::StartSandboxResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        let state = self.launcher.start(&caller, id).await?;
        Ok(Response::new(v1::StartSandboxResponse {
            sandbox: Some(message(state)),
        }))
    }

    async fn stop_sandbox(
        &self,
        request: Request<v1::StopSandboxRequest>,
    ) -> Result<Response<v1::StopSandboxResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        let state = self.launcher.stop(&caller, id).await?;
        Ok(Response::new(v1::StopSandboxResponse {
            sandbox: Some(message(state)),
        }))
    }

    async fn restart_sandbox(
        &self,
        request: Request<v1::RestartSandboxRequest>,
    ) -> Result<Response<v1::RestartSandboxResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        self.launcher.stop(&caller, id).await?;
        let state = self.launcher.start(&caller, id).await?;
        Ok(Response::new(v1::RestartSandboxResponse {
            sandbox: Some(message(state)),
        }))
    }

    async fn get_sandbox(
        &self,
        request: Request<v1::GetSandboxRequest>,
    ) -> Result<Response<v1::GetSandboxResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().project_id)?;
        let state = self.launcher.get(&caller, id).await?;
        Ok(Response::new(v1::GetSandboxResponse {
            sandbox: Some(message(state)),
        }))
    }

    type StreamLogsStream = WatchStream<v1::StreamLogsResponse>;

    async fn stream_logs(
        &self,
        request: Request<v1::StreamLogsRequest>,
    ) -> Result<Response<Self::StreamLogsStream>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.id::<ProjectId>("project_id", &message.project_id);
        let since = match message.since.as_ref().map(convert::moment) {
            Some(None) => {
                fields.refuse("since", "is not a moment");
                None
            }
            Some(since) => since,
            None => None,
        };
        let tail = match message.tail {
            -1 => 0,
            0 => TAIL.0,
            tail => u32::try_from(tail).unwrap_or_else(|_| {
                fields.refuse("tail", "must be -1 or more");
                0
            }),
        };
        let (Some(id), true) = (id, fields.is_clean()) else {
            return Err(fields.into_error().into());
        };
        let logs = self
            .launcher
            .logs(&caller, id, tail.min(TAIL.1), message.follow)
            .await?;
        Ok(Response::new(self.streams.logs(caller, logs, since)?))
    }
}

fn read_id(text: &str) -> Result<ProjectId, Error> {
    let mut fields = Fields::default();
    fields
        .id("project_id", text)
        .ok_or_else(|| fields.into_error())
}

fn message((project, sandbox): (Project, Option<Sandbox>)) -> v1::Sandbox {
    let url = project
        .preview_port
        .map(crate::preview::url)
        .unwrap_or_default();
    match sandbox {
        Some(sandbox) => convert::sandbox(sandbox, url),
        None => v1::Sandbox {
            project_id: project.id.to_string(),
            state: convert::sandbox_state(SandboxState::Stopped).into(),
            preview_url: url,
            ..v1::Sandbox::default()
        },
    }
}
