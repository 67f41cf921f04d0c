//! Who is at the other end: one stream type for TCP and the unix socket, and
//! what the kernel says about its peer. Nothing that a client sends counts here:
//! forwarding headers are never read.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tonic::transport::server::Connected;

use crate::domain::account::Peer;
use crate::domain::error::Error;

/// Calls of one connection that may be between request and response head.
pub const CALLS_PER_CONNECTION: usize = 32;

/// An accepted connection, whichever way it came.
pub struct Connection {
    stream: Stream,
    peer: Peer,
    /// Dropped with the connection: the caller's place among all connections.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// A TCP connection, with the address that `accept` gave.
    #[must_use]
    pub fn tcp(stream: TcpStream, address: SocketAddr) -> Self {
        Self {
            stream: Stream::Tcp(stream),
            peer: Peer::Tcp(address),
            _guard: None,
        }
    }

    /// A connection over the unix socket. Its peer is whoever connected, as the
    /// kernel recorded it then.
    ///
    /// # Errors
    /// The kernel does not say who connected.
    pub fn unix(stream: UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self {
            peer: Peer::Unix {
                uid: credentials.uid(),
                gid: credentials.gid(),
                pid: credentials.pid(),
            },
            stream: Stream::Unix(stream),
            _guard: None,
        })
    }

    /// Keeps `guard` as long as the connection lasts.
    #[must_use]
    pub fn holding(mut self, guard: impl Any + Send + Sync) -> Self {
        self._guard = Some(Box::new(guard));
        self
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }
}

/// What every request knows of its connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Who is at the other end.
    pub peer: Peer,
    /// Places for calls under way. Taken by `rpc::layers`, given back with the
    /// response head.
    pub(super) calls: Arc<Semaphore>,
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        ConnectionInfo {
            peer: self.peer,
            calls: Arc::new(Semaphore::new(CALLS_PER_CONNECTION)),
        }
    }
}

/// Who sent a request.
///
/// # Errors
/// The request came by something other than a [`Connection`], which is ours to fix.
pub fn peer<T>(request: &tonic::Request<T>) -> Result<Peer, Error> {
    request
        .extensions()
        .get::<ConnectionInfo>()
        .map(|connection| connection.peer)
        .ok_or_else(|| Error::internal("a request without connection info"))
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Unix(stream) => stream.is_write_vectored(),
        }
    }
}
