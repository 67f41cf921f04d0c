//! The HTTP side of the demo model, on loopback, for one client: the model edge,
//! which alone knows the token.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::context::Request;
use super::{Kind, answer, models};

const REQUEST_LIMIT_BYTES: usize = 32 << 20;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS_LIMIT: usize = 256;
/// Characters of a delta: about a token or two.
const DELTA_CHARS: usize = 8;
/// Deltas that are written at once where nothing is paced.
const BURST: usize = 64;
/// The shortest pause: a timer is no finer than a millisecond.
const TICK: Duration = Duration::from_millis(5);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Where the demo model is, and what opens it.
#[derive(Clone, Debug)]
pub struct DemoEndpoint {
    /// On loopback.
    pub address: SocketAddr,
    /// Bearer token: other users of the machine reach the port as well.
    pub token: SecretString,
}

/// Binds a port and serves the demo model on it until the task is aborted, which
/// ends its connections too. `speed` is in characters a second; 0 is at once.
///
/// # Errors
///
/// Where no port can be bound on loopback.
pub async fn start(speed: u32) -> io::Result<(DemoEndpoint, JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = DemoEndpoint {
        address: listener.local_addr()?,
        token: SecretString::from(format!("{:032x}", rand::random::<u128>())),
    };
    let token = endpoint.token.clone();
    let task = tokio::spawn(async move { serve(listener, token, speed).await });
    Ok((endpoint, task))
}

async fn serve(listener: TcpListener, token: SecretString, speed: u32) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_LIMIT => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, token.clone(), speed));
                }
                // Out of descriptors, or the peer was gone already.
                Err(error) => {
                    tracing::debug!(%error, "demo model cannot accept");
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, token: SecretString, speed: u32) {
    let service = service_fn(|request| {
        let token = token.clone();
        async move { Ok::<_, Infallible>(respond(request, &token, speed).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection to the demo model broke off");
    }
}

async fn respond(
    request: http::Request<Incoming>,
    token: &SecretString,
    speed: u32,
) -> Response<Body> {
    let given = request.headers().get(AUTHORIZATION);
    let expected = format!("Bearer {}", token.expose_secret());
    if !given.is_some_and(|given| same(given.as_bytes(), expected.as_bytes())) {
        return error(StatusCode::UNAUTHORIZED);
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/models") => model_list(),
        (&Method::POST, "/chat/completions") => {
            let body = Limited::new(request.into_body(), REQUEST_LIMIT_BYTES);
            let Ok(body) = body.collect().await else {
                return error(StatusCode::PAYLOAD_TOO_LARGE);
            };
            let Ok(request) = serde_json::from_slice::<Request>(&body.to_bytes()) else {
                return error(StatusCode::BAD_REQUEST);
            };
            match Kind::parse(&request.model) {
                Some(kind) => completion(kind, &request, speed),
                None => error(StatusCode::NOT_FOUND),
            }
        }
        _ => error(StatusCode::NOT_FOUND),
    }
}

/// Compares without telling by its time where two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}

fn model_list() -> Response<Body> {
    let data: Vec<_> = models()
        .into_iter()
        .map(|model| {
            json!({
                "id": model.id,
                "name": model.name,
                "context_length": model.context_tokens,
                "top_provider": { "max_completion_tokens": model.max_output_tokens },
                "pricing": { "prompt": "0", "completion": "0" },
            })
        })
        .collect();
    json_response(StatusCode::OK, &json!({ "data": data }))
}

fn error(status: StatusCode) -> Response<Body> {
    let message = status.canonical_reason().unwrap_or("error");
    let error = json!({ "error": { "code": status.as_u16(), "message": message } });
    json_response(status, &error)
}

fn json_response(status: StatusCode, json: &serde_json::Value) -> Response<Body> {
    let body = Full::new(Bytes::from(json.to_string()));
    response(status, "application/json", body.boxed_unsync())
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn completion(kind: Kind, request: &Request, speed: u32) -> Response<Body> {
    let answer = answer::to(kind, request);
    let usage = json!({
        "prompt_tokens": request.bytes().div_ceil(4),
        "completion_tokens": answer.len().div_ceil(4),
        "total_tokens": request.bytes().div_ceil(4) + answer.len().div_ceil(4),
        "cost": 0,
    });
    let events = paced(deltas(&answer), speed).map({
        move |texts| {
            let events = texts.iter().map(|text| {
                let delta = json!({ "content": text });
                event(
                    kind,
                    &json!([{ "index": 0, "delta": delta, "finish_reason": null }]),
                    None,
                )
            });
            events.collect::<String>()
        }
    });
    let role = json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }]);
    let stop = json!([{ "index": 0, "delta": { "content": "" }, "finish_reason": "stop" }]);
    let first = format!(": OPENROUTER PROCESSING\n\n{}", event(kind, &role, None));
    let last = format!(
        "{}{}data: [DONE]\n\n",
        event(kind, &stop, None),
        event(kind, &json!([]), Some(&usage))
    );
    let frames = stream::iter([first])
        .chain(events)
        .chain(stream::iter([last]))
        .map(|text| Ok(Frame::data(Bytes::from(text))));
    response(
        StatusCode::OK,
        "text/event-stream",
        BodyExt::boxed_unsync(StreamBody::new(frames)),
    )
}

fn event(kind: Kind, choices: &serde_json::Value, usage: Option<&serde_json::Value>) -> String {
    let mut chunk = json!({
        "id": "gen-demo",
        "provider": "Demo",
        "model": kind.id(),
        "object": "chat.completion.chunk",
        "choices": choices,
    });
    if let Some(usage) = usage {
        chunk["usage"] = usage.clone();
    }
    format!("data: {chunk}\n\n")
}

fn deltas(answer: &str) -> Vec<String> {
    let chars: Vec<char> = answer.chars().collect();
    chars.chunks(DELTA_CHARS).map(String::from_iter).collect()
}

/// The deltas that are due, again and again, so that `speed` characters come in a
/// second whatever the timer does.
fn paced(deltas: Vec<String>, speed: u32) -> impl Stream<Item = Vec<String>> + Send {
    let start = Instant::now();
    stream::unfold((deltas, 0), move |(mut deltas, written)| async move {
        if deltas.is_empty() {
            return None;
        }
        let due = if speed == 0 {
            BURST
        } else {
            let pause = Duration::from_secs_f64(DELTA_CHARS as f64 / f64::from(speed));
            tokio::time::sleep(pause.max(TICK)).await;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a float becomes an integer by saturating, and time is not negative"
            )]
            let owed = (start.elapsed().as_secs_f64() / pause.as_secs_f64()) as usize;
            owed.saturating_sub(written).max(1)
        };
        let rest = deltas.split_off(due.min(deltas.len()));
        let written = written + deltas.len();
        Some((deltas, (rest, written)))
    })
}
