//! What every call meets before its handler, on a real server.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::uri::PathAndQuery;
use kiln_daemon::rpc::methods::{METHODS, access};
use kiln_proto::v1::SignInRequest;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::support::{
    PASSWORD, RawCodec, Refused, TestDatabase, TestServer, accounts, local_owner, refusal, refused,
    settings,
};

/// A unary call of any method, with any bytes as its message.
async fn call(
    channel: &Channel,
    path: &str,
    message: Vec<u8>,
    metadata: MetadataMap,
) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata;
    let path: PathAndQuery = path.parse().unwrap();
    grpc.unary(request, path, RawCodec).await.map(|_| ())
}

fn authorization(values: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for value in values {
        metadata.append("authorization", value.parse().unwrap());
    }
    metadata
}

fn methods_of_the_schema() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(kiln_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                methods.push(path);
            }
        }
    }
    methods
}

/// T1, and rows 1 to 3, for every method that the schema has.
#[tokio::test]
async fn without_a_credential_nothing_is_open_but_what_is_listed() {
    let database = TestDatabase::new().await;
    let server = TestServer::start(accounts(&database, settings())).await;
    let channel = server.tcp().await;
    let never = kiln_daemon::domain::credential::Token::from_entropy(
        kiln_daemon::domain::credential::SecretKind::ApiToken,
        [7; 32],
    );
    let never = format!("Bearer {}", never.expose());
    let open =
        ["SignInLocal", "SignUp", "SignIn"].map(|name| format!("/kiln.v1.AuthService/{name}"));
    let methods = methods_of_the_schema();
    assert!(methods.len() > 30, "{}", methods.len());
    for path in methods {
        if open.contains(&path) {
            // The handler itself answers.
            let answer = refusal(call(&channel, &path, vec![], MetadataMap::new()).await);
            assert_ne!(answer.code, Code::Unauthenticated, "{path}");
            continue;
        }
        for (values, reason) in [
            (&[][..], "AUTH_REQUIRED"),
            (&["Bearer garbage"][..], "TOKEN_INVALID"),
            (&["Basic eDp4"], "TOKEN_INVALID"),
            (&[&never, &never], "TOKEN_INVALID"),
        ] {
            let answer = call(&channel, &path, vec![], authorization(values)).await;
            assert_eq!(
                refusal(answer),
                refused(Code::Unauthenticated, reason),
                "{path} {values:?}"
            );
        }
    }
    let answer = call(&channel, METHODS[9].0, vec![], authorization(&[&never])).await;
    assert_eq!(
        refusal(answer),
        refused(Code::Unauthenticated, "SESSION_EXPIRED")
    );
}

/// Row 2: form and checksum decide, so nobody can busy the database this way.
#[tokio::test]
async fn a_malformed_credential_is_refused_without_the_database() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let channel = server.tcp().await;
    database.pool.close().await;
    let good = session.token.expose();
    let path = "/kiln.v1.AuthService/GetCurrentUser";
    for bad in [
        "garbage".to_owned(),
        good.replacen("kiln_s_", "kiln_k_", 1),
        good.replacen("kiln_s_", "kiln_i_", 1),
        format!("{}0", &good[..good.len() - 1]),
    ] {
        if bad == good {
            continue;
        }
        let values = authorization(&[&format!("Bearer {bad}")]);
        assert_eq!(
            refusal(call(&channel, path, vec![], values).await),
            refused(Code::Unauthenticated, "TOKEN_INVALID"),
            "{bad}"
        );
    }
    let values = authorization(&[&format!("Bearer {good}")]);
    assert_eq!(
        refusal(call(&channel, path, vec![], values).await),
        refused(Code::Unavailable, "DB_UNAVAILABLE")
    );
}

/// T9: no page in a browser reaches a handler.
#[tokio::test]
async fn browsers_are_refused() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let channel = server.tcp().await;
    for path in [
        "/kiln.v1.AuthService/SignIn",
        "/kiln.v1.AuthService/GetCurrentUser",
        "/x/Y",
    ] {
        let mut metadata = authorization(&[&format!("Bearer {}", session.token.expose())]);
        metadata.insert("origin", "http://evil.example".parse().unwrap());
        assert_eq!(
            refusal(call(&channel, path, vec![], metadata).await),
            refused(Code::PermissionDenied, "ORIGIN_REFUSED"),
            "{path}"
        );
    }

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /kiln.v1.AuthService/SignIn HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Closed with or without a reset; either way nothing of HTTP/1.1 comes back.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
        .await
        .expect("the connection is closed");
    assert!(!answer.starts_with(b"HTTP/1"), "{answer:?}");
}

/// Rows 14 to 17, and health for everybody.
#[tokio::test]
async fn what_the_transport_refuses_has_a_reason_too() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let server = TestServer::start(accounts).await;
    let channel = server.tcp().await;
    let path = "/kiln.v1.AuthService/SignIn";
    let none = MetadataMap::new;
    let malformed = refused(Code::InvalidArgument, "MALFORMED");
    for message in [
        // Field 1 says that it has 100 bytes; there is one.
        vec![0x0a, 100, b'a'],
        // Field 1 as a number.
        vec![0x08, 1],
        // Field 1 with text that is no UTF-8.
        vec![0x0a, 2, 0xff, 0xfe],
    ] {
        assert_eq!(
            refusal(call(&channel, path, message, none()).await),
            malformed
        );
    }
    let large = vec![0; 64 * 1024 + 1];
    assert_eq!(
        refusal(call(&channel, path, large, none()).await),
        refused(Code::OutOfRange, "MESSAGE_TOO_LARGE")
    );
    for path in ["/kiln.v1.AuthService/Nothing", "/no.Such/Service", "/"] {
        assert_eq!(access(path), None);
        assert_eq!(
            refusal(call(&channel, path, vec![], none()).await),
            refused(Code::Unimplemented, "METHOD_UNKNOWN")
        );
    }
    let mut gzip = none();
    gzip.insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(
        refusal(call(&channel, path, vec![], gzip).await),
        refused(Code::Unimplemented, "ENCODING_UNSUPPORTED")
    );

    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest {
            service: String::new(),
        })
        .await;
    answer.unwrap();
}

/// Row 19, while the database stands still: 32 calls wait, the others are
/// refused at once.
#[tokio::test]
async fn a_connection_has_places_for_thirty_two_calls() {
    let database = TestDatabase::new().await;
    let server = TestServer::start(accounts(&database, settings())).await;
    let channel = server.tcp().await;
    let lock = lock_sign_ins(&database).await;
    let mut calls: FuturesUnordered<_> = (0..40)
        .map(|_| {
            let mut auth = AuthServiceClient::new(channel.clone());
            async move { refusal(auth.sign_in(form()).await) }
        })
        .collect();
    let overloaded = refused(Code::ResourceExhausted, "OVERLOADED");
    let at_once: Vec<Refused> = calls.by_ref().take(8).collect().await;
    assert_eq!(at_once, vec![overloaded; 8]);

    // The others go on when the database does: five tries, then the throttle.
    lock.rollback().await.unwrap();
    let waited: Vec<Refused> = calls.collect().await;
    let throttled = refused(Code::ResourceExhausted, "THROTTLED");
    assert_eq!(waited.len(), 32);
    let count = waited.iter().filter(|answer| **answer == throttled).count();
    assert_eq!(count, 27, "{waited:?}");
}

/// Row 20: tonic's server keeps `grpc-timeout` too, without a reason, so ours has
/// to be first. By hyper, since tonic's client would give up by itself.
#[tokio::test]
async fn a_call_that_takes_longer_than_its_client_waits_has_a_reason() {
    let database = TestDatabase::new().await;
    let server = TestServer::start(accounts(&database, settings())).await;
    let _lock = lock_sign_ins(&database).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut http, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let message = form().encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame = [&[0][..], &length, &message].concat();
    for _ in 0..10 {
        let request = http::Request::post("http://localhost/kiln.v1.AuthService/SignIn")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "20m")
            .body(http_body_util::Full::new(bytes::Bytes::from(frame.clone())))
            .unwrap();
        let response = http.send_request(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.message(), "Timeout expired");
        assert_eq!(
            refusal::<()>(Err(status)),
            refused(Code::Cancelled, "DEADLINE")
        );
    }
}

fn form() -> SignInRequest {
    SignInRequest {
        email: "ann@example.com".into(),
        password: PASSWORD.into(),
    }
}

/// Keeps every sign-in waiting until it is dropped.
async fn lock_sign_ins(database: &TestDatabase) -> sqlx::PgTransaction<'static> {
    let mut lock = database.pool.begin().await.unwrap();
    sqlx::query("lock table throttles in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    lock
}
