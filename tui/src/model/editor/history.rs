//! Older prompts, and the draft below them. What is changed in an older prompt
//! is kept until one of them is sent.

use std::collections::BTreeMap;

/// Prompts that are kept.
const PROMPTS: usize = 200;

/// Older prompts, oldest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct History {
    prompts: Vec<String>,
    visit: Option<Visit>,
}

/// The user looks at an older prompt.
#[derive(Clone, PartialEq, Eq)]
struct Visit {
    /// Which is shown.
    at: usize,
    /// What was written before.
    draft: String,
    /// What only prompts are shown that begin with this.
    prefix: String,
    /// Older prompts that were changed since.
    changed: BTreeMap<usize, String>,
}

impl History {
    /// Keeps a prompt that was sent.
    pub(super) fn push(&mut self, prompt: &str) {
        self.visit = None;
        if prompt.trim().is_empty() || self.prompts.last().is_some_and(|last| last == prompt) {
            return;
        }
        if self.prompts.len() == PROMPTS {
            self.prompts.remove(0);
        }
        self.prompts.push(prompt.to_owned());
    }

    /// Goes back to the bottom; the draft is forgotten.
    pub(super) fn leave(&mut self) {
        self.visit = None;
    }

    /// What was written before an older prompt was shown.
    pub(super) fn draft(&self) -> Option<&str> {
        self.visit.as_ref().map(|visit| visit.draft.as_str())
    }

    /// The prompt before, instead of what is shown.
    pub(super) fn previous(&mut self, shown: &str, prefix: &str) -> Option<String> {
        let (from, prefix) = match &self.visit {
            Some(visit) => (visit.at, visit.prefix.clone()),
            None => (self.prompts.len(), prefix.to_owned()),
        };
        let at = self.prompts[..from].iter().rposition(|prompt| {
            // What is shown already would look as if nothing happened.
            prompt.starts_with(&prefix) && prompt != shown
        })?;
        let visit = self.visit.get_or_insert_with(|| Visit {
            at,
            draft: shown.to_owned(),
            prefix,
            changed: BTreeMap::new(),
        });
        if from < self.prompts.len() && self.prompts[from] != shown {
            visit.changed.insert(from, shown.to_owned());
        }
        visit.at = at;
        Some(visit.changed.get(&at).unwrap_or(&self.prompts[at]).clone())
    }

    /// The prompt after, or the draft, instead of what is shown.
    pub(super) fn next(&mut self, shown: &str) -> Option<String> {
        let visit = self.visit.as_mut()?;
        if self.prompts[visit.at] != shown {
            visit.changed.insert(visit.at, shown.to_owned());
        }
        let after = visit.at + 1;
        let found = self.prompts[after..]
            .iter()
            .position(|prompt| prompt.starts_with(&visit.prefix) && prompt != shown);
        match found {
            Some(distance) => {
                let at = after + distance;
                visit.at = at;
                Some(visit.changed.get(&at).unwrap_or(&self.prompts[at]).clone())
            }
            None => self.visit.take().map(|visit| visit.draft),
        }
    }
}
