//! What can go wrong between us and a provider, and what is tried again.
//!
//! Only what fails before the first token is tried again: after it there is text
//! that somebody has seen and paid for.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::chunk::ErrorReport;
use crate::domain::generation::FailureReason;

/// Requests for one answer at most.
pub const TRIES: u32 = 3;

/// The longest time that a provider may ask us to wait; beyond it the call fails
/// and says when to come back.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Wait before the second try, without jitter.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Why there is no answer, or no whole one. Its message is for people, and holds
/// nothing that a provider wrote, nor the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// Why.
    pub reason: FailureReason,
    /// For people: what happened and what to do.
    pub message: String,
    /// When to come back, where the provider said so.
    pub retry_after: Option<Duration>,
    /// Whether there is partial text.
    pub after_first_token: bool,
}

/// A failed try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error: UpstreamError,
    /// Whether another try may go better.
    pub(super) transient: bool,
}

impl Failure {
    pub(super) fn lasting(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            error: UpstreamError {
                reason,
                message: message.into(),
                retry_after: None,
                after_first_token: false,
            },
            transient: false,
        }
    }

    pub(super) fn transient(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            transient: true,
            ..Self::lasting(reason, message)
        }
    }

    /// What an HTTP status other than 200 stands for.
    pub(super) fn from_status(status: u16, retry_after: Option<Duration>) -> Self {
        use FailureReason as R;
        let mut failure = match status {
            300..400 => Self::lasting(
                R::UpstreamProtocol,
                format!(
                    "the model endpoint redirects (HTTP {status}), which is not followed; check model.base_url"
                ),
            ),
            401 => Self::lasting(
                R::UpstreamKeyInvalid,
                "the model provider refuses the key (HTTP 401); set a valid one",
            ),
            402 => Self::lasting(
                R::NoCredits,
                "the account at the model provider has no credits left (HTTP 402)",
            ),
            403 => Self::lasting(
                R::Moderated,
                "the model provider refuses the prompt, by moderation or by its rules for this key (HTTP 403)",
            ),
            404 => Self::lasting(
                R::ModelNotFound,
                "the model provider does not know this model (HTTP 404); choose another, or check model.base_url",
            ),
            429 => Self::transient(
                R::UpstreamRateLimited,
                "the model provider is limiting calls (HTTP 429); try again later",
            ),
            408 | 500.. => Self::transient(
                R::UpstreamUnavailable,
                format!("the model provider is not available (HTTP {status}); try again later"),
            ),
            400..500 => Self::lasting(
                R::BadRequest,
                format!(
                    "the model provider refuses the request (HTTP {status}); the prompt may be too long for the model"
                ),
            ),
            _ => Self::lasting(
                R::UpstreamProtocol,
                format!(
                    "the model endpoint answers HTTP {status} where 200 was expected; check model.base_url"
                ),
            ),
        };
        failure.error.retry_after = retry_after;
        failure
    }

    /// What an error inside a stream stands for.
    pub(super) fn from_report(report: &ErrorReport, after_first_token: bool) -> Self {
        match report.status {
            Some(status) if !after_first_token && status >= 400 => Self::from_status(status, None),
            _ => Self::transient(
                FailureReason::UpstreamError,
                format!("the model provider reports an error ({report}); try again"),
            ),
        }
    }

    /// What a request that got no answer stands for.
    pub(super) fn from_request(error: &reqwest::Error) -> Self {
        if speaks_no_http(error) {
            return Self::lasting(
                FailureReason::UpstreamProtocol,
                "what answers at the model endpoint does not speak http; check model.base_url",
            );
        }
        Self::transient(
            FailureReason::UpstreamUnavailable,
            "cannot reach the model endpoint; check the network and model.base_url",
        )
    }
}

fn speaks_no_http(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse();
        }
        cause = error.source();
    }
    false
}

/// How long to wait before retry number `retry`, counted from 0: twice as long
/// each time, and up to a fifth more or less. `random` is from 0 to 1.
#[must_use]
pub fn backoff(first: Duration, retry: u32, random: f64) -> Duration {
    let doubled = first.saturating_mul(1 << retry.min(16));
    doubled.mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0))
}

/// The wait that a provider asks for, given in seconds or as a date.
pub(super) fn retry_after(
    status: StatusCode,
    headers: &HeaderMap,
    now: OffsetDateTime,
) -> Option<Duration> {
    if status.is_success() {
        return None;
    }
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some((date - now).try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn waits_double_and_stay_within_a_fifth() {
        for (retry, middle) in [(0, 0.5), (1, 1.0), (2, 2.0)] {
            for random in [0.0, 0.5, 1.0] {
                let wait = backoff(FIRST_WAIT, retry, random).as_secs_f64();
                let expected = middle * (0.8 + 0.4 * random);
                assert!(
                    (wait - expected).abs() < 1e-6,
                    "retry {retry}, random {random}: {wait}"
                );
            }
        }
    }

    #[test]
    fn a_wait_is_read_as_seconds_and_as_a_date() {
        let now = datetime!(2026-01-05 10:00:00 UTC);
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(StatusCode::TOO_MANY_REQUESTS, &headers, now)
        };
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(
            read("Mon, 05 Jan 2026 10:00:07 GMT"),
            Some(Duration::from_secs(7))
        );
        assert_eq!(read("Mon, 05 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "1e400"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
