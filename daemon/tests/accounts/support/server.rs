//! The API in front of accounts, on loopback and on a unix socket, as the
//! daemon puts it together.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use kiln_daemon::app::accounts::Accounts;
use kiln_daemon::rpc::auth::AuthLayer;
use kiln_daemon::rpc::auth_service::AuthService;
use kiln_daemon::rpc::layers::CallLayer;
use kiln_daemon::rpc::peer::Connection;
use kiln_daemon::rpc::team_service::TeamService;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use kiln_proto::v1::auth_service_server::AuthServiceServer;
use kiln_proto::v1::team_service_client::TeamServiceClient;
use kiln_proto::v1::team_service_server::TeamServiceServer;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::Request;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Server, Uri};

/// A running server. It ends with the runtime of its test.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl TestServer {
    pub(crate) async fn start(accounts: Accounts) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("kilnd.sock");
        let unix = UnixListener::bind(&socket).unwrap();
        let tcp = TcpListenerStream::new(tcp).map(|stream| {
            let stream = stream?;
            let peer = stream.peer_addr()?;
            Ok::<_, std::io::Error>(Connection::tcp(stream, peer))
        });
        let unix = UnixListenerStream::new(unix).map(|stream| Connection::unix(stream?));
        let (_, health) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(kiln_proto::FILE_DESCRIPTOR_SET)
            .build_v1()
            .unwrap();
        let serve = Server::builder()
            .layer(CallLayer::default())
            .layer(AuthLayer::new(accounts.clone()))
            .add_service(health)
            .add_service(reflection)
            .add_service(
                AuthServiceServer::new(AuthService::new(accounts.clone()))
                    .max_decoding_message_size(64 * 1024),
            )
            .add_service(TeamServiceServer::new(TeamService::new(accounts)))
            .serve_with_incoming(tcp.merge(unix));
        tokio::spawn(async move { serve.await.unwrap() });
        Self {
            address,
            socket,
            _directory: directory,
        }
    }

    /// A connection over TCP.
    pub(crate) async fn tcp(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// A connection over the unix socket.
    pub(crate) async fn unix(&self) -> Channel {
        let socket = self.socket.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://localhost")
            .connect_with_connector(connect)
            .await
            .unwrap()
    }
}

/// A connection that sends a credential with every call.
pub(crate) type Authorised = InterceptedService<Channel, Bearer>;

/// Sends a credential.
#[derive(Clone)]
pub(crate) struct Bearer(String);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, tonic::Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// Clients that send a credential.
pub(crate) fn with_token(
    channel: Channel,
    token: &str,
) -> (AuthServiceClient<Authorised>, TeamServiceClient<Authorised>) {
    let bearer = Bearer(token.to_owned());
    (
        AuthServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        TeamServiceClient::with_interceptor(channel, bearer),
    )
}

/// Sends bytes as they are, and drops what comes back.
#[derive(Clone, Copy, Default)]
pub(crate) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(&mut self, item: Vec<u8>, buf: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(buf, &item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = ();
    type Error = tonic::Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
        let rest = bytes::Buf::remaining(buf);
        bytes::Buf::advance(buf, rest);
        Ok(Some(()))
    }
}
