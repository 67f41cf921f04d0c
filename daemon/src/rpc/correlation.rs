//! The id by which a client and the log speak of the same call. It is accepted
//! or made, put into the span, and sent back; it is not the id that makes a
//! retry safe.

use http::HeaderMap;
use uuid::Uuid;

/// The metadata key, in requests and answers.
pub const HEADER: &str = "x-correlation-id";

/// Characters of an id at most; a longer one is replaced.
const MAX: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of a call, and whether the client chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Correlation {
    pub(super) id: String,
    pub(super) chosen_by_client: bool,
}

impl Correlation {
    /// Takes the id from metadata where there is exactly one of a form that can
    /// stand in a log line; else makes one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(HEADER).iter();
        let only = given.next().filter(|_| given.next().is_none());
        let valid = only
            .and_then(|value| value.to_str().ok())
            .filter(|id| (1..=MAX).contains(&id.len()))
            .filter(|id| {
                id.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            });
        match valid {
            Some(id) => Self {
                id: id.to_owned(),
                chosen_by_client: true,
            },
            None => Self {
                id: fresh(),
                chosen_by_client: false,
            },
        }
    }

    /// Runs a call under its id.
    pub(super) fn scope<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.id.clone(), call)
    }
}

/// The id of the call under way; outside of one (in a stream that goes on after
/// its call was answered) a new one, which then stands in the log and in the
/// status alone.
pub(super) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| fresh())
}

fn fresh() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_accepted_only_in_a_form_that_a_log_can_hold() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, value.parse().expect("a header value"));
            }
            Correlation::of(&headers)
        };
        let chosen = of(&["build-7_a.b"]);
        assert_eq!(
            (chosen.id.as_str(), chosen.chosen_by_client),
            ("build-7_a.b", true)
        );
        let long = "a".repeat(65);
        for refused in [&[][..], &[""], &["a b"], &["a\"b"], &["a", "b"], &[&long]] {
            let made = of(refused);
            assert!(!made.chosen_by_client);
            assert_eq!(made.id.len(), 32);
        }
    }

    #[tokio::test]
    async fn a_call_knows_its_id() {
        let call = Correlation {
            id: "x".into(),
            chosen_by_client: true,
        };
        assert_eq!(call.scope(async { current() }).await, "x");
        assert_ne!(current(), current());
    }
}
