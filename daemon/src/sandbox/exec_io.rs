//! The standard streams of an exec as one connection. Standard output carries
//! the bytes; standard error is kept, bounded, to say why a connection ended.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bollard::errors::Error as EngineError;
use bytes::{Buf, Bytes};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::DropGuard;

use super::error::bounded;

/// What standard error said last.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords(Arc<Mutex<String>>);

impl LastWords {
    fn hear(&self, message: &[u8]) {
        let text = bounded(&String::from_utf8_lossy(message));
        if !text.is_empty() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }

    /// The text; empty if there was none.
    pub(super) fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Output of an exec, as bollard gives it.
pub(super) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>;
/// Input of an exec.
pub(super) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// The connection. The guard tells, when this is dropped, that it has ended.
pub(super) struct ExecIo {
    output: Output,
    input: Input,
    unread: Bytes,
    last_words: LastWords,
    _ended: DropGuard,
}

impl ExecIo {
    pub(super) fn new(
        output: Output,
        input: Input,
        last_words: LastWords,
        ended: DropGuard,
    ) -> Self {
        Self {
            output,
            input,
            unread: Bytes::new(),
            last_words,
            _ended: ended,
        }
    }
}

impl AsyncRead for ExecIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.unread.is_empty() {
            match ready!(this.output.as_mut().poll_next(cx)) {
                Some(Ok(LogOutput::StdOut { message })) => this.unread = message,
                Some(Ok(LogOutput::StdErr { message })) => this.last_words.hear(&message),
                // The engine itself speaks, outside of the frames: the exec failed.
                Some(Ok(LogOutput::Console { message })) => {
                    this.last_words.hear(&message);
                    return Poll::Ready(Ok(()));
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ExecIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::io::AsyncReadExt;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn only_standard_output_is_the_connection() {
        let message = |text: &'static str| Bytes::from_static(text.as_bytes());
        let output = stream::iter([
            Ok(LogOutput::StdOut {
                message: message("one "),
            }),
            Ok(LogOutput::StdErr {
                message: message("warning: \u{1b}[31mred\n"),
            }),
            Ok(LogOutput::StdOut {
                message: message(""),
            }),
            Ok(LogOutput::StdOut {
                message: message("two"),
            }),
        ]);
        let words = LastWords::default();
        let ended = CancellationToken::new();
        let mut io = ExecIo::new(
            Box::pin(output),
            Box::pin(tokio::io::sink()),
            words.clone(),
            ended.clone().drop_guard(),
        );
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one two");
        assert_eq!(words.get(), "warning:  [31mred");
        assert!(!ended.is_cancelled());
        drop(io);
        assert!(ended.is_cancelled());
    }
}
