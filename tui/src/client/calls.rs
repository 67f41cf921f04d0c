//! One method per RPC. What each does, who may call it and which reasons come
//! back is said once, in the schema under `proto/kiln/v1/`.

use futures::Stream;
use kiln_proto::v1::{self as pb};

use super::{Client, DECODE_LIMIT, Error};

/// Methods with a credential and one answer.
macro_rules! unary {
    ($($module:ident::$service:ident {
        $($method:ident($request:ident) -> $response:ident;)*
    })*) => {
        impl Client {
            $($(
                #[doc = concat!("Calls the RPC of this name; `", stringify!($request), "` in the schema says more.")]
                ///
                /// # Errors
                /// If the daemon refuses or cannot be reached.
                pub async fn $method(&self, request: pb::$request) -> Result<pb::$response, Error> {
                    self.unary(request, |channel, request| async move {
                        pb::$module::$service::new(channel)
                            .max_decoding_message_size(DECODE_LIMIT)
                            .$method(request)
                            .await
                    })
                    .await
                }
            )*)*
        }
    };
}

unary! {
    server_service_client::ServerServiceClient {
        get_server_info(GetServerInfoRequest) -> GetServerInfoResponse;
        get_provider(GetProviderRequest) -> GetProviderResponse;
        set_provider(SetProviderRequest) -> SetProviderResponse;
    }
    auth_service_client::AuthServiceClient {
        sign_out(SignOutRequest) -> SignOutResponse;
        get_current_user(GetCurrentUserRequest) -> GetCurrentUserResponse;
        create_api_token(CreateApiTokenRequest) -> CreateApiTokenResponse;
        list_api_tokens(ListApiTokensRequest) -> ListApiTokensResponse;
        revoke_api_token(RevokeApiTokenRequest) -> RevokeApiTokenResponse;
    }
    team_service_client::TeamServiceClient {
        create_invite(CreateInviteRequest) -> CreateInviteResponse;
    }
    project_service_client::ProjectServiceClient {
        create_project(CreateProjectRequest) -> CreateProjectResponse;
        get_project(GetProjectRequest) -> GetProjectResponse;
        list_projects(ListProjectsRequest) -> ListProjectsResponse;
        update_project(UpdateProjectRequest) -> UpdateProjectResponse;
        delete_project(DeleteProjectRequest) -> DeleteProjectResponse;
    }
    generation_service_client::GenerationServiceClient {
        start_generation(StartGenerationRequest) -> StartGenerationResponse;
        cancel_generation(CancelGenerationRequest) -> CancelGenerationResponse;
        get_generation(GetGenerationRequest) -> GetGenerationResponse;
    }
    revision_service_client::RevisionServiceClient {
        list_revisions(ListRevisionsRequest) -> ListRevisionsResponse;
        list_files(ListFilesRequest) -> ListFilesResponse;
        read_file(ReadFileRequest) -> ReadFileResponse;
    }
    sandbox_service_client::SandboxServiceClient {
        start_sandbox(StartSandboxRequest) -> StartSandboxResponse;
        stop_sandbox(StopSandboxRequest) -> StopSandboxResponse;
        restart_sandbox(RestartSandboxRequest) -> RestartSandboxResponse;
        get_sandbox(GetSandboxRequest) -> GetSandboxResponse;
    }
    model_service_client::ModelServiceClient {
        list_models(ListModelsRequest) -> ListModelsResponse;
    }
}

/// Methods without a credential.
macro_rules! open {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        impl Client {
            $(
                #[doc = concat!("Calls the RPC of this name; `", stringify!($request), "` in the schema says more.")]
                ///
                /// # Errors
                /// If the daemon refuses or cannot be reached.
                pub async fn $method(&self, request: pb::$request) -> Result<pb::$response, Error> {
                    self.open_call(request, |channel, request| async move {
                        pb::auth_service_client::AuthServiceClient::new(channel)
                            .max_decoding_message_size(DECODE_LIMIT)
                            .$method(request)
                            .await
                    })
                    .await
                }
            )*
        }
    };
}

open! {
    sign_in(SignInRequest) -> SignInResponse;
    sign_up(SignUpRequest) -> SignUpResponse;
}

/// Methods with many answers.
macro_rules! streams {
    ($($visibility:vis $module:ident::$service:ident::$method:ident($request:ident) -> $response:ident;)*) => {
        impl Client {
            $(
                #[doc = concat!("Opens the stream of this name; `", stringify!($request), "` in the schema says more.")]
                ///
                /// # Errors
                /// If the daemon refuses or cannot be reached.
                $visibility async fn $method(
                    &self,
                    request: pb::$request,
                ) -> Result<impl Stream<Item = Result<pb::$response, Error>> + Send + Unpin + 'static + use<>, Error> {
                    self.streaming(request, |channel, request| async move {
                        pb::$module::$service::new(channel)
                            .max_decoding_message_size(DECODE_LIMIT)
                            .$method(request)
                            .await
                    })
                    .await
                }
            )*
        }
    };
}

streams! {
    pub(super) project_service_client::ProjectServiceClient::watch_projects(WatchProjectsRequest) -> WatchProjectsResponse;
    pub(super) project_service_client::ProjectServiceClient::watch_project(WatchProjectRequest) -> WatchProjectResponse;
    pub(super) sandbox_service_client::SandboxServiceClient::stream_logs(StreamLogsRequest) -> StreamLogsResponse;
    pub revision_service_client::RevisionServiceClient::export_revision(ExportRevisionRequest) -> ExportRevisionResponse;
}
