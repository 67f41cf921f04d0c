//! The one place that builds a gRPC status. Every error gets a code, a reason in
//! `google.rpc.ErrorInfo` and what else clients can use; what is ours to fix is
//! logged here, once, and clients get no more than an id to ask about.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use kiln_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorDetails, FieldViolation, StatusExt};

use super::correlation;
use crate::domain::error::{Error, FieldRule, Violation};

/// The domain of all reasons.
pub const DOMAIN: &str = "kiln";

/// When to come back where the cause may be gone in a moment.
const SOON: Duration = Duration::from_secs(1);
/// When to come back where somebody has to restart something.
const LATER: Duration = Duration::from_secs(5);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let facts = facts(&error);
        match error {
            Error::Invalid(violations) => invalid(&facts, message, violations),
            Error::Internal(cause) => internal(&*cause),
            _ => facts.into_status(message),
        }
    }
}

/// What a status says besides its message.
struct Facts {
    code: Code,
    reason: ErrorReason,
    metadata: Option<(&'static str, String)>,
    retry_after: Option<Duration>,
}

impl Facts {
    fn new(code: Code, reason: ErrorReason) -> Self {
        Self {
            code,
            reason,
            metadata: None,
            retry_after: None,
        }
    }

    fn with(mut self, key: &'static str, value: &dyn fmt::Display) -> Self {
        self.metadata = Some((key, value.to_string()));
        self
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    fn details(&self) -> ErrorDetails {
        let metadata: HashMap<String, String> = self
            .metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        let mut details = ErrorDetails::with_error_info(name(self.reason), DOMAIN, metadata);
        if self.retry_after.is_some() {
            details.set_retry_info(self.retry_after);
        }
        details
    }

    fn into_status(self, message: impl Into<String>) -> Status {
        Status::with_error_details(self.code, message, self.details())
    }
}

fn facts(error: &Error) -> Facts {
    use ErrorReason as R;
    match error {
        Error::Invalid(violations) => Facts::new(
            Code::InvalidArgument,
            violations
                .first()
                .map_or(R::FieldInvalid, |violation| rule_reason(violation.rule)),
        ),
        Error::NotFound => Facts::new(Code::NotFound, R::NotFound),
        Error::AuthRequired => Facts::new(Code::Unauthenticated, R::AuthRequired),
        Error::TokenInvalid => Facts::new(Code::Unauthenticated, R::TokenInvalid),
        Error::SessionExpired => Facts::new(Code::Unauthenticated, R::SessionExpired),
        Error::BadCredentials => Facts::new(Code::Unauthenticated, R::BadCredentials),
        Error::Throttled { retry_after } => {
            Facts::new(Code::ResourceExhausted, R::Throttled).retry_after(*retry_after)
        }
        Error::EmailTaken => Facts::new(Code::AlreadyExists, R::EmailTaken),
        Error::InviteInvalid => Facts::new(Code::PermissionDenied, R::InviteInvalid),
        Error::SignUpClosed => Facts::new(Code::PermissionDenied, R::SignUpClosed),
        Error::NotLocalOwner => Facts::new(Code::PermissionDenied, R::NotLocalOwner),
        Error::FreshSignInRequired => Facts::new(Code::FailedPrecondition, R::FreshSignInRequired),
        Error::SessionRequired => Facts::new(Code::PermissionDenied, R::SessionRequired),
        Error::OriginRefused => Facts::new(Code::PermissionDenied, R::OriginRefused),
        Error::RoleRequired | Error::OwnerRequired => {
            Facts::new(Code::PermissionDenied, R::RoleRequired)
        }
        Error::ScopeRequired(scope) => {
            Facts::new(Code::PermissionDenied, R::ScopeRequired).with("scope", scope)
        }
        Error::GenerationRunning(id) => {
            Facts::new(Code::FailedPrecondition, R::GenerationRunning).with("generation_id", id)
        }
        Error::ConcurrencyLimit { limit } => {
            Facts::new(Code::ResourceExhausted, R::ConcurrencyLimit).with("limit", limit)
        }
        Error::BudgetExceeded => Facts::new(Code::FailedPrecondition, R::BudgetExceeded),
        Error::NoProviderKey => Facts::new(Code::FailedPrecondition, R::NoProviderKey),
        Error::ProviderFixed => Facts::new(Code::FailedPrecondition, R::ProviderFixed),
        Error::ProviderKeyRefused { .. } => {
            Facts::new(Code::FailedPrecondition, R::ProviderKeyRefused)
        }
        Error::ProviderUnreachable { .. } => {
            Facts::new(Code::Unavailable, R::ProviderUnreachable).retry_after(LATER)
        }
        Error::ProviderProtocol { .. } => Facts::new(Code::FailedPrecondition, R::ProviderProtocol),
        Error::RequestIdReused => Facts::new(Code::AlreadyExists, R::RequestIdReused),
        // A use case that lets this out has a bug.
        Error::Repeated(_) => Facts::new(Code::Internal, R::Internal),
        Error::SequenceCompacted { oldest } => {
            Facts::new(Code::OutOfRange, R::SeqCompacted).with("oldest_sequence", oldest)
        }
        Error::SequenceAhead { head } => {
            Facts::new(Code::OutOfRange, R::SeqAhead).with("head_sequence", head)
        }
        Error::SlowConsumer => {
            Facts::new(Code::ResourceExhausted, R::SlowConsumer).retry_after(SOON)
        }
        Error::StreamLimit { limit } => {
            Facts::new(Code::ResourceExhausted, R::StreamLimit).with("limit", limit)
        }
        Error::LimitReached { limit } => {
            Facts::new(Code::ResourceExhausted, R::LimitReached).with("limit", limit)
        }
        Error::PreviewPorts { .. } => Facts::new(Code::ResourceExhausted, R::PreviewPorts),
        Error::SandboxState(state) => {
            Facts::new(Code::FailedPrecondition, R::SandboxState).with("state", state)
        }
        Error::SandboxLimit { limit } => {
            Facts::new(Code::ResourceExhausted, R::SandboxLimit).with("limit", limit)
        }
        Error::UploadRejected { path } => {
            Facts::new(Code::FailedPrecondition, R::UploadRejected).with("path", path)
        }
        Error::SandboxDisk => Facts::new(Code::ResourceExhausted, R::SandboxDisk),
        Error::NoRevision => Facts::new(Code::FailedPrecondition, R::NoRevision),
        Error::PathCollision { path, .. } => {
            Facts::new(Code::AlreadyExists, R::PathCollision).with("path", path)
        }
        Error::PathConflict { path } => {
            Facts::new(Code::FailedPrecondition, R::PathConflict).with("path", path)
        }
        Error::FileTooLarge { path, .. } => {
            Facts::new(Code::ResourceExhausted, R::FileTooLarge).with("path", path)
        }
        Error::ProjectTooLarge { .. } => Facts::new(Code::ResourceExhausted, R::ProjectTooLarge),
        Error::Conflict => Facts::new(Code::Aborted, R::Conflict),
        Error::Overloaded => Facts::new(Code::ResourceExhausted, R::Overloaded).retry_after(SOON),
        Error::ShuttingDown => Facts::new(Code::Unavailable, R::ShuttingDown).retry_after(SOON),
        Error::DbUnavailable => Facts::new(Code::Unavailable, R::DbUnavailable).retry_after(SOON),
        Error::DbTimeout => Facts::new(Code::Unavailable, R::DbTimeout).retry_after(SOON),
        Error::StorageFull => Facts::new(Code::Unavailable, R::StorageFull).retry_after(LATER),
        Error::DockerUnavailable(_) => {
            Facts::new(Code::Unavailable, R::DockerUnavailable).retry_after(LATER)
        }
        Error::ImageMissing(_) => Facts::new(Code::FailedPrecondition, R::ImageMissing),
        Error::Internal(_) => Facts::new(Code::Internal, R::Internal),
    }
}

fn rule_reason(rule: FieldRule) -> ErrorReason {
    use ErrorReason as R;
    match rule {
        FieldRule::Email => R::EmailInvalid,
        FieldRule::PasswordTooShort => R::PasswordTooShort,
        FieldRule::PasswordTooLong => R::PasswordTooLong,
        FieldRule::PasswordCommon => R::PasswordCommon,
        FieldRule::Id => R::IdInvalid,
        FieldRule::PromptEmpty => R::PromptEmpty,
        FieldRule::PromptTooLong => R::PromptTooLong,
        FieldRule::PromptChar => R::PromptChar,
        FieldRule::ModelNotAllowed => R::ModelNotAllowed,
        FieldRule::Name => R::NameInvalid,
        FieldRule::RequestId => R::RequestIdInvalid,
        FieldRule::PageToken => R::PageTokenInvalid,
        FieldRule::Sequence => R::SeqInvalid,
        FieldRule::PathTraversal => R::PathTraversal,
        FieldRule::PathAbsolute => R::PathAbsolute,
        FieldRule::PathChar => R::PathChar,
        FieldRule::PathInvalid => R::PathInvalid,
        FieldRule::PathTooLong => R::PathTooLong,
        FieldRule::PathReserved => R::PathReserved,
        FieldRule::ProviderUrl => R::ProviderUrlRefused,
        FieldRule::Field => R::FieldInvalid,
    }
}

/// The name of a reason as clients see it.
#[must_use]
pub fn name(reason: ErrorReason) -> &'static str {
    let full = reason.as_str_name();
    full.strip_prefix("ERROR_REASON_").unwrap_or(full)
}

fn invalid(facts: &Facts, message: String, violations: Vec<Violation>) -> Status {
    let violations: Vec<FieldViolation> = violations
        .into_iter()
        .map(|violation| {
            let mut field = FieldViolation::new(violation.field, violation.message);
            field.reason = name(rule_reason(violation.rule)).into();
            field
        })
        .collect();
    let mut details = facts.details();
    details.set_bad_request(BadRequest::new(violations).field_violations);
    Status::with_error_details(facts.code, message, details)
}

/// What is ours to fix: the cause goes to the log, an id to the client.
fn internal(cause: &(dyn std::error::Error + 'static)) -> Status {
    let id = correlation::current();
    let mut chain = cause.to_string();
    let mut source = cause.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(correlation_id = %id, error = chain, "a call failed in an unexpected way");
    Facts::new(Code::Internal, ErrorReason::Internal)
        .with("correlation_id", &id)
        .into_status(format!("internal error; the daemon's log has it as {id}"))
}

/// What the transport refuses, before or around a handler.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The message could not be read.
    Malformed(String),
    /// The message is larger than it may be.
    MessageTooLarge(String),
    /// There is no such method.
    MethodUnknown,
    /// The message is compressed in a way that is not accepted.
    EncodingUnsupported(String),
    /// The call took longer than it may.
    Deadline,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        use ErrorReason as R;
        let (code, reason, message) = match refusal {
            Refusal::Malformed(text) => (Code::InvalidArgument, R::Malformed, text),
            Refusal::MessageTooLarge(text) => (Code::OutOfRange, R::MessageTooLarge, text),
            Refusal::MethodUnknown => (
                Code::Unimplemented,
                R::MethodUnknown,
                "there is no such method".into(),
            ),
            Refusal::EncodingUnsupported(text) => {
                (Code::Unimplemented, R::EncodingUnsupported, text)
            }
            // The code and the text that tonic uses for the same thing.
            Refusal::Deadline => (Code::Cancelled, R::Deadline, "Timeout expired".into()),
        };
        Facts::new(code, reason).into_status(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_is_the_same_bytes_every_time() {
        let one = Status::from(Error::NotFound).into_http::<tonic::body::Body>();
        let other = Status::from(Error::NotFound).into_http::<tonic::body::Body>();
        assert_eq!(one.headers(), other.headers());
        let status = Status::from(Error::NotFound);
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "NOT_FOUND");
        assert_eq!(info.domain, "kiln");
        assert!(info.metadata.is_empty());
    }

    #[test]
    fn all_violations_come_at_once_and_the_first_names_the_reason() {
        let violations = [FieldRule::PasswordTooShort, FieldRule::Email].map(|rule| Violation {
            field: "f",
            rule,
            message: "m".into(),
        });
        let status = Status::from(Error::Invalid(violations.to_vec()));
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "PASSWORD_TOO_SHORT");
        let reasons: Vec<String> = status
            .get_details_bad_request()
            .expect("violations")
            .field_violations
            .into_iter()
            .map(|violation| violation.reason)
            .collect();
        assert_eq!(reasons, ["PASSWORD_TOO_SHORT", "EMAIL_INVALID"]);
    }

    #[test]
    fn throttling_says_when_to_come_back() {
        let retry_after = Duration::from_secs(61);
        let status = Status::from(Error::Throttled { retry_after });
        assert_eq!(status.code(), Code::ResourceExhausted);
        let retry = status.get_details_retry_info().expect("a delay");
        assert_eq!(retry.retry_delay, Some(retry_after));
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_here() {
        let status = Status::from(Error::internal("password table is on fire"));
        assert_eq!(status.code(), Code::Internal);
        assert!(!format!("{status:?}").contains("fire"));
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "INTERNAL");
        assert!(status.message().contains(&info.metadata["correlation_id"]));
    }

    #[test]
    fn reasons_are_the_names_of_the_schema_without_prefix() {
        assert_eq!(name(ErrorReason::ScopeRequired), "SCOPE_REQUIRED");
        for number in 1..=i32::from(u8::MAX) {
            if let Ok(reason) = ErrorReason::try_from(number) {
                assert!(!name(reason).starts_with("ERROR_REASON"), "{reason:?}");
            }
        }
    }
}
