//! How a generation ends, and why. It ends none: that is for `carry`.

use super::answer::{Call, CallEnd};
use crate::domain::Error;
use crate::domain::generation::{FailureReason, FinishReason, Outcome, Usage};
use crate::domain::id::RevisionId;

/// How far a generation has come; what its end reports.
#[derive(Default)]
pub(super) struct Account {
    pub(super) usage: Usage,
    pub(super) attempts: i32,
    pub(super) revision: Option<RevisionId>,
    pub(super) preview_url: Option<String>,
}

/// Why a generation ended other than READY.
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<FailureReason>,
    pub(super) message: String,
}

impl End {
    pub(super) fn failed(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reason: Some(reason),
            message: message.into(),
        }
    }

    pub(super) fn of(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: None,
            message: message.into(),
        }
    }
}

impl From<Error> for End {
    /// An error that is nobody's fault but ours or the machine's.
    fn from(error: Error) -> Self {
        match error {
            Error::DockerUnavailable(_) => Self::failed(
                FailureReason::DockerUnavailable,
                format!("{error}; start it, then send a prompt or start the sandbox"),
            ),
            Error::ImageMissing(_) => Self::failed(FailureReason::ImageMissing, error.to_string()),
            Error::DbUnavailable | Error::DbTimeout | Error::StorageFull => {
                Self::failed(FailureReason::DbUnavailable, error.to_string())
            }
            Error::SandboxLimit { .. }
            | Error::SandboxDisk
            | Error::UploadRejected { .. }
            | Error::SandboxState(_) => {
                Self::failed(FailureReason::SandboxFailed, error.to_string())
            }
            Error::Internal(cause) => {
                tracing::error!(error = %crate::telemetry::chain(&*cause), "a generation failed unexpectedly");
                Self::failed(
                    FailureReason::Internal,
                    "internal error; the daemon's log says more",
                )
            }
            other => Self::failed(FailureReason::Internal, other.to_string()),
        }
    }
}

/// What the end of a model call means for the generation.
pub(super) fn judge(call: Call) -> Result<Call, End> {
    match &call.end {
        CallEnd::Cancelled => Err(cancelled()),
        CallEnd::Failed(error) => Err(End::failed(error.reason, error.message.clone())),
        CallEnd::Finished(FinishReason::Length) => Err(End::of(
            Outcome::Truncated,
            "the answer was cut off at the model's limit of tokens; nothing was applied: ask for less at once, \
             or choose a model with a longer answer",
        )),
        CallEnd::Finished(FinishReason::ContentFilter) => Err(End::failed(
            FailureReason::ContentFiltered,
            "the provider's filter stopped the answer; nothing was applied",
        )),
        CallEnd::Finished(FinishReason::Error) => Err(End::failed(
            FailureReason::UpstreamError,
            "the provider reported an error; nothing was applied",
        )),
        CallEnd::Finished(FinishReason::Stop | FinishReason::Unknown | FinishReason::Cancelled) => {
            Ok(call)
        }
    }
}

/// Somebody wanted no more.
pub(super) fn cancelled() -> End {
    End::of(
        Outcome::Cancelled,
        "cancelled; what had been written is in the log",
    )
}
