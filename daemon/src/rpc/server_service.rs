//! `kiln.v1.ServerService`: what this daemon is, how its parts are, and where
//! models come from.

use kiln_proto::v1::{self, server_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::fields::Fields;
use crate::app::providers::{Choice, DecidedBy, Providers};
use crate::app::server_info::{Component, Provider, ServerInfo};
use crate::config::SignUp;
use crate::domain::error::Error;
use crate::domain::text::PROMPT_BYTES_MAX;
use crate::domain::tree::{FILE_BYTES_MAX, PROJECT_BYTES_MAX, PROJECT_FILES_MAX};
use crate::llm::Upstream;
use crate::llm::local::LocalServer;
use crate::sandbox::FirewallState;

/// The service.
#[derive(Clone)]
pub struct ServerService {
    info: ServerInfo,
    providers: Providers,
}

impl ServerService {
    /// The service over these facts and this choice.
    #[must_use]
    pub fn new(info: ServerInfo, providers: Providers) -> Self {
        Self { info, providers }
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
            provider: Some(provider(facts.provider)),
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

    async fn get_provider(
        &self,
        request: Request<v1::GetProviderRequest>,
    ) -> Result<Response<v1::GetProviderResponse>, Status> {
        let caller = caller(&request)?;
        let view = Box::pin(self.providers.get(&caller)).await;
        Ok(Response::new(v1::GetProviderResponse {
            provider: Some(provider(view.provider)),
            source: view
                .decided_by
                .map_or(v1::ProviderSource::Unspecified, source)
                .into(),
            can_change: view.can_change,
            detail: view.detail,
            local_endpoints: view.local.into_iter().map(local_endpoint).collect(),
        }))
    }

    async fn set_provider(
        &self,
        request: Request<v1::SetProviderRequest>,
    ) -> Result<Response<v1::SetProviderResponse>, Status> {
        let caller = caller(&request)?;
        let choice = read_choice(request.into_inner())?;
        let changed = Box::pin(self.providers.set(&caller, choice)).await?;
        Ok(Response::new(v1::SetProviderResponse {
            provider: Some(provider(changed.provider)),
            source: source(changed.decided_by).into(),
            model_count: whole(changed.models),
            detail: changed.detail,
        }))
    }
}

fn read_choice(message: v1::SetProviderRequest) -> Result<Choice, Error> {
    if !message.demo_only {
        return Upstream::choose(&message.base_url, message.api_key.into())
            .map(Choice::Upstream)
            .map_err(Error::Invalid);
    }
    let mut fields = Fields::default();
    for (field, value) in [
        ("base_url", &message.base_url),
        ("api_key", &message.api_key),
    ] {
        if !value.is_empty() {
            fields.refuse(field, "must be empty where demo_only is set");
        }
    }
    if fields.is_clean() {
        Ok(Choice::Demo)
    } else {
        Err(fields.into_error())
    }
}

fn provider(provider: Provider) -> v1::ProviderStatus {
    v1::ProviderStatus {
        base_url: provider.base_url,
        has_key: provider.has_key,
        demo_only: provider.demo_only,
        default_model: provider.default_model,
    }
}

fn source(decided_by: DecidedBy) -> v1::ProviderSource {
    match decided_by {
        DecidedBy::Nobody => v1::ProviderSource::Demo,
        DecidedBy::Configuration => v1::ProviderSource::Configuration,
        DecidedBy::Owner => v1::ProviderSource::Chosen,
    }
}

fn local_endpoint(found: LocalServer) -> v1::LocalEndpoint {
    v1::LocalEndpoint {
        base_url: found.base_url,
        name: found.name.into(),
        model_count: whole(found.models),
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
