//! Reading the fields of a request: every violation is collected, so that a
//! caller hears of all of them at once.

use std::str::FromStr;

use crate::domain::error::{Error, FieldRule, Violation};

/// The violations of one request.
#[derive(Debug, Default)]
pub struct Fields {
    violations: Vec<Violation>,
}

impl Fields {
    /// Takes a field that was read, or notes what is wrong with it.
    pub fn take<T>(&mut self, read: Result<T, Violation>) -> Option<T> {
        read.map_err(|violation| self.violations.push(violation))
            .ok()
    }

    /// Notes that a field breaks a rule that has no reason of its own.
    pub fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        self.violations.push(Violation {
            field,
            rule: FieldRule::Field,
            message: message.into(),
        });
    }

    /// Takes an id.
    pub fn id<T: FromStr>(&mut self, field: &'static str, text: &str) -> Option<T> {
        self.take(text.parse().map_err(|_| Violation {
            field,
            rule: FieldRule::Id,
            message: "must be a UUID".into(),
        }))
    }

    /// Takes an id that may be omitted: the inner `None`.
    pub fn optional_id<T: FromStr>(
        &mut self,
        field: &'static str,
        text: &str,
    ) -> Option<Option<T>> {
        if text.is_empty() {
            Some(None)
        } else {
            self.id(field, text).map(Some)
        }
    }

    /// Takes a number of days, which has a default and a cap.
    pub fn days(&mut self, field: &'static str, given: i32, default: i32, cap: i32) -> Option<i32> {
        match given {
            0 => Some(default),
            days if (1..=cap).contains(&days) => Some(days),
            _ => {
                self.refuse(field, format!("must be 1 to {cap}"));
                None
            }
        }
    }

    /// Whether nothing was refused.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The error that names all violations. For the case that a field is missing
    /// because it was refused.
    #[must_use]
    pub fn into_error(self) -> Error {
        debug_assert!(!self.violations.is_empty(), "nothing was refused");
        Error::Invalid(self.violations)
    }
}
