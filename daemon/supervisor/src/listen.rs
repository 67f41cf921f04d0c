//! The socket: accepts connections, so many at once and no more, serves HTTP/2
//! on each, and goes on whatever happens to one of them.
//!
//! Not tonic's own server: that one ends when accepting fails once, and lets
//! every stream put 400 KB into memory ahead of a caller that does not read.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use kiln_proto::supervisor::v1::supervisor_service_server::SupervisorServiceServer;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::server::Server;

/// Most connections at once; the daemon needs one, and another while it comes back.
const MAX_CONNECTIONS: usize = 16;
/// After the system had no room for another one.
const PAUSE: Duration = Duration::from_millis(100);
/// Streams at once on a connection, and what each may hold unread, in bytes.
/// The connection's window holds all of them: streams whose ports read nothing
/// then never keep the others waiting.
const MAX_STREAMS: u32 = 256;
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = MAX_STREAMS * STREAM_WINDOW;
/// What each stream may hold unsent, in bytes, whatever window the caller grants.
const SEND_BUFFER: usize = 64 << 10;
/// Frames as large as the pieces of uploads and connections.
const MAX_FRAME: u32 = 64 << 10;
/// Largest message from the daemon, in bytes: the paths that an upload deletes.
const MAX_MESSAGE: usize = 2 << 20;
/// Between pings, and until a missing answer ends the connection.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// Listens on a socket that only its owner may connect to.
///
/// # Errors
/// Whatever the system says.
pub fn listen(path: &Path) -> Result<UnixListener, Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::system("remove an old socket")(error));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(Error::system("listen on the socket"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(Error::system("protect the socket"))?;
    Ok(listener)
}

/// Serves for ever; dropping it ends all connections.
pub async fn serve(listener: UnixListener, server: Server) -> Infallible {
    let service = SupervisorServiceServer::new(server).max_decoding_message_size(MAX_MESSAGE);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
            // Its end is its caller's affair; so is an error of it.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve_one(stream, service.clone()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serve_one(
    stream: UnixStream,
    service: SupervisorServiceServer<Server>,
) -> Result<(), hyper::Error> {
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_frame_size(MAX_FRAME)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await
}
