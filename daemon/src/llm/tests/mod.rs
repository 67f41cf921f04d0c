//! The contract with providers, row by row, against a real HTTP server whose
//! bytes come in random pieces. `KILN_TEST_SEED` repeats a run.

mod cancel;
mod catalogue;
mod demo;
mod demo_operations;
mod mock;
mod normalise;
mod provider;
mod request;
mod rows;
mod rows_end;
mod rows_http;

use std::time::Duration;

use futures::StreamExt;
use secrecy::SecretString;

use super::client::{ChatRequest, Edge, Message, Role};
use super::{AnswerStream, Chunk, UpstreamError};
use crate::config::ModelConfig;
use crate::domain::generation::{FailureReason, FinishReason, Usage};
use mock::Mock;

const KEY: &str = "sk-or-v1-this-must-never-be-seen";

/// What came of a call.
#[derive(Debug, Default)]
struct Outcome {
    pub(super) text: String,
    pub(super) models: Vec<String>,
    pub(super) usage: Vec<Usage>,
    pub(super) finish: Option<FinishReason>,
    pub(super) error: Option<UpstreamError>,
}

impl Outcome {
    #[track_caller]
    pub(super) fn assert_failed(&self, reason: FailureReason, seed: u64) -> &UpstreamError {
        let error = self.error.as_ref();
        let error = error.unwrap_or_else(|| panic!("seed {seed}: no error: {self:?}"));
        assert_eq!(error.reason, reason, "seed {seed}: {self:?}");
        assert_eq!(
            error.after_first_token,
            !self.text.is_empty(),
            "seed {seed}"
        );
        assert_eq!(self.finish, None, "seed {seed}");
        assert!(!format!("{error:?} {error}").contains(KEY), "seed {seed}");
        error
    }

    #[track_caller]
    pub(super) fn assert_finished(&self, text: &str, finish: FinishReason, seed: u64) {
        assert_eq!(self.error, None, "seed {seed}");
        assert_eq!(self.text, text, "seed {seed}");
        assert_eq!(self.finish, Some(finish), "seed {seed}");
        assert_eq!(self.usage.len(), 1, "seed {seed}");
    }
}

async fn collect(mut stream: AnswerStream) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(item) = stream.next().await {
        assert_eq!(outcome.finish, None, "the finish reason is the last chunk");
        assert_eq!(outcome.error, None, "an error is the last item");
        match item {
            Ok(Chunk::Text(text)) => outcome.text.push_str(&text),
            Ok(Chunk::Model(model)) => outcome.models.push(model),
            Ok(Chunk::Usage(usage)) => outcome.usage.push(usage),
            Ok(Chunk::Finish(finish)) => outcome.finish = Some(finish),
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome
}

fn config(mock: &Mock) -> ModelConfig {
    ModelConfig {
        base_url: format!("http://{}/v1", mock.address),
        base_url_is_custom: true,
        api_key: Some(SecretString::from(KEY)),
        default: None,
        roles: Vec::new(),
        fallbacks: Vec::new(),
        max_tokens: 16_000,
        first_token_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(20),
        ceiling: Duration::from_secs(60),
        demo_speed: 0,
        local_ports: Vec::new(),
    }
}

/// An edge that waits a millisecond where it would wait half a second.
fn edge(config: &ModelConfig) -> Edge {
    let edge = Edge::new(config, None).unwrap();
    edge.with_first_wait(Duration::from_millis(1))
}

fn request() -> ChatRequest {
    ChatRequest {
        model: "test/model".to_owned(),
        fallbacks: Vec::new(),
        messages: vec![Message {
            role: Role::User,
            content: "a todo list".to_owned(),
        }],
        max_tokens: 1000,
    }
}

async fn ask(mock: &Mock) -> Outcome {
    collect(edge(&config(mock)).stream(request())).await
}

/// Twenty seeds, printed, so that a failure can be repeated.
fn seeds() -> std::ops::Range<u64> {
    seeds_up_to(20)
}

fn seeds_up_to(count: u64) -> std::ops::Range<u64> {
    let first = match std::env::var("KILN_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(rand::random::<u32>()),
    };
    println!("seeds from {first}; KILN_TEST_SEED={first} repeats them");
    first..first + count
}

fn delta(text: &str) -> String {
    let chunk = serde_json::json!({
        "id": "gen-1",
        "choices": [{ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null }],
    });
    format!("data: {chunk}\n\n")
}

fn finish(reason: &str) -> String {
    let chunk = serde_json::json!({
        "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }],
    });
    format!("data: {chunk}\n\n")
}

const DONE: &str = "data: [DONE]\n\n";
const COMMENT: &str = ": OPENROUTER PROCESSING\n\n";

fn hello() -> String {
    format!(
        "{}{}{}{DONE}",
        delta("Hello, "),
        delta("world"),
        finish("stop")
    )
}
