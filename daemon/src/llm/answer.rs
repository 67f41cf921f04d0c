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
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use tokio::time::Instant;

use super::client::Timing;
use super::endpoint::Endpoint;
use super::failure::{self, Failure, LONGEST_WAIT, TRIES, UpstreamError};
use super::reading::{Reading, Step, check_response, no_first_token, time_limit};
use super::tally::Tally;
use crate::domain::generation::{FinishReason, Usage};

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
        self.tally.accept();
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
        if !retry {
            self.fail(failure);
            return;
        }
        tracing::info!(
            reason = %failure.error.reason,
            tries = self.tries,
            wait_ms = wait.as_millis(),
            "model call failed before its first token, trying again"
        );
        tokio::time::sleep(wait).await;
        self.stage = Stage::Call;
    }

    fn fail(&mut self, failure: Failure) {
        tracing::warn!(
            reason = %failure.error.reason,
            tries = self.tries,
            after_first_token = failure.error.after_first_token,
            "model call failed"
        );
        self.ready.push_back(Err(failure.error));
        self.stage = Stage::Over;
    }
}
