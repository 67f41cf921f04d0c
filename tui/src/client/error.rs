//! What can go wrong between here and the daemon, sorted once: try again, sign
//! in, another version, or simply refused. Nothing else looks at a status.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::address::Address;
use super::credentials::CredentialsError;

/// Whose reasons Kiln's own are.
const DOMAIN: &str = "kiln";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers there, or what answers does not speak gRPC.
    #[error("cannot reach kilnd at {address}: {cause}")]
    Unreachable {
        /// Where it was tried.
        address: Address,
        /// What the system says.
        cause: String,
        /// What kind of failure it is.
        kind: UnreachableKind,
    },
    /// There is no credential, or the daemon no longer takes it.
    #[error("not signed in to {address}: {why}")]
    NotSignedIn {
        /// The daemon.
        address: Address,
        /// Why, for people.
        why: String,
        /// The daemon's reason, or `AUTH_REQUIRED` where it was not asked.
        reason: String,
    },
    /// The daemon refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The credentials on this machine cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// What belongs to the connection on this machine cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The daemon broke its own rules.
    #[error("the daemon sent {0}")]
    Protocol(String),
    /// A stream broke without an error: it ended early, or went silent.
    #[error("{0}")]
    Interrupted(String),
}

/// What kind of silence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreachableKind {
    /// Nobody listens there.
    NoDaemon,
    /// The socket is somebody else's.
    NoPermission,
    /// TLS could not be agreed on.
    Tls,
    /// It broke off or did not answer in time.
    Broken,
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code by name, such as `NOT_FOUND`.
    pub code: &'static str,
    /// Kiln's reason, such as `PROMPT_EMPTY`; `None` if somebody else refused.
    pub reason: Option<String>,
    /// For people. Not cleaned of control characters.
    pub message: String,
    /// What the reason carries.
    pub metadata: BTreeMap<String, String>,
    /// Fields that are wrong, each with what is wrong.
    pub violations: Vec<(String, String)>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Whether the same call may do better later.
    pub retryable: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.message.is_empty() {
            self.code
        } else {
            &self.message
        })?;
        for (field, what) in &self.violations {
            if !self.message.contains(what.as_str()) {
                write!(f, "; {field}: {what}")?;
            }
        }
        Ok(())
    }
}

impl Error {
    /// Whether the same call may do better later, by itself.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { kind, .. } => match kind {
                UnreachableKind::NoDaemon | UnreachableKind::Broken => true,
                UnreachableKind::NoPermission | UnreachableKind::Tls => false,
            },
            Self::Refused(refusal) => refusal.retryable,
            Self::Interrupted(_) => true,
            Self::NotSignedIn { .. }
            | Self::Credentials(_)
            | Self::Setup(_)
            | Self::Protocol(_) => false,
        }
    }

    /// How long the daemon asked to wait, at most half a minute.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal
                .retry_after
                .map(|wait| wait.min(Duration::from_secs(30))),
            Self::Unreachable { .. }
            | Self::NotSignedIn { .. }
            | Self::Credentials(_)
            | Self::Setup(_)
            | Self::Protocol(_)
            | Self::Interrupted(_) => None,
        }
    }

    /// Kiln's reason, if the daemon gave one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.reason.as_deref(),
            Self::NotSignedIn { reason, .. } => Some(reason),
            Self::Unreachable { .. }
            | Self::Credentials(_)
            | Self::Setup(_)
            | Self::Protocol(_)
            | Self::Interrupted(_) => None,
        }
    }

    /// Whether a fresh sign-in would help.
    pub(super) fn wants_sign_in(&self) -> bool {
        match self {
            Self::NotSignedIn { .. } => true,
            // On somebody else's socket a password does what the socket does not.
            Self::Refused(refusal) => matches!(
                refusal.reason.as_deref(),
                Some("FRESH_SIGN_IN_REQUIRED" | "NOT_LOCAL_OWNER")
            ),
            Self::Unreachable { .. }
            | Self::Credentials(_)
            | Self::Setup(_)
            | Self::Protocol(_)
            | Self::Interrupted(_) => false,
        }
    }

    /// Silence: the call went out, and nothing came back in time.
    pub(super) fn timed_out(address: &Address, limit: Duration) -> Self {
        Self::Unreachable {
            address: address.clone(),
            cause: format!("no answer within {} s", limit.as_secs()),
            kind: UnreachableKind::Broken,
        }
    }

    /// Sorts a connection that was never made.
    pub(super) fn from_connect(address: &Address, error: &tonic::transport::Error) -> Self {
        let (cause, kind) = sort_chain(error);
        Self::Unreachable {
            address: address.clone(),
            cause,
            kind,
        }
    }

    /// Sorts a status: the daemon's own, or what stands for a broken connection.
    pub(super) fn from_status(address: &Address, status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        if info.is_none() && is_transport(status) {
            let (cause, kind) = status.source().map_or_else(
                || (status.message().to_owned(), UnreachableKind::Broken),
                sort_chain,
            );
            return Self::Unreachable {
                address: address.clone(),
                cause,
                kind,
            };
        }
        let reason = info.map(|info| info.reason.clone());
        if status.code() == Code::Unauthenticated
            && reason.as_deref().is_none_or(is_about_the_credential)
        {
            return Self::NotSignedIn {
                address: address.clone(),
                why: status.message().to_owned(),
                reason: reason.unwrap_or_else(|| "AUTH_REQUIRED".to_owned()),
            };
        }
        Self::Refused(Box::new(Refusal {
            code: code_name(status.code()),
            retryable: is_retryable(status.code(), reason.as_deref()),
            reason,
            message: status.message().to_owned(),
            metadata: info.map_or_else(BTreeMap::new, |info| {
                info.metadata
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            }),
            violations: details.bad_request().map_or_else(Vec::new, |bad| {
                bad.field_violations
                    .iter()
                    .map(|v| (v.field.clone(), v.description.clone()))
                    .collect()
            }),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }))
    }
}

/// Whether a fresh credential would help; a wrong password would not be.
fn is_about_the_credential(reason: &str) -> bool {
    matches!(
        reason,
        "AUTH_REQUIRED" | "TOKEN_INVALID" | "SESSION_EXPIRED"
    )
}

/// A status that this side made up because the connection broke. Statuses that
/// came over the wire have no source.
fn is_transport(status: &Status) -> bool {
    status.code() == Code::Unavailable || status.source().is_some()
}

fn is_retryable(code: Code, reason: Option<&str>) -> bool {
    match reason {
        Some(
            "SHUTTING_DOWN" | "DB_UNAVAILABLE" | "DB_TIMEOUT" | "SLOW_CONSUMER" | "OVERLOADED"
            | "CONFLICT" | "DEADLINE",
        ) => true,
        Some(_) => false,
        None => matches!(
            code,
            Code::Unavailable | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded
        ),
    }
}

/// The innermost cause, and what kind it is.
fn sort_chain(error: &(dyn std::error::Error + 'static)) -> (String, UnreachableKind) {
    let mut kind = UnreachableKind::Broken;
    let mut cause = error.to_string();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    kind = UnreachableKind::NoDaemon;
                }
                std::io::ErrorKind::PermissionDenied => kind = UnreachableKind::NoPermission,
                _ => {}
            }
            // Errors of TLS arrive inside an I/O error, without being its source.
            if let Some(inner) = io.get_ref()
                && inner.is::<rustls::Error>()
            {
                kind = UnreachableKind::Tls;
            }
        }
        if error.is::<rustls::Error>() {
            kind = UnreachableKind::Tls;
        }
        if !text.is_empty() {
            cause = text;
        }
        next = error.source();
    }
    (cause, kind)
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn address() -> Address {
        Address::parse("http://127.0.0.1:1").unwrap()
    }

    fn kiln(code: Code, reason: &str) -> Error {
        let details =
            ErrorDetails::with_error_info(reason, DOMAIN, [("state".to_owned(), "X".to_owned())]);
        Error::from_status(
            &address(),
            &Status::with_error_details(code, "text", details),
        )
    }

    #[test]
    fn the_daemons_reasons_are_kept() {
        let error = kiln(Code::FailedPrecondition, "SANDBOX_STATE");
        assert_eq!(error.reason(), Some("SANDBOX_STATE"));
        assert!(!error.is_retryable());
        let Error::Refused(refusal) = error else {
            panic!("{error:?}")
        };
        assert_eq!(refusal.code, "FAILED_PRECONDITION");
        assert_eq!(refusal.metadata["state"], "X");
    }

    #[test]
    fn somebody_elses_reasons_are_not_ours() {
        let details = ErrorDetails::with_error_info("X", "proxy.example", []);
        let status = Status::with_error_details(Code::NotFound, "text", details);
        assert_eq!(Error::from_status(&address(), &status).reason(), None);
    }

    #[test]
    fn what_is_worth_trying_again() {
        assert!(kiln(Code::Unavailable, "SHUTTING_DOWN").is_retryable());
        assert!(kiln(Code::ResourceExhausted, "SLOW_CONSUMER").is_retryable());
        assert!(!kiln(Code::Unavailable, "DOCKER_UNAVAILABLE").is_retryable());
        assert!(!kiln(Code::OutOfRange, "SEQ_AHEAD").is_retryable());
        assert!(Error::from_status(&address(), &Status::unavailable("gone")).is_retryable());
        assert!(!Error::from_status(&address(), &Status::internal("bug")).is_retryable());
    }

    #[test]
    fn only_credentials_are_a_matter_of_signing_in() {
        for reason in ["AUTH_REQUIRED", "TOKEN_INVALID", "SESSION_EXPIRED"] {
            assert!(matches!(
                kiln(Code::Unauthenticated, reason),
                Error::NotSignedIn { .. }
            ));
        }
        assert!(matches!(
            kiln(Code::Unauthenticated, "BAD_CREDENTIALS"),
            Error::Refused(_)
        ));
        assert!(kiln(Code::PermissionDenied, "NOT_LOCAL_OWNER").wants_sign_in());
        assert!(!kiln(Code::PermissionDenied, "ROLE_REQUIRED").wants_sign_in());
    }
}
