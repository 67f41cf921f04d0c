//! Plugs the services of the API into one server and serves it. It knows no
//! rule of any of them.

use std::time::Duration;

use kiln_proto::v1;
use tonic::transport::Server;

use super::compose::App;
use crate::config::Config;
use crate::rpc::auth::AuthLayer;
use crate::rpc::layers::CallLayer;
use crate::rpc::listener::{ConnectionLimits, Listeners, incoming};
use crate::rpc::streams::Streams;
use crate::rpc::{
    auth_service, generation_service, model_service, project_service, revision_service,
    sandbox_service, server_service, team_service,
};
use crate::shutdown::Shutdown;

/// Serves until the daemon stops. Limits are those of the design
/// (`security.md`, server limits).
pub(super) fn serve(config: &Config, app: App, listeners: Listeners, shutdown: &Shutdown) {
    const DECODE: usize = 2 << 20;
    const ENCODE: usize = 4 << 20;
    macro_rules! limited {
        ($server:path, $service:expr) => {
            <$server>::new($service)
                .max_decoding_message_size(DECODE)
                .max_encoding_message_size(ENCODE)
        };
    }
    let streams = Streams::new(
        app.accounts.clone(),
        app.journal.clone(),
        app.pool.clone(),
        shutdown.clone(),
        config.limits.streams_per_user,
    );
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = config.listen.reflection.then(reflection_services);
    let (reflection_v1, reflection_v1alpha) = reflection.unzip();
    let router = Server::builder()
        .accept_http1(false)
        .max_concurrent_streams(100_u32)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .tcp_nodelay(true)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_frame_size(16 << 10)
        .http2_max_header_list_size(16 << 10)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(256))
        .max_connection_age(Duration::from_secs(4 * 3_600))
        .max_connection_age_grace(Duration::from_secs(30))
        .layer(CallLayer::default())
        .layer(AuthLayer::new(app.accounts.clone()))
        .add_service(health_service)
        .add_optional_service(reflection_v1)
        .add_optional_service(reflection_v1alpha)
        .add_service(limited!(
            v1::server_service_server::ServerServiceServer<_>,
            server_service::ServerService::new(app.info, app.providers)
        ))
        .add_service(limited!(
            v1::auth_service_server::AuthServiceServer<_>,
            auth_service::AuthService::new(app.accounts.clone())
        ))
        .add_service(limited!(
            v1::team_service_server::TeamServiceServer<_>,
            team_service::TeamService::new(app.accounts)
        ))
        .add_service(limited!(
            v1::project_service_server::ProjectServiceServer<_>,
            project_service::ProjectService::new(app.projects.clone(), streams.clone())
        ))
        .add_service(limited!(
            v1::generation_service_server::GenerationServiceServer<_>,
            generation_service::GenerationService::new(
                app.generations,
                app.projects,
                streams.clone()
            )
        ))
        .add_service(limited!(
            v1::revision_service_server::RevisionServiceServer<_>,
            revision_service::RevisionService::new(app.revisions, streams.clone())
        ))
        .add_service(limited!(
            v1::sandbox_service_server::SandboxServiceServer<_>,
            sandbox_service::SandboxService::new(app.launcher, streams)
        ))
        .add_service(limited!(
            v1::model_service_server::ModelServiceServer<_>,
            model_service::ModelService::new(app.edge)
        ));
    let (sender, connections) = incoming();
    let limits = ConnectionLimits {
        all: config.limits.connections,
        per_address: config.limits.connections_per_address,
    };
    shutdown
        .support
        .spawn(listeners.accept(limits, shutdown.stopping.clone(), sender));
    let (stopping, closing) = (shutdown.stopping.clone(), shutdown.closing.clone());
    shutdown.support.spawn(async move {
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let ending = async {
            stopping.cancelled().await;
            health
                .set_service_status("", tonic_health::ServingStatus::NotServing)
                .await;
        };
        tokio::select! {
            served = router.serve_with_incoming_shutdown(connections, ending) => {
                if let Err(error) = served {
                    tracing::error!(%error, "serving ended");
                }
            }
            // A connection that never finishes its handshake would hold the
            // drain for ever.
            () = closing.cancelled() => {}
        }
    });
}

/// Both versions: grpcurl and Python ask for v1alpha, buf for v1. The types of
/// error details are registered too, else they print as base64.
fn reflection_services() -> (
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    tonic_reflection::server::v1alpha::ServerReflectionServer<
        impl tonic_reflection::server::v1alpha::ServerReflection,
    >,
) {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(kiln_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    (
        builder()
            .build_v1()
            .expect("the descriptors were compiled with this program"),
        builder()
            .build_v1alpha()
            .expect("the descriptors were compiled with this program"),
    )
}
