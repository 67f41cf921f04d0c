//! Connections to the sandbox's own loopback. Bytes pass in both directions
//! until each side has ended its half; nothing is kept beyond one piece a
//! direction, and no address but loopback can be named.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::Error;

/// Most bytes of a piece.
pub const MAX_PIECE_BYTES: usize = 32 << 10;
/// How long connecting may take: it is loopback.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long bytes still go to the port after it ended its half.
const LINGER: Duration = Duration::from_mins(1);

/// An open connection; `forward` sets it going.
#[derive(Debug)]
pub struct Connection {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
}

/// Connects to a port of the loopback.
///
/// # Errors
/// [`Error::PortUnreachable`].
pub async fn connect(port: u16) -> Result<Connection, Error> {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    // Tries one after the other.
    let connecting = TcpStream::connect(&addresses[..]);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok(stream)) => {
            // Only a matter of speed.
            let _ = stream.set_nodelay(true);
            let (read, write) = stream.into_split();
            Ok(Connection { read, write })
        }
        Ok(Err(_)) | Err(_) => Err(Error::PortUnreachable(port)),
    }
}

impl Connection {
    /// Sends what the stream brings and gives what the port answers. Dropping
    /// the answer before its end closes the connection, and so does `stop`.
    pub fn forward(
        self,
        bytes: impl Stream<Item = Option<Bytes>> + Send + Unpin + 'static,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> impl Stream<Item = Bytes> + Send + 'static {
        let gone = stop.child_token();
        let port_ended = CancellationToken::new();
        tasks.spawn(uplink(bytes, self.write, gone.clone(), port_ended.clone()));
        let downlink = Downlink {
            read: self.read,
            port_ended,
            gone: gone.drop_guard(),
        };
        futures::stream::unfold(downlink, Downlink::next)
    }
}

async fn uplink(
    bytes: impl Stream<Item = Option<Bytes>> + Send + Unpin,
    write: OwnedWriteHalf,
    gone: CancellationToken,
    port_ended: CancellationToken,
) {
    let lingered = async {
        port_ended.cancelled().await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        () = send(bytes, write) => {}
        () = gone.cancelled() => {}
        () = lingered => {}
    }
}

/// `None` stands for a caller that is gone: that is no end of its half.
async fn send(mut bytes: impl Stream<Item = Option<Bytes>> + Unpin, mut write: OwnedWriteHalf) {
    while let Some(piece) = bytes.next().await {
        let Some(piece) = piece else {
            return;
        };
        if write.write_all(&piece).await.is_err() {
            // The port takes no more; what it says is still read.
            return;
        }
    }
    // It may have closed already.
    let _ = write.shutdown().await;
}

/// The answers of a port.
struct Downlink {
    read: OwnedReadHalf,
    /// Said when the port has ended its half.
    port_ended: CancellationToken,
    /// Says, when dropped, that nobody reads the answers.
    gone: DropGuard,
}

impl Downlink {
    async fn next(self) -> Option<(Bytes, Self)> {
        match self.piece().await {
            Ok(piece) if !piece.is_empty() => Some((piece, self)),
            // An error ends the connection as an end does; there is nothing to
            // be said about it that the other end of it would not see as well.
            Ok(_) | Err(_) => {
                self.gone.disarm();
                self.port_ended.cancel();
                None
            }
        }
    }

    async fn piece(&self) -> io::Result<Bytes> {
        loop {
            // Idle connections hold no buffer.
            self.read.readable().await?;
            let mut buffer = BytesMut::with_capacity(MAX_PIECE_BYTES);
            match self.read.try_read_buf(&mut buffer) {
                Ok(_) => return Ok(buffer.freeze()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
