//! What a call used, as far as we can tell ourselves: for calls that are cancelled
//! or fail, and for providers that do not say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::catalogue::Catalogue;
use crate::domain::generation::Usage;

/// Counts for an estimate of what a call used. Written by the driver, read by
/// whoever holds the [`AnswerStream`](super::AnswerStream).
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

    /// The provider took the request.
    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// Bytes of the answer came, or of what the model thinks.
    pub(super) fn add(&self, bytes: usize) {
        self.answer_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// About four bytes are a token.
    pub(super) fn estimate(&self) -> Usage {
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
    pub(super) fn priced(&self, usage: Usage) -> Usage {
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
