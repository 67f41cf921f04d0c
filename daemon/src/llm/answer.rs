//! One answer of a model, as it comes: the state machine between an HTTP
//! response and the [`Chunk`]s of a generation.
//!
//! It tries again before the first token and never after it; it takes the end of
//! the stream for a failure unless the model said why it stopped; it watches the
//! clock. It holds no more than one event, and owns the connection: dropped, it
//! closes it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use time::OffsetDateTime;
use tokio::time::{Instant, Sleep};

use super::catalogue::Catalogue;
use super::chunk::{self, ErrorBody, Frame, StreamChunk};
use super::client::Timing;
use super::endpoint::{Endpoint, read_bounded};
use super::failure::{self, Failure, LONGEST_WAIT, TRIES, UpstreamError};
use super::normalise::{Events, SseError};
use crate::domain::generation::{FailureReason, FinishReason, Usage};

/// Bytes of an answer at most.
pub const ANSWER_LIMIT_BYTES: usize = 8 << 20;

/// Time after the finish reason in which usage and the end marker must come.
const FINISH_GRACE: Duration = Duration::from_secs(5);

/// Bytes of an answer that is JSON where a stream was expected, at most.
const ERROR_BODY_LIMIT_BYTES: usize = 64 << 10;

/// Bytes of the name of a model, at most.
const MODEL_LIMIT_BYTES: usize = 200;

/// What comes of a model call, in this order: text and model names, usage, and
/// last the finish reason. Where the call fails after its first token, usage
/// comes before the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// The next piece of the answer. Never empty, and without NUL.
    Text(String),
    /// The model that answers, which need not be the one that was asked.
    Model(String),
    /// What the call used.
    Usage(Usage),
    /// Why the model stopped; the last chunk. A filter that stopped it is a
    /// failure for the caller to declare, and `Error` is never said here.
    Finish(FinishReason),
}

/// The answer of a model. Ends after [`Chunk::Finish`] or an error. Dropping it
/// closes the connection to the provider, which stops the spending.
pub struct AnswerStream {
    chunks: BoxStream<'static, Result<Chunk, UpstreamError>>,
    tally: Option<Arc<Tally>>,
}

impl std::fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerStream").finish_non_exhaustive()
    }
}

impl AnswerStream {
    pub(super) fn new(endpoint: Arc<Endpoint>, body: Bytes, timing: Timing, tally: Tally) -> Self {
        let tally = Arc::new(tally);
        let driver = Box::new(Driver {
            endpoint,
            body,
            timing,
            tally: Arc::clone(&tally),
            ceiling: None,
            tries: 0,
            stage: Stage::Call,
            ready: VecDeque::new(),
        });
        let chunks = stream::unfold(driver, |mut driver| async move {
            let item = driver.next().await?;
            Some((item, driver))
        });
        Self {
            chunks: chunks.fuse().boxed(),
            tally: Some(tally),
        }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self {
            chunks: stream::iter([Err(failure.error)]).boxed(),
            tally: None,
        }
    }

    /// What the call has used so far: what a caller records who drops the stream
    /// before its end.
    #[must_use]
    pub fn usage_so_far(&self) -> Usage {
        self.tally.as_ref().map_or(
            Usage {
                estimated: true,
                ..Usage::default()
            },
            |tally| tally.estimate(),
        )
    }
}

impl Stream for AnswerStream {
    type Item = Result<Chunk, UpstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(cx)
    }
}

/// Counts for an estimate of what a call used. Written by the driver, read by
/// whoever holds the [`AnswerStream`].
#[derive(Debug)]
pub(super) struct Tally {
    catalogue: Arc<Catalogue>,
    model: String,
    prompt_bytes: usize,
    answer_bytes: AtomicU64,
    /// The provider took the request: the prompt is paid for.
    accepted: AtomicBool,
}

impl Tally {
    pub(super) fn new(catalogue: Arc<Catalogue>, model: String, prompt_bytes: usize) -> Self {
        Self {
            catalogue,
            model,
            prompt_bytes,
            answer_bytes: AtomicU64::new(0),
            accepted: AtomicBool::new(false),
        }
    }

    fn add(&self, bytes: usize) {
        self.answer_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// About four bytes are a token.
    fn estimate(&self) -> Usage {
        let tokens = |bytes: u64| i64::try_from(bytes.div_ceil(4)).unwrap_or(i64::MAX);
        let prompt_bytes = if self.accepted.load(Ordering::Relaxed) {
            self.prompt_bytes as u64
        } else {
            0
        };
        self.priced(Usage {
            prompt_tokens: tokens(prompt_bytes),
            completion_tokens: tokens(self.answer_bytes.load(Ordering::Relaxed)),
            cost_micro_usd: None,
            estimated: true,
        })
    }

    /// `usage`, with a cost by the catalogue where it has none.
    fn priced(&self, usage: Usage) -> Usage {
        if usage.cost_micro_usd.is_some() {
            return usage;
        }
        let prices = self.catalogue.known(&self.model).map(|model| model.prices);
        match prices.and_then(|prices| prices.cost(&usage)) {
            None => usage,
            cost => Usage {
                cost_micro_usd: cost,
                estimated: true,
                ..usage
            },
        }
    }
}

struct Driver {
    endpoint: Arc<Endpoint>,
    body: Bytes,
    timing: Timing,
    tally: Arc<Tally>,
    /// When the whole must be over; set when the first try starts.
    ceiling: Option<Instant>,
    tries: u32,
    stage: Stage,
    ready: VecDeque<Result<Chunk, UpstreamError>>,
}

enum Stage {
    Call,
    Read(Box<Reading>),
    Over,
}

/// What one event of the stream leads to.
enum Step {
    Go,
    Finish,
    Fail(Failure),
}

impl Driver {
    async fn next(&mut self) -> Option<Result<Chunk, UpstreamError>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            match &mut self.stage {
                Stage::Over => return None,
                Stage::Call => match self.call().await {
                    Ok(reading) => self.stage = Stage::Read(Box::new(reading)),
                    Err(failure) => self.retry_or_fail(failure).await,
                },
                Stage::Read(reading) => match reading.step(&mut self.ready, &self.tally).await {
                    Step::Go => {}
                    Step::Finish => {
                        let usage = reading.usage(&self.tally);
                        let finish = reading.finish.unwrap_or(FinishReason::Unknown);
                        self.ready.push_back(Ok(Chunk::Usage(usage)));
                        self.ready.push_back(Ok(Chunk::Finish(finish)));
                        self.stage = Stage::Over;
                    }
                    Step::Fail(mut failure) if reading.had_token => {
                        let usage = reading.usage(&self.tally);
                        failure.error.after_first_token = true;
                        self.ready.push_back(Ok(Chunk::Usage(usage)));
                        self.fail(failure);
                    }
                    Step::Fail(failure) => {
                        // The connection goes before the wait, not after it.
                        self.stage = Stage::Call;
                        self.retry_or_fail(failure).await;
                    }
                },
            }
        }
    }

    async fn call(&mut self) -> Result<Reading, Failure> {
        let start = Instant::now();
        let ceiling = *self.ceiling.get_or_insert(start + self.timing.ceiling);
        self.tries += 1;
        let first_token_by = start + self.timing.first_token;
        let request = self
            .endpoint
            .post("/chat/completions", self.body.clone())
            .send();
        let answer = tokio::time::timeout_at(first_token_by.min(ceiling), async {
            let response = request.await.map_err(|e| Failure::from_request(&e))?;
            check_response(response).await
        });
        let response = match answer.await {
            Ok(response) => response?,
            Err(_) if Instant::now() >= ceiling => return Err(time_limit()),
            Err(_) => return Err(no_first_token()),
        };
        self.tally.accepted.store(true, Ordering::Relaxed);
        Ok(Reading::new(response, self.timing, first_token_by, ceiling))
    }

    async fn retry_or_fail(&mut self, failure: Failure) {
        let asked = failure.error.retry_after.unwrap_or_default();
        let random = rand::random::<f64>();
        let backoff =
            failure::backoff(self.timing.first_wait, self.tries.saturating_sub(1), random);
        let wait = backoff.max(asked);
        let in_time = self.ceiling.is_none_or(|at| Instant::now() + wait < at);
        let retry = failure.transient && self.tries < TRIES && asked <= LONGEST_WAIT && in_time;
        tracing::warn!(
            reason = %failure.error.reason,
            tries = self.tries,
            retry,
            "model call failed before its first token"
        );
        if retry {
            tokio::time::sleep(wait).await;
            self.stage = Stage::Call;
        } else {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.ready.push_back(Err(failure.error));
        self.stage = Stage::Over;
    }
}

/// Lets a response through that is a stream of events.
async fn check_response(response: Response) -> Result<Response, Failure> {
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
fn header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().unwrap_or("unreadable");
    let value = value.split(';').next().unwrap_or_default();
    Some(value.trim().to_ascii_lowercase())
}

struct Reading {
    events: Events<BoxStream<'static, reqwest::Result<Bytes>>>,
    heard: Arc<Heard>,
    idle: Duration,
    first_token_by: Instant,
    ceiling: Instant,
    alarm: Pin<Box<Sleep>>,
    had_token: bool,
    text_bytes: usize,
    model: String,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    finish_by: Option<Instant>,
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

impl Reading {
    fn new(response: Response, timing: Timing, first_token_by: Instant, ceiling: Instant) -> Self {
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

    async fn step(
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
        if chunk.reasons() {
            self.on_token();
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

    fn usage(&self, tally: &Tally) -> Usage {
        match self.usage {
            Some(usage) => tally.priced(usage),
            None => tally.estimate(),
        }
    }
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

fn no_first_token() -> Failure {
    Failure::lasting(
        FailureReason::UpstreamFirstTokenTimeout,
        "the model did not start to answer in time; try again, or choose another",
    )
}

fn time_limit() -> Failure {
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
