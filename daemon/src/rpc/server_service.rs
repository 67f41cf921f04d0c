//! `kiln.v1.ServerService`: what this daemon is and how its parts are.

use kiln_proto::v1::{self, server_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use crate::app::server_info::{Component, ServerInfo};
use crate::config::SignUp;
use crate::domain::text::PROMPT_BYTES_MAX;
use crate::domain::tree::{FILE_BYTES_MAX, PROJECT_BYTES_MAX, PROJECT_FILES_MAX};
use crate::sandbox::FirewallState;

/// The service.
#[derive(Clone)]
pub struct ServerService {
    info: ServerInfo,
}

impl ServerService {
    /// The service over these facts.
    #[must_use]
    pub fn new(info: ServerInfo) -> Self {
        Self { info }
    }
}

#[tonic::async_trait]
impl server_service_server::ServerService for ServerService {
    async fn get_server_info(
        &self,
        request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        caller(&request)?;
        let facts = self.info.gather().await;
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            daemon_id: facts.daemon_id.to_string(),
            boot_id: facts.boot_id.to_string(),
            docker: Some(component(facts.docker)),
            database: Some(component(facts.database)),
            provider: Some(v1::ProviderStatus {
                base_url: facts.provider.base_url,
                has_key: facts.provider.has_key,
                demo_only: facts.provider.demo_only,
                default_model: facts.provider.default_model,
            }),
            firewall: match facts.firewall {
                FirewallState::Unfiltered => v1::FirewallState::Unfiltered,
                FirewallState::NoNetwork => v1::FirewallState::NoNetwork,
            }
            .into(),
            limits: Some(v1::ServerLimits {
                prompt_bytes: whole(PROMPT_BYTES_MAX),
                file_bytes: whole(FILE_BYTES_MAX),
                project_bytes: whole(PROJECT_BYTES_MAX),
                project_file_count: whole(PROJECT_FILES_MAX),
                generations_per_user: whole(facts.generations_per_user),
                sandboxes: whole(facts.sandboxes),
            }),
            sign_up: match facts.sign_up {
                SignUp::Invite => "invite",
                SignUp::Open => "open",
                SignUp::Closed => "closed",
            }
            .into(),
        }))
    }
}

fn component(component: Component) -> v1::ComponentStatus {
    v1::ComponentStatus {
        available: component.available,
        version: component.version,
        detail: component.detail,
    }
}

fn whole(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
