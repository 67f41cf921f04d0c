//! Accepting connections and speaking HTTP/1.1 on them.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::gateway::{Project, Shared};
use super::proxy::{self, AnswerBody};
use super::target::{Target, Targets};
use super::{access, page, status};

/// Written to a connection too many, which is not read from.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 28\r\n\
    Retry-After: 1\r\n\
    Connection: close\r\n\r\n\
    too many connections at once";

/// How long to wait when the system has no more descriptors to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What a connection takes up, for as long as something goes through it.
pub(super) struct Permits {
    _of_project: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Accepts connections until the project's listener is closed.
pub(super) async fn accept<T: Targets>(
    shared: Arc<Shared<T>>,
    project: Arc<Project>,
    listener: TcpListener,
) {
    loop {
        let accepted = tokio::select! {
            () = project.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(project_id = %project.id, %error, "could not accept a connection");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        let Some(permits) = permits(&shared, &project) else {
            // Whatever fits into the socket's own buffer, without waiting.
            let _ = stream.try_write(TOO_MANY);
            continue;
        };
        let connection = serve(Arc::clone(&shared), Arc::clone(&project), stream, permits);
        shared.tasks.spawn(connection);
    }
}

fn permits<T>(shared: &Shared<T>, project: &Project) -> Option<Arc<Permits>> {
    let of_project = Arc::clone(&project.connections).try_acquire_owned().ok()?;
    let of_all = Arc::clone(&shared.connections).try_acquire_owned().ok()?;
    Some(Arc::new(Permits {
        _of_project: of_project,
        _of_all: of_all,
    }))
}

async fn serve<T: Targets>(
    shared: Arc<Shared<T>>,
    project: Arc<Project>,
    stream: TcpStream,
    permits: Arc<Permits>,
) {
    // Small frames of hot reload should not wait for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (shared, project) = (Arc::clone(&shared), Arc::clone(&project));
        let permits = Arc::clone(&permits);
        async move { Ok::<_, Infallible>(answer(shared, project, permits, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.limits.header_time)
            .max_header_size(shared.limits.header_bytes)
            .max_buf_size(shared.limits.header_bytes.max(8 * 1024))
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.kill.cancelled() => return,
        () = project.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = shared.kill.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        // Browsers close connections as they like.
        tracing::trace!(project_id = %project.id, %error, "a preview connection ended");
    }
}

async fn answer<T: Targets>(
    shared: Arc<Shared<T>>,
    project: Arc<Project>,
    permits: Arc<Permits>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let port = project.address.port();
    if let Err(refusal) = access::check(request.method(), request.uri(), request.headers(), port) {
        return page::text(refusal.status(), refusal.text());
    }
    if status::is_own(request.uri().path()) {
        return status::answer(&shared, &project, request.uri().path()).await;
    }
    match shared.targets.target(project.id).await {
        Target::Ready { port, .. } => {
            proxy::pass_on(&shared, &project, permits, port, request).await
        }
        Target::Waiting(waiting) => page::waiting(&page::Asked::of(&request), &waiting),
    }
}
