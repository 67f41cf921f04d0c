//! A TCP connection to a port inside a sandbox, over the supervisor.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::Stream;
use kiln_proto::supervisor::v1::{OpenTcpRequest, OpenTcpResponse};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::PollSender;
use tonic::Streaming;

/// Most bytes in one message.
const MESSAGE_BYTES: usize = 32 << 10;

/// A TCP connection to a port inside a sandbox. Dropping it closes the
/// connection; shutting down its writing half leaves the other open.
pub struct TcpTunnel {
    incoming: Streaming<OpenTcpResponse>,
    unread: Bytes,
    outgoing: PollSender<OpenTcpRequest>,
}

impl std::fmt::Debug for TcpTunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpTunnel").finish_non_exhaustive()
    }
}

impl TcpTunnel {
    pub(super) fn new(
        incoming: Streaming<OpenTcpResponse>,
        unread: Bytes,
        outgoing: PollSender<OpenTcpRequest>,
    ) -> Self {
        Self {
            incoming,
            unread,
            outgoing,
        }
    }
}

impl AsyncRead for TcpTunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.unread.is_empty() {
            match ready!(Pin::new(&mut this.incoming).poll_next(cx)) {
                Some(Ok(message)) => this.unread = message.data,
                Some(Err(status)) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        status.code().description(),
                    )));
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpTunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.outgoing.poll_reserve(cx)).map_err(|_| broken())?;
        let length = buffer.len().min(MESSAGE_BYTES);
        self.outgoing
            .send_item(OpenTcpRequest {
                port: 0,
                data: Bytes::copy_from_slice(&buffer[..length]),
            })
            .map_err(|_| broken())?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was taken goes out by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}
