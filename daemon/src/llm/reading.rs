//! A response as it is read: events to chunks, with the clock beside it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use time::OffsetDateTime;
use tokio::time::{Instant, Sleep};

use super::answer::Chunk;
use super::chunk::{self, ErrorBody, Frame, StreamChunk};
use super::client::Timing;
use super::endpoint::read_bounded;
use super::failure::{self, Failure, UpstreamError};
use super::normalise::{Events, SseError};
use super::tally::Tally;
use crate::domain::generation::{FailureReason, FinishReason, Usage};

/// Bytes of an answer at most.
const ANSWER_LIMIT_BYTES: usize = 8 << 20;

/// Time after the finish reason in which usage and the end marker must come.
const FINISH_GRACE: Duration = Duration::from_secs(5);

/// Bytes of an answer that is JSON where a stream was expected, at most.
const ERROR_BODY_LIMIT_BYTES: usize = 64 << 10;

/// Bytes of the name of a model, at most.
const MODEL_LIMIT_BYTES: usize = 200;

/// What one event of the stream leads to.
pub(super) enum Step {
    Go,
    Finish,
    Fail(Failure),
}

/// A response that is being read. Dropped, it closes the connection.
pub(super) struct Reading {
    events: Events<BoxStream<'static, reqwest::Result<Bytes>>>,
    heard: Arc<Heard>,
    idle: Duration,
    first_token_by: Instant,
    ceiling: Instant,
    alarm: Pin<Box<Sleep>>,
    /// Text or thought came: the call is not tried again.
    pub(super) had_token: bool,
    text_bytes: usize,
    model: String,
    usage: Option<Usage>,
    /// Why the model stopped, as soon as it said so.
    pub(super) finish: Option<FinishReason>,
    finish_by: Option<Instant>,
}

impl Reading {
    pub(super) fn new(
        response: Response,
        timing: Timing,
        first_token_by: Instant,
        ceiling: Instant,
    ) -> Self {
        let heard = Arc::new(Heard {
            start: Instant::now(),
            milliseconds: AtomicU64::new(0),
        });
        let body = response.bytes_stream();
        let noting = Arc::clone(&heard);
        let body = body.inspect(move |_| noting.note()).boxed();
        Self {
            events: Events::new(body),
            heard,
            idle: timing.idle,
            first_token_by,
            ceiling,
            alarm: Box::pin(tokio::time::sleep_until(first_token_by.min(ceiling))),
            had_token: false,
            text_bytes: 0,
            model: String::new(),
            usage: None,
            finish: None,
            finish_by: None,
        }
    }

    /// Takes the next event.
    pub(super) async fn step(
        &mut self,
        ready: &mut VecDeque<Result<Chunk, UpstreamError>>,
        tally: &Tally,
    ) -> Step {
        // The alarm goes first: a stream of nothing but comments is always ready.
        let event = tokio::select! {
            biased;
            () = &mut self.alarm => return self.on_alarm(),
            event = self.events.next() => event,
        };
        match event {
            None => self.on_end(),
            Some(Err(SseError::TooLong)) => Step::Fail(Failure::lasting(
                FailureReason::UpstreamLineTooLong,
                "the model provider sent a line of more than 1 MiB",
            )),
            Some(Err(SseError::Malformed)) => bad_chunk(),
            Some(Ok(data)) => match chunk::decode(&data) {
                Ok(Frame::Done) => Step::Finish,
                Ok(Frame::Chunk(chunk)) => self.on_chunk(&chunk, ready, tally),
                Err(_) if self.events.cut_off() => self.on_end(),
                Err(_) => bad_chunk(),
            },
        }
    }

    fn on_chunk(
        &mut self,
        chunk: &StreamChunk<'_>,
        ready: &mut VecDeque<Result<Chunk, UpstreamError>>,
        tally: &Tally,
    ) -> Step {
        if let Some(model) = chunk.model().filter(|model| *model != self.model) {
            model.clone_into(&mut self.model);
            if is_model_name(model) {
                ready.push_back(Ok(Chunk::Model(model.to_owned())));
            }
        }
        if chunk.thought_bytes() > 0 {
            self.on_token();
            tally.add(chunk.thought_bytes());
        }
        if let Some(text) = chunk.text() {
            self.on_token();
            self.text_bytes += text.len();
            tally.add(text.len());
            if self.text_bytes > ANSWER_LIMIT_BYTES {
                return Step::Fail(Failure::lasting(
                    FailureReason::OutputTooLarge,
                    "the answer is over 8 MiB",
                ));
            }
            ready.push_back(Ok(Chunk::Text(without_nul(text))));
        }
        if let Some(usage) = chunk.usage().and_then(chunk::UsageReport::usage) {
            self.usage = Some(usage);
        }
        if let Some(report) = chunk.error() {
            return Step::Fail(Failure::from_report(report, self.had_token));
        }
        match chunk.finish() {
            None => {}
            Some(FinishReason::Error) => {
                let report = chunk::ErrorReport::default();
                return Step::Fail(Failure::from_report(&report, self.had_token));
            }
            Some(reason) => {
                self.finish = Some(reason);
                let by = *self
                    .finish_by
                    .get_or_insert_with(|| Instant::now() + FINISH_GRACE);
                self.wake_by(by);
            }
        }
        Step::Go
    }

    fn on_token(&mut self) {
        if !self.had_token {
            self.had_token = true;
            self.wake_by(self.heard.last() + self.idle);
        }
    }

    fn on_end(&self) -> Step {
        if self.finish.is_some() {
            return Step::Finish;
        }
        Step::Fail(Failure::transient(
            FailureReason::UpstreamTruncated,
            "the stream of the model provider broke off before the answer was complete; try again",
        ))
    }

    /// The alarm went off, which need not mean that a limit was reached: it is
    /// not set again each time that bytes come.
    fn on_alarm(&mut self) -> Step {
        let now = Instant::now();
        if now >= self.ceiling {
            return Step::Fail(time_limit());
        }
        if self.finish_by.is_some_and(|by| now >= by) {
            return Step::Finish;
        }
        let quiet_by = if self.had_token {
            self.heard.last() + self.idle
        } else {
            self.first_token_by
        };
        if now >= quiet_by {
            return Step::Fail(if self.had_token {
                Failure::lasting(
                    FailureReason::UpstreamIdle,
                    format!(
                        "the model provider sent nothing for {} s; try again",
                        self.idle.as_secs()
                    ),
                )
            } else {
                no_first_token()
            });
        }
        let next = quiet_by
            .min(self.ceiling)
            .min(self.finish_by.unwrap_or(quiet_by));
        self.alarm.as_mut().reset(next);
        Step::Go
    }

    fn wake_by(&mut self, instant: Instant) {
        if instant < self.alarm.deadline() {
            self.alarm.as_mut().reset(instant);
        }
    }

    /// What the call used, by the provider or by our own estimate.
    pub(super) fn usage(&self, tally: &Tally) -> Usage {
        match self.usage {
            Some(usage) => tally.priced(usage),
            None => tally.estimate(),
        }
    }
}

/// When bytes last came, of whatever kind. Written by the body, read by the clock
/// that watches over it.
#[derive(Debug)]
struct Heard {
    start: Instant,
    milliseconds: AtomicU64,
}

impl Heard {
    fn note(&self) {
        let elapsed = self.start.elapsed().as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.milliseconds.store(elapsed, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}

/// Lets a response through that is a stream of events.
pub(super) async fn check_response(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status != StatusCode::OK {
        let now = OffsetDateTime::now_utc();
        let retry_after = failure::retry_after(status, response.headers(), now);
        return Err(Failure::from_status(status.as_u16(), retry_after));
    }
    if !matches!(
        header(response.headers(), CONTENT_ENCODING).as_deref(),
        None | Some("" | "identity")
    ) {
        return Err(Failure::lasting(
            FailureReason::UpstreamProtocol,
            "the model endpoint compresses its answer, which it was asked not to",
        ));
    }
    match header(response.headers(), CONTENT_TYPE).as_deref() {
        None | Some("" | "text/event-stream") => Ok(response),
        Some("application/json") => {
            let body = read_bounded(response, ERROR_BODY_LIMIT_BYTES).await;
            let error = body.and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok());
            Err(match error {
                Some(body) => Failure::from_report(&body.error, false),
                None => not_a_stream(),
            })
        }
        Some(_) => Err(not_a_stream()),
    }
}

/// The value of a header without its parameters, in lower case.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().unwrap_or("unreadable");
    let value = value.split(';').next().unwrap_or_default();
    Some(value.trim().to_ascii_lowercase())
}

fn bad_chunk() -> Step {
    Step::Fail(Failure::lasting(
        FailureReason::UpstreamBadChunk,
        "the model provider sent something that is not the json of a chunk",
    ))
}

fn not_a_stream() -> Failure {
    Failure::lasting(
        FailureReason::UpstreamProtocol,
        "the model endpoint answers with something other than a stream of events; check model.base_url",
    )
}

pub(super) fn no_first_token() -> Failure {
    Failure::lasting(
        FailureReason::UpstreamFirstTokenTimeout,
        "the model did not start to answer in time; try again, or choose another",
    )
}

pub(super) fn time_limit() -> Failure {
    Failure::lasting(
        FailureReason::TimeLimit,
        "the answer took longer than model.ceiling allows",
    )
}

fn is_model_name(model: &str) -> bool {
    model.len() <= MODEL_LIMIT_BYTES && model.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The database cannot hold NUL.
fn without_nul(text: &str) -> String {
    if text.as_bytes().contains(&0) {
        text.replace('\0', "\u{fffd}")
    } else {
        text.to_owned()
    }
}
