//! Short words about something that just happened; they go away by themselves.

use crate::text::Role;

/// How long an ordinary one stays; milliseconds.
const STAYS_MS: i64 = 4_000;
/// How long one stays that says what went wrong; milliseconds.
const STAYS_LONG_MS: i64 = 10_000;
/// How many are kept.
const KEPT: usize = 3;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it means.
    pub role: Role,
    /// What it says.
    pub text: String,
    /// When it goes; milliseconds since 1970.
    pub until_ms: i64,
}

/// Those that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    shown: Vec<Notice>,
}

impl Notices {
    /// Shows one. The same words again only stay longer.
    pub fn say(&mut self, role: Role, text: impl Into<String>, now_ms: i64) {
        let text = text.into();
        let stays = match role {
            Role::Error | Role::Warn => STAYS_LONG_MS,
            _ => STAYS_MS,
        };
        self.shown.retain(|notice| notice.text != text);
        self.shown.push(Notice {
            role,
            text,
            until_ms: now_ms + stays,
        });
        if self.shown.len() > KEPT {
            self.shown.remove(0);
        }
    }

    /// Takes away what was there long enough. True if anything went.
    pub fn expire(&mut self, now_ms: i64) -> bool {
        let before = self.shown.len();
        self.shown.retain(|notice| notice.until_ms > now_ms);
        self.shown.len() != before
    }

    /// Takes all away. True if there was any.
    pub fn clear(&mut self) -> bool {
        let any = !self.shown.is_empty();
        self.shown.clear();
        any
    }

    /// Oldest first.
    #[must_use]
    pub fn shown(&self) -> &[Notice] {
        &self.shown
    }

    /// When the next one goes.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.shown.iter().map(|notice| notice.until_ms).min()
    }
}
