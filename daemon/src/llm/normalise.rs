//! The bytes of a response body to server-sent events.
//!
//! `eventsource-stream` panics on a byte order mark, errs on invalid UTF-8, has
//! no size limit, keeps back an event that CR CR ended, and works quadratically
//! when it is given small pieces or many lines at once. So a [`Normaliser`]
//! stands in front: it strips one byte order mark, folds line ends to LF,
//! replaces invalid UTF-8, limits lines and events, and passes on one whole line
//! at a time. Comments and the fields `id` and `retry` end here: nobody needs
//! them, and `eventsource-stream` would copy the last id into every event.
//!
//! It never waits for more than the end of a line, and looks at each byte a
//! fixed number of times.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use eventsource_stream::{EventStream, EventStreamError};
use futures::{Stream, StreamExt};

/// Bytes of a line, and of the fields of one event together, at most.
pub const LIMIT_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why a body is not a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line or an event is over [`LIMIT_BYTES`].
    #[error("a line or an event of the stream is over {LIMIT_BYTES} bytes")]
    TooLong,
    /// The parser behind the normaliser refused a line.
    #[error("a line of the stream is malformed")]
    Malformed,
}

/// Cuts bytes into whole lines. Feed it, then take lines until there is none.
#[derive(Debug, Default)]
pub struct Normaliser {
    /// What came and was not looked at.
    input: Bytes,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// The line before ended in CR: a LF now belongs to it.
    after_cr: bool,
    /// A line was completed: a byte order mark now is content.
    started: bool,
    /// Bytes of the fields since the last blank line.
    event_bytes: usize,
    visited: u64,
}

impl Normaliser {
    /// Takes the next bytes of the body.
    pub fn feed(&mut self, bytes: Bytes) {
        debug_assert!(self.input.is_empty(), "lines are taken before more is fed");
        self.input = bytes;
    }

    /// The next whole line that matters, ended by one LF and valid UTF-8; `None`
    /// when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`SseError::TooLong`]; the normaliser is of no use afterwards.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, SseError> {
        loop {
            if self.input.is_empty() {
                return Ok(None);
            }
            if std::mem::take(&mut self.after_cr) && self.input.first() == Some(&b'\n') {
                self.input.advance(1);
                continue;
            }
            let end = self
                .input
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.unwrap_or(self.input.len());
            self.visited += length as u64;
            if self.partial.len() + length > LIMIT_BYTES {
                return Err(SseError::TooLong);
            }
            let Some(end) = end else {
                self.keep_partial(length);
                self.input.clear();
                return Ok(None);
            };
            self.after_cr = self.input.get(end) == Some(&b'\r');
            let line = if self.partial.is_empty() {
                self.input.split_to(end + 1)
            } else {
                self.keep_partial(end + 1);
                self.input.advance(end + 1);
                Bytes::from(std::mem::take(&mut self.partial))
            };
            if let Some(line) = self.take_line(line)? {
                return Ok(Some(line));
            }
        }
    }

    /// What is left at the end of the body, with the line ends that it lacks;
    /// `None` if the body ended between two events, as it must.
    ///
    /// # Errors
    ///
    /// [`SseError::TooLong`].
    pub fn finish(&mut self) -> Result<Option<Bytes>, SseError> {
        let mut last = Vec::new();
        if !self.partial.is_empty() {
            let mut partial = std::mem::take(&mut self.partial);
            partial.push(b'\n');
            if let Some(line) = self.take_line(Bytes::from(partial))? {
                last.extend_from_slice(&line);
            }
        }
        if std::mem::take(&mut self.event_bytes) > 0 {
            last.push(b'\n');
        }
        Ok((!last.is_empty()).then(|| Bytes::from(last)))
    }

    /// Bytes looked at so far, each time counted.
    #[must_use]
    pub fn visited(&self) -> u64 {
        self.visited
    }

    fn keep_partial(&mut self, length: usize) {
        self.visited += length as u64;
        self.partial.extend_from_slice(&self.input[..length]);
    }

    /// A line with its one byte of line end, as it is passed on.
    fn take_line(&mut self, mut line: Bytes) -> Result<Option<Bytes>, SseError> {
        if !std::mem::replace(&mut self.started, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.advance(BYTE_ORDER_MARK.len());
        }
        let content = &line[..line.len() - 1];
        if content.is_empty() {
            self.event_bytes = 0;
            return Ok(Some(Bytes::from_static(b"\n")));
        }
        if content.starts_with(b":") || is_field(content, b"id") || is_field(content, b"retry") {
            return Ok(None);
        }
        self.event_bytes += content.len();
        if self.event_bytes > LIMIT_BYTES {
            return Err(SseError::TooLong);
        }
        self.visited += content.len() as u64;
        match String::from_utf8_lossy(content) {
            Cow::Borrowed(_) if line.ends_with(b"\n") => Ok(Some(line)),
            text => {
                let mut text = text.into_owned();
                text.push('\n');
                Ok(Some(Bytes::from(text)))
            }
        }
    }
}

fn is_field(line: &[u8], name: &[u8]) -> bool {
    line.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b":"))
}

/// The data of the events in a body.
///
/// A body that breaks off looks like one that ends: in both cases the marker of
/// the end is missing, and that is what counts.
pub struct Events<S> {
    events: EventStream<Lines<S>>,
    /// Written by [`Lines`], read here: both live and die together.
    cut_off: Arc<AtomicBool>,
}

impl<S> std::fmt::Debug for Events<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl<S, E> Events<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// The events in `body`.
    pub fn new(body: S) -> Self {
        let cut_off = Arc::new(AtomicBool::new(false));
        Self {
            events: EventStream::new(Lines {
                body,
                normaliser: Normaliser::default(),
                state: LinesState::Fresh,
                cut_off: Arc::clone(&cut_off),
            }),
            cut_off,
        }
    }

    /// The data of the next event; `None` at the end of the body.
    pub async fn next(&mut self) -> Option<Result<String, SseError>> {
        let event = self.events.next().await?;
        Some(match event {
            Ok(event) => Ok(event.data),
            Err(EventStreamError::Transport(error)) => Err(error),
            Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => {
                Err(SseError::Malformed)
            }
        })
    }

    /// Whether the body ended inside an event: the last one may be incomplete.
    pub fn cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Lines<S> {
    body: S,
    normaliser: Normaliser,
    state: LinesState,
    cut_off: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinesState {
    Fresh,
    Open,
    Ended,
}

impl<S, E> Stream for Lines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, SseError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.state {
            LinesState::Ended => return Poll::Ready(None),
            LinesState::Open => {}
            LinesState::Fresh => {
                self.state = LinesState::Open;
                // Whatever it is given first must not start with a byte order
                // mark, and a body may start with two.
                return Poll::Ready(Some(Ok(Bytes::from_static(b"\n"))));
            }
        }
        loop {
            match self.normaliser.next_line() {
                Ok(None) => {}
                Ok(Some(line)) => return Poll::Ready(Some(Ok(line))),
                Err(error) => {
                    self.state = LinesState::Ended;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(self.body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => self.normaliser.feed(bytes),
                Some(Err(_)) | None => {
                    self.state = LinesState::Ended;
                    let last = self.normaliser.finish().transpose();
                    self.cut_off.store(last.is_some(), Ordering::Relaxed);
                    return Poll::Ready(last);
                }
            }
        }
    }
}
