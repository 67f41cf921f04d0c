//! What was changed, so that it can be taken back and done again.
//!
//! Letters of one word are one change. Old changes are forgotten beyond a bound.

use std::collections::VecDeque;

/// Changes that are kept.
const CHANGES: usize = 1000;

/// Bytes of text that are kept in them.
const BYTES: usize = 1024 * 1024;

/// A change of a text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The byte where it happened.
    pub(super) at: usize,
    /// What was there.
    pub(super) removed: String,
    /// What is there now.
    pub(super) inserted: String,
    /// Where the cursor was.
    pub(super) before: usize,
}

impl Change {
    fn bytes(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }
}

/// The changes of a text.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Undo {
    done: VecDeque<Change>,
    undone: Vec<Change>,
    bytes: usize,
    /// Whether the last change may grow by a letter.
    open: bool,
}

impl Undo {
    /// Keeps a change; `typed` where it was a single letter.
    pub(super) fn record(&mut self, change: Change, typed: bool) {
        if change.bytes() == 0 {
            return;
        }
        for undone in self.undone.drain(..) {
            self.bytes -= undone.bytes();
        }
        self.bytes += change.bytes();
        match self.done.back_mut() {
            Some(last) if self.open && typed && continues(last, &change) => {
                last.inserted.push_str(&change.inserted);
            }
            _ => self.done.push_back(change),
        }
        self.open = typed;
        while self.done.len() > CHANGES || (self.bytes > BYTES && self.done.len() > 1) {
            if let Some(old) = self.done.pop_front() {
                self.bytes -= old.bytes();
            }
        }
    }

    /// The next letter begins a change of its own.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Takes the last change back; gives the place of the cursor.
    pub(super) fn undo(&mut self, text: &mut String) -> Option<usize> {
        let change = self.done.pop_back()?;
        self.open = false;
        text.replace_range(
            change.at..change.at + change.inserted.len(),
            &change.removed,
        );
        let cursor = change.before;
        self.undone.push(change);
        Some(cursor)
    }

    /// Does the change again that was taken back last; gives the place of the
    /// cursor.
    pub(super) fn redo(&mut self, text: &mut String) -> Option<usize> {
        let change = self.undone.pop()?;
        self.open = false;
        text.replace_range(
            change.at..change.at + change.removed.len(),
            &change.inserted,
        );
        let cursor = change.at + change.inserted.len();
        self.done.push_back(change);
        Some(cursor)
    }
}

/// Whether a letter goes on with the word of the change before.
fn continues(last: &Change, letter: &Change) -> bool {
    let new_word = last.inserted.ends_with(char::is_whitespace)
        && !letter.inserted.starts_with(char::is_whitespace);
    letter.removed.is_empty()
        && letter.at == last.at + last.inserted.len()
        && !new_word
        && letter.inserted != "\n"
}
