//! A gRPC client that signed in as the local owner.

use hyper_util::rt::TokioIo;
use kiln_proto::v1;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use kiln_proto::v1::generation_service_client::GenerationServiceClient;
use kiln_proto::v1::model_service_client::ModelServiceClient;
use kiln_proto::v1::project_service_client::ProjectServiceClient;
use kiln_proto::v1::sandbox_service_client::SandboxServiceClient;
use kiln_proto::v1::server_service_client::ServerServiceClient;
use kiln_proto::v1::team_service_client::TeamServiceClient;
use tokio::net::UnixStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use v1::event::Body;

use super::{Deployment, PATIENCE};

type Signed = InterceptedService<Channel, Bearer>;

/// Puts a credential into every call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// The API over TCP, with a session that the unix socket gave.
pub(crate) struct Api {
    channel: Channel,
    bearer: Bearer,
}

impl Api {
    pub(crate) async fn of(kiln: &Deployment) -> Self {
        let socket = kiln.socket();
        let local = Endpoint::from_static("http://kilnd.invalid")
            .connect_with_connector(tower::service_fn(move |_| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            }))
            .await
            .unwrap();
        let session = AuthServiceClient::new(local)
            .sign_in_local(v1::SignInLocalRequest {})
            .await
            .unwrap()
            .into_inner()
            .session
            .unwrap();
        let bearer = format!("Bearer {}", session.token).parse().unwrap();
        let channel = Endpoint::from_shared(format!("http://{}", kiln.daemon().tcp))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            channel,
            bearer: Bearer(bearer),
        }
    }

    /// The same connection with another credential.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            channel: self.channel.clone(),
            bearer: Bearer(format!("Bearer {token}").parse().unwrap()),
        }
    }

    /// Somebody who signed up with an invite of this one, and owns nothing here.
    pub(crate) async fn member(&self) -> Self {
        let invite = TeamServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .create_invite(v1::CreateInviteRequest::default())
            .await
            .unwrap()
            .into_inner()
            .invite;
        let session = AuthServiceClient::new(self.channel.clone())
            .sign_up(v1::SignUpRequest {
                email: "ada@example.com".into(),
                password: "four warm ovens, no bread".into(),
                invite,
                ..v1::SignUpRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .session
            .unwrap();
        self.with_token(&session.token)
    }

    pub(crate) fn accounts(&self) -> AuthServiceClient<Signed> {
        AuthServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn server(&self) -> ServerServiceClient<Signed> {
        ServerServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn models(&self) -> ModelServiceClient<Signed> {
        ModelServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn projects(&self) -> ProjectServiceClient<Signed> {
        ProjectServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn generations(&self) -> GenerationServiceClient<Signed> {
        GenerationServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn sandboxes(&self) -> SandboxServiceClient<Signed> {
        SandboxServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Starts a generation on a project; gives its id.
    pub(crate) async fn start(&self, project: &str, prompt: &str) -> String {
        let request = v1::StartGenerationRequest {
            project_id: project.to_owned(),
            prompt: prompt.to_owned(),
            ..v1::StartGenerationRequest::default()
        };
        let started = self.generations().start_generation(request).await.unwrap();
        started.into_inner().generation.unwrap().id
    }

    pub(crate) async fn generation(&self, id: &str) -> v1::Generation {
        let request = v1::GetGenerationRequest {
            generation_id: id.to_owned(),
        };
        let answer = self.generations().get_generation(request).await.unwrap();
        answer.into_inner().generation.unwrap()
    }

    pub(crate) async fn sandbox(&self, project: &str) -> v1::Sandbox {
        let request = v1::GetSandboxRequest {
            project_id: project.to_owned(),
        };
        let answer = self.sandboxes().get_sandbox(request).await.unwrap();
        answer.into_inner().sandbox.unwrap()
    }

    /// The log of a project from its beginning; to the end of a generation, if
    /// one is named, else for ever.
    pub(crate) async fn watch(&self, project: &str, until: &str) -> Watch {
        let request = v1::WatchProjectRequest {
            project_id: project.to_owned(),
            after_sequence: Some(0),
            until_generation_id: until.to_owned(),
        };
        let stream = self.projects().watch_project(request).await.unwrap();
        Watch {
            stream: stream.into_inner(),
            seen: Vec::new(),
        }
    }
}

/// A watcher and what it has seen.
pub(crate) struct Watch {
    stream: Streaming<v1::WatchProjectResponse>,
    pub(crate) seen: Vec<v1::Event>,
}

impl Watch {
    /// Reads until `enough` says so.
    pub(crate) async fn until(&mut self, enough: impl Fn(&[v1::Event]) -> bool) {
        while !enough(&self.seen) {
            let next = tokio::time::timeout(PATIENCE, self.stream.message()).await;
            match next {
                Ok(Ok(Some(answer))) => self.seen.extend(answer.events),
                other => panic!("the stream ends, or is silent: {other:?}; {:?}", self.seen),
            }
        }
    }

    /// Reads to the end of the stream; how it ended.
    pub(crate) async fn rest(&mut self) -> Result<(), Status> {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.message()).await {
                Ok(Ok(Some(answer))) => self.seen.extend(answer.events),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(status)) => return Err(status),
                Err(_) => panic!("the stream does not end"),
            }
        }
    }
}

/// How generations ended, in the order of the log.
pub(crate) fn endings(events: &[v1::Event]) -> Vec<(String, v1::GenerationFinished)> {
    events
        .iter()
        .filter_map(|event| match &event.body {
            Some(Body::GenerationFinished(ending)) => {
                Some((event.generation_id.clone(), ending.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Expects sequences from 1 without a gap and without a repeat.
#[track_caller]
pub(crate) fn assert_dense(events: &[v1::Event]) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(usize::try_from(event.sequence).unwrap(), index + 1);
    }
}
