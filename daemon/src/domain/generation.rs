//! A generation: its states, its outcomes, and what it used.

use serde::{Deserialize, Serialize};

use super::id::{GenerationId, ProjectId, RevisionId, UserId};

/// Declares an enum of plain variants with the text that stands for each in the
/// database and in events.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text that stands for it in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The variant that a text stands for.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// Where a generation is.
    GenerationState {
        /// It waits for its turn.
        Queued = "queued",
        /// The context is put together.
        Preparing = "preparing",
        /// The model answers.
        Generating = "generating",
        /// The operations become a revision.
        Applying = "applying",
        /// Files and dependencies go into the sandbox.
        Installing = "installing",
        /// The dev server starts.
        Starting = "starting",
        /// The app is checked.
        Checking = "checking",
        /// What the check found goes back to the model.
        Repairing = "repairing",
        /// It is over.
        Finished = "finished",
    }
}

impl GenerationState {
    /// Whether a generation may go from this state to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use GenerationState as S;
        match (self, next) {
            (S::Finished, _) => false,
            (_, S::Finished)
            | (S::Queued, S::Preparing)
            | (S::Preparing | S::Repairing, S::Generating)
            | (S::Generating, S::Applying | S::Repairing)
            | (S::Applying, S::Installing | S::Repairing)
            | (S::Installing, S::Starting | S::Repairing)
            | (S::Starting, S::Checking | S::Repairing)
            | (S::Checking, S::Repairing) => true,
            _ => false,
        }
    }
}

text_enum! {
    /// How a generation ended.
    Outcome {
        /// The app runs and passed the gate.
        Ready = "ready",
        /// It failed, for a [`FailureReason`].
        Failed = "failed",
        /// The answer was cut off and could not be continued.
        Truncated = "truncated",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// The daemon that ran it died.
        Interrupted = "interrupted",
        /// A cap on its cost was reached.
        OverBudget = "over_budget",
    }
}

text_enum! {
    /// Why a generation failed.
    FailureReason {
        /// A line of the stream was over 1 MiB.
        UpstreamLineTooLong = "upstream_line_too_long",
        /// The answer was over 8 MiB.
        OutputTooLarge = "output_too_large",
        /// A chunk was not JSON of the expected shape.
        UpstreamBadChunk = "upstream_bad_chunk",
        /// The provider said that it failed.
        UpstreamError = "upstream_error",
        /// The stream ended without a finish reason.
        UpstreamTruncated = "upstream_truncated",
        /// The provider's filter stopped the answer.
        ContentFiltered = "content_filtered",
        /// The provider refused the request.
        BadRequest = "bad_request",
        /// The provider refused the key.
        UpstreamKeyInvalid = "upstream_key_invalid",
        /// The provider's account has no credits left.
        NoCredits = "no_credits",
        /// The provider's moderation refused the prompt.
        Moderated = "moderated",
        /// The provider has no such model.
        ModelNotFound = "model_not_found",
        /// The provider is limiting calls.
        UpstreamRateLimited = "upstream_rate_limited",
        /// The provider cannot be reached or is down.
        UpstreamUnavailable = "upstream_unavailable",
        /// What answered does not speak the protocol.
        UpstreamProtocol = "upstream_protocol",
        /// The stream went silent.
        UpstreamIdle = "upstream_idle",
        /// No token came in time.
        UpstreamFirstTokenTimeout = "upstream_first_token_timeout",
        /// The whole took longer than the ceiling.
        TimeLimit = "time_limit",
        /// An operation cannot be applied; nothing was.
        InvalidOperation = "invalid_operation",
        /// The answer has no operation.
        NoOperations = "no_operations",
        /// Dependencies could not be installed.
        InstallFailed = "install_failed",
        /// The dev server did not start.
        StartFailed = "start_failed",
        /// The page does not answer as it should.
        ProbeFailed = "probe_failed",
        /// The template's check found errors.
        CheckFailed = "check_failed",
        /// The sandbox could not be made or was lost.
        SandboxFailed = "sandbox_failed",
        /// The Docker engine does not answer.
        DockerUnavailable = "docker_unavailable",
        /// The database did not come back in time.
        DbUnavailable = "db_unavailable",
        /// Ours to fix.
        Internal = "internal",
        /// The sandbox image is missing.
        ImageMissing = "image_missing",
    }
}

text_enum! {
    /// Why the model was called.
    AttemptKind {
        /// The first answer to the prompt.
        First = "first",
        /// The answer before was cut off.
        Continuation = "continuation",
        /// The answer before left something to mend.
        Repair = "repair",
    }
}

text_enum! {
    /// Why the model stopped.
    FinishReason {
        /// It was done.
        Stop = "stop",
        /// It ran into its limit of tokens.
        Length = "length",
        /// A filter stopped it.
        ContentFilter = "content_filter",
        /// It failed.
        Error = "error",
        /// We stopped it.
        Cancelled = "cancelled",
        /// It ended in order but did not say why.
        Unknown = "unknown",
    }
}

/// What model calls used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: i64,
    /// Tokens of the answer.
    pub completion_tokens: i64,
    /// Millionths of a US dollar; `None` is unknown, which is not zero.
    pub cost_micro_usd: Option<i64>,
    /// Whether the figures are our estimate.
    pub estimated: bool,
}

impl Usage {
    /// Both together. A cost is known as far as either is: an unknown one adds
    /// nothing but marks the sum as an estimate.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let cost = match (self.cost_micro_usd, other.cost_micro_usd) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
        };
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            cost_micro_usd: cost,
            estimated: self.estimated || other.estimated,
        }
    }
}

/// How a generation ended, in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// Why, if it failed.
    pub failure_reason: Option<FailureReason>,
    /// For people: what happened and what to do.
    pub message: String,
    /// The revision that it made.
    pub revision_id: Option<RevisionId>,
    /// All attempts together.
    pub usage: Usage,
    /// Model calls made.
    pub attempts: i32,
    /// Where the app can be seen.
    pub preview_url: Option<String>,
}

/// One prompt carried to an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// Its project.
    pub project_id: ProjectId,
    /// Who asked.
    pub user_id: UserId,
    /// The prompt, as given.
    pub prompt: String,
    /// The model that was chosen.
    pub model: String,
    /// Whether that model's answers are canned.
    pub demo: bool,
    /// Where it is.
    pub state: GenerationState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub failure_reason: Option<FailureReason>,
    /// For people: what happened and what to do.
    pub message: String,
    /// The revision that it made.
    pub revision_id: Option<RevisionId>,
    /// All attempts together.
    pub usage: Usage,
    /// Model calls made.
    pub attempts: i32,
    /// What did not fit into the model's window.
    pub context_omitted: Vec<String>,
    /// Sequence of its first event.
    pub first_sequence: i64,
    /// When it was asked for.
    pub created_at: time::OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<time::OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_the_end() {
        for state in GenerationState::ALL {
            assert!(!GenerationState::Finished.may_become(*state));
        }
    }

    #[test]
    fn everything_may_end() {
        for state in GenerationState::ALL {
            assert_eq!(
                state.may_become(GenerationState::Finished),
                *state != GenerationState::Finished
            );
        }
    }

    #[test]
    fn an_unknown_cost_is_not_zero() {
        let unknown = Usage::default();
        assert_eq!(unknown.plus(unknown).cost_micro_usd, None);
        let known = Usage {
            cost_micro_usd: Some(7),
            ..unknown
        };
        assert_eq!(unknown.plus(known).cost_micro_usd, Some(7));
    }

    #[test]
    fn texts_round_trip() {
        for reason in FailureReason::ALL {
            assert_eq!(FailureReason::parse(reason.as_str()), Some(*reason));
        }
    }
}
