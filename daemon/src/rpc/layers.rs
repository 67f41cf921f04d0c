//! What goes round every call, outermost: its span and correlation id, its
//! deadline, its place among the calls of its connection, the turning of a panic
//! into INTERNAL, and a reason for what tonic refuses by itself. It lies outside
//! of [`super::auth`] and decides nothing about who may call.
//!
//! tonic's own `timeout`, `load_shed` and `concurrency_limit_per_connection` lie
//! outside of every layer, where their answers can be given no reason: leave
//! them unset. Its handling of `grpc-timeout` cannot be switched off, but fires
//! no earlier than the deadline here, which is looked at first.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;

use super::correlation::{self, Correlation};
use super::methods;
use super::peer::ConnectionInfo;
use super::status::Refusal;
use crate::domain::error::Error;

/// How long a call may take until its response head, which for a unary call is
/// the whole of it.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Puts [`CallService`] in front of everything else.
#[derive(Clone, Copy, Debug)]
pub struct CallLayer {
    deadline: Duration,
}

impl Default for CallLayer {
    fn default() -> Self {
        Self::new(CALL_DEADLINE)
    }
}

impl CallLayer {
    /// A layer that gives calls this long; a shorter `grpc-timeout` counts too.
    #[must_use]
    pub const fn new(deadline: Duration) -> Self {
        Self { deadline }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallService {
            deadline: self.deadline,
            inner,
        }
    }
}

/// Goes round every call.
#[derive(Clone, Debug)]
pub struct CallService<S> {
    deadline: Duration,
    inner: S,
}

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let started = Instant::now();
        let asked = grpc_timeout(request.headers()).unwrap_or(self.deadline);
        let deadline = started + asked.min(self.deadline);
        let correlation = Correlation::of(request.headers());
        let path = request.uri().path();
        // A path that is not ours can be anything, and long.
        let method = match methods::access(path) {
            Some(_) => path,
            None => "unknown",
        };
        let span = tracing::info_span!("rpc", method, correlation_id = %correlation.id);
        // The clone that was polled ready is the one to call.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let scoped = correlation.scope(bounded(inner, request, deadline));
        let call = async move {
            let mut response = scoped.await?;
            echo(&correlation, response.headers_mut());
            tracing::debug!(
                code = ?code(response.headers()),
                duration_ms = started.elapsed().as_secs_f64() * 1e3,
                "answered"
            );
            Ok(response)
        };
        Box::pin(call.instrument(span))
    }
}

/// One call, with its place and its deadline; every refusal has a reason.
async fn bounded<S>(
    mut inner: S,
    request: Request<Body>,
    deadline: Instant,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let connection = request.extensions().get::<ConnectionInfo>();
    let _place = match connection.map(|connection| connection.calls.clone().try_acquire_owned()) {
        Some(Ok(place)) => Some(place),
        Some(Err(_full)) => return Ok(Status::from(Error::Overloaded).into_http()),
        None => None,
    };
    let call = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
    match timeout_at(deadline, call).await {
        Ok(Ok(answer)) => answer.map(give_reason),
        Ok(Err(panic)) => {
            let cause = format!("a handler panicked: {}", panic_text(&*panic));
            Ok(Status::from(Error::internal(cause)).into_http())
        }
        Err(_elapsed) => Ok(Status::from(Refusal::Deadline).into_http()),
    }
}

/// Gives a reason to an answer that consists of a status without details: one
/// that tonic made, since all of ours have some.
fn give_reason(response: Response<Body>) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else {
        return response;
    };
    if !status.details().is_empty() {
        return response;
    }
    let text = status.message();
    let refusal = match status.code() {
        Code::Ok => return response,
        Code::Internal if is_unreadable(text) => Refusal::Malformed(text.to_owned()),
        Code::OutOfRange if text.contains("message length too large") => {
            Refusal::MessageTooLarge(text.to_owned())
        }
        Code::Unimplemented if text.contains("compressed") => {
            Refusal::EncodingUnsupported(text.to_owned())
        }
        Code::Unimplemented => Refusal::MethodUnknown,
        Code::Internal | Code::Unknown => {
            let cause = format!("a status without details: {status:?}");
            return Status::from(Error::internal(cause)).into_http();
        }
        // What health and reflection answer for themselves.
        Code::Cancelled
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => return response,
    };
    let mut refused: Response<Body> = Status::from(refusal).into_http();
    // Which encodings are accepted is told in a header beside the status.
    if let Some(accepted) = response.headers().get("grpc-accept-encoding") {
        refused
            .headers_mut()
            .insert("grpc-accept-encoding", accepted.clone());
    }
    refused
}

/// What tonic and prost say, as INTERNAL, of a message that they cannot read.
fn is_unreadable(text: &str) -> bool {
    [
        "failed to decode Protobuf message",
        "protocol error: received message with",
        "Error decompressing",
        "Unexpected EOF decoding stream",
        "Missing request message",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

/// Sends the correlation id back. Not with NOT_FOUND, where two answers must not
/// differ in a byte, unless it is the client's own.
fn echo(correlation: &Correlation, headers: &mut HeaderMap) {
    if code(headers) == Code::NotFound && !correlation.chosen_by_client {
        return;
    }
    if let Ok(id) = HeaderValue::from_str(&correlation.id) {
        headers.insert(correlation::HEADER, id);
    }
}

fn code(headers: &HeaderMap) -> Code {
    Status::from_header_map(headers).map_or(Code::Ok, |status| status.code())
}

/// The `grpc-timeout` of a call: at most eight digits and a unit. What cannot be
/// read is ignored, as tonic does.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 60 * 60),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tonic_types::StatusExt;
    use tower::ServiceExt;

    use super::*;

    /// The status that comes out where a service answers, hangs or panics.
    async fn status_of<F, Fut>(service: F, request: Request<Body>) -> (Status, HeaderMap)
    where
        F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Response<Body>, Infallible>> + Send,
    {
        let service = CallLayer::new(Duration::from_secs(30)).layer(tower::service_fn(service));
        let response = service.oneshot(request).await.expect("infallible");
        let headers = response.headers().clone();
        let status = Status::from_header_map(&headers).expect("a status");
        (status, headers)
    }

    fn reason(status: &Status) -> Option<String> {
        status.get_details_error_info().map(|info| info.reason)
    }

    fn request(headers: &[(&'static str, &str)]) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(*name, value);
        }
        request
    }

    #[tokio::test]
    async fn what_tonic_refuses_gets_a_reason() {
        for (code, text, expected, with) in [
            (
                Code::Internal,
                "failed to decode Protobuf message: invalid wire type",
                Code::InvalidArgument,
                Some("MALFORMED"),
            ),
            (
                Code::Internal,
                "Missing request message.",
                Code::InvalidArgument,
                Some("MALFORMED"),
            ),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 9 bytes",
                Code::OutOfRange,
                Some("MESSAGE_TOO_LARGE"),
            ),
            (
                Code::Unimplemented,
                "Content is compressed with `gzip` which isn't supported",
                Code::Unimplemented,
                Some("ENCODING_UNSUPPORTED"),
            ),
            (
                Code::Unimplemented,
                "",
                Code::Unimplemented,
                Some("METHOD_UNKNOWN"),
            ),
            (
                Code::Internal,
                "who knows",
                Code::Internal,
                Some("INTERNAL"),
            ),
            (
                Code::NotFound,
                "service not registered",
                Code::NotFound,
                None,
            ),
        ] {
            let answer =
                move |_| async move { Ok::<_, Infallible>(Status::new(code, text).into_http()) };
            let (status, _) = status_of(answer, request(&[])).await;
            assert_eq!(status.code(), expected, "{text}");
            assert_eq!(reason(&status).as_deref(), with, "{text}");
        }
    }

    #[tokio::test]
    async fn our_own_status_passes_unchanged() {
        let answer =
            |_| async { Ok::<_, Infallible>(Status::from(Error::BadCredentials).into_http()) };
        let (status, _) = status_of(answer, request(&[])).await;
        assert_eq!(reason(&status).as_deref(), Some("BAD_CREDENTIALS"));
    }

    #[tokio::test]
    async fn a_panic_becomes_internal_and_says_nothing() {
        let answer = |_| async { panic!("secret {}", 7) };
        let (status, _) = status_of(answer, request(&[("x-correlation-id", "c1")])).await;
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"));
        assert!(status.message().contains("c1"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_shorter_deadline_counts() {
        let hang = |_| std::future::pending::<Result<Response<Body>, Infallible>>();
        for (asked, seconds) in [
            (None, 30),
            (Some("5S"), 5),
            (Some("1H"), 30),
            (Some("x"), 30),
        ] {
            let started = Instant::now();
            let headers: Vec<_> = asked
                .map(|asked| ("grpc-timeout", asked))
                .into_iter()
                .collect();
            let (status, _) = status_of(hang, request(&headers)).await;
            assert_eq!(
                (status.code(), status.message()),
                (Code::Cancelled, "Timeout expired")
            );
            assert_eq!(reason(&status).as_deref(), Some("DEADLINE"));
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test]
    async fn the_correlation_id_comes_back_but_never_makes_two_not_founds_differ() {
        let denied =
            |_| async { Ok::<_, Infallible>(Status::from(Error::AuthRequired).into_http()) };
        let missing = |_| async { Ok::<_, Infallible>(Status::from(Error::NotFound).into_http()) };
        let mine = || request(&[("x-correlation-id", "mine")]);
        let (_, headers) = status_of(denied, mine()).await;
        assert_eq!(headers["x-correlation-id"], "mine");
        let (_, headers) = status_of(denied, request(&[])).await;
        assert_eq!(headers["x-correlation-id"].len(), 32);
        let (_, one) = status_of(missing, request(&[])).await;
        let (_, other) = status_of(missing, request(&[])).await;
        assert_eq!(one, other);
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().expect("a header value"));
            grpc_timeout(&headers)
        };
        assert_eq!(read("2M"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        for bad in ["", "S", "1", "100000000S", "+1S", "-1S", "1s", "1 S"] {
            assert_eq!(read(bad).filter(|_| bad != "S"), None, "{bad}");
        }
    }
}
