//! Passing one request on to the app, and its answer back.
//!
//! Bodies stream through with the backpressure of both sides; nothing is held
//! but what fits into the connections' own buffers.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;

use super::gateway::{Project, Shared};
use super::listener::Permits;
use super::target::{Target, Targets};
use super::{headers, page, tunnel};

/// What goes to the app.
pub(super) type UpstreamBody = Either<Incoming, Empty<Bytes>>;

/// What goes to the browser.
pub(super) type AnswerBody = Either<Full<Bytes>, Incoming>;

/// Why the app did not answer.
#[derive(Debug, Error)]
enum UpstreamError {
    #[error("it takes no connections: {0}")]
    Connect(#[source] std::io::Error),
    #[error("it takes no connections in time")]
    ConnectTime,
    #[error("it broke off: {0}")]
    Broken(#[source] hyper::Error),
    #[error("it switched to another protocol without being asked")]
    Unasked,
}

/// Passes a request on to the app on `port`.
pub(super) async fn pass_on<T: Targets>(
    shared: &Arc<Shared<T>>,
    project: &Arc<Project>,
    permits: Arc<Permits>,
    port: u16,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    let asked = page::Asked::of(&request);
    let wants_socket = headers::is_websocket(request.headers());
    let browser = hyper::upgrade::on(&mut request);
    let request = outgoing(request, wants_socket);
    let sent = if wants_socket {
        send_new(shared, project, port, request).await
    } else {
        send(shared, project, port, request).await
    };
    let (mut response, mut sender) = match sent {
        Ok(sent) => sent,
        Err(error) => return failed(shared, project, &asked, &error).await,
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        if !wants_socket {
            return failed(shared, project, &asked, &UpstreamError::Unasked).await;
        }
        let app = hyper::upgrade::on(&mut response);
        let tunnel = tunnel::run(
            Arc::clone(shared),
            Arc::clone(project),
            port,
            browser,
            app,
            permits,
        );
        shared.tasks.spawn(tunnel);
        return incoming(response, Protocol::WebSocket);
    }
    // The connection is free when the browser has taken the whole answer.
    let project = Arc::clone(project);
    shared.tasks.spawn(async move {
        if sender.ready().await.is_ok() {
            project.pool.put(port, sender);
        }
    });
    incoming(response, Protocol::Http)
}

/// The request as the app gets it.
fn outgoing(request: Request<Incoming>, wants_socket: bool) -> Request<UpstreamBody> {
    let (mut parts, body) = request.into_parts();
    headers::strip(&mut parts.headers);
    if wants_socket {
        headers::mark_websocket(&mut parts.headers);
    }
    // Apps expect a path, whatever form the browser's request had.
    parts.uri = parts
        .uri
        .path_and_query()
        .map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()));
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let body = if body.is_end_stream() {
        Either::Right(Empty::new())
    } else {
        Either::Left(body)
    };
    Request::from_parts(parts, body)
}

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    WebSocket,
}

/// The answer as the browser gets it.
fn incoming(response: Response<Incoming>, protocol: Protocol) -> Response<AnswerBody> {
    let (mut parts, body) = response.into_parts();
    headers::strip(&mut parts.headers);
    match protocol {
        Protocol::Http => {}
        Protocol::WebSocket => headers::mark_websocket(&mut parts.headers),
    }
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, Either::Right(body))
}

type Sent = (Response<Incoming>, SendRequest<UpstreamBody>);

/// Sends over a waiting connection where there is one. The app may close such a
/// connection at the moment when it is used: what was not sent, or may be sent
/// twice, is sent once more.
async fn send<T: Targets>(
    shared: &Arc<Shared<T>>,
    project: &Project,
    port: u16,
    mut request: Request<UpstreamBody>,
) -> Result<Sent, UpstreamError> {
    while let Some(mut sender) = project.pool.take(port) {
        let again = repeatable(&request);
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, sender)),
            Err(mut error) => {
                if let Some(unsent) = error.take_message() {
                    request = unsent;
                } else if let Some(again) = again {
                    return send_new(shared, project, port, again).await;
                } else {
                    return Err(UpstreamError::Broken(error.into_error()));
                }
            }
        }
    }
    send_new(shared, project, port, request).await
}

/// A copy of a request that does no harm when it arrives twice.
fn repeatable(request: &Request<UpstreamBody>) -> Option<Request<UpstreamBody>> {
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !is_safe || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Either::Right(Empty::new()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

async fn send_new<T: Targets>(
    shared: &Arc<Shared<T>>,
    project: &Project,
    port: u16,
    request: Request<UpstreamBody>,
) -> Result<Sent, UpstreamError> {
    let opening = shared.targets.open(project.id, port);
    let io = tokio::time::timeout(shared.limits.connect_time, opening)
        .await
        .map_err(|_| UpstreamError::ConnectTime)?
        .map_err(UpstreamError::Connect)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_header_size(shared.limits.header_bytes)
        .max_buf_size(shared.limits.header_bytes.max(8 * 1024))
        .handshake(TokioIo::new(io))
        .await
        .map_err(UpstreamError::Broken)?;
    let kill = shared.kill.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            // Whoever waits for the answer is told what went wrong.
            _ = connection.with_upgrades() => {}
            () = kill.cancelled() => {}
        }
    });
    let response = sender
        .send_request(request)
        .await
        .map_err(UpstreamError::Broken)?;
    Ok((response, sender))
}

/// The app is gone, perhaps on purpose: what is shown instead may know why.
async fn failed<T: Targets>(
    shared: &Shared<T>,
    project: &Project,
    asked: &page::Asked,
    error: &UpstreamError,
) -> Response<AnswerBody> {
    tracing::debug!(project_id = %project.id, %error, "the app did not answer");
    match shared.targets.target(project.id).await {
        Target::Waiting(waiting) => page::waiting(asked, &waiting),
        Target::Ready { .. } => page::bad_gateway(asked, &error.to_string()),
    }
}
