//! A text that the user writes: the prompt, a field, a password.
//!
//! The text is kept as it will be sent; what would steer a terminal is replaced
//! only where it is drawn. The editor knows no keys: what a key means is an
//! [`Edit`]. It refuses control characters, and text beyond its limit.

mod action;
mod history;
mod layout;
mod place;
#[cfg(test)]
mod tests;
mod typed;
mod undo;

use std::fmt;

pub use self::action::{Applied, Edit};
use self::history::History;
pub use self::layout::Drawn;
use self::undo::{Change, Undo};

/// The most that a prompt may have, in bytes; the daemon accepts no more.
pub const PROMPT_LIMIT: usize = 64 * 1024;

/// The most that a field of one line may have, in bytes.
pub const LINE_LIMIT: usize = 1024;

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Several lines, with a history.
    Prompt,
    /// One line.
    Line,
    /// One line that is not shown.
    Masked,
}

/// A text with a cursor.
#[derive(Clone, PartialEq, Eq)]
pub struct Editor {
    kind: Kind,
    text: String,
    /// A byte, always between two grapheme clusters.
    cursor: usize,
    /// The column that moves up and down go back to.
    column: Option<usize>,
    /// What was cut last, to be put back.
    killed: String,
    undo: Undo,
    history: History,
    /// Columns and rows of the place where it is drawn.
    size: (usize, usize),
    /// The first row that is drawn, of the rows that there are.
    top: usize,
}

impl Editor {
    /// Several lines, with a history.
    #[must_use]
    pub fn prompt() -> Self {
        Self::new(Kind::Prompt)
    }

    /// One line.
    #[must_use]
    pub fn line() -> Self {
        Self::new(Kind::Line)
    }

    /// One line that is not shown: a password.
    #[must_use]
    pub fn masked() -> Self {
        Self::new(Kind::Masked)
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            text: String::new(),
            cursor: 0,
            column: None,
            killed: String::new(),
            undo: Undo::default(),
            history: History::default(),
            size: (80, 1),
            top: 0,
        }
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is written, as it will be sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Where the cursor is, in bytes of the text.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The most that it may hold, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        match self.kind {
            Kind::Prompt => PROMPT_LIMIT,
            Kind::Line | Kind::Masked => LINE_LIMIT,
        }
    }

    /// Takes the text out, to be sent. It goes to the history, and the editor is
    /// empty, with nothing to undo.
    pub fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        if self.kind == Kind::Prompt {
            self.history.push(&text);
        }
        self.clear();
        text
    }

    /// Empties the editor; the history stays.
    pub fn clear(&mut self) {
        self.text.clear();
        self.killed.clear();
        self.history.leave();
        self.start_anew(0);
    }

    /// What is to be kept when the user goes elsewhere: what was written last,
    /// also while an older prompt is shown.
    #[must_use]
    pub fn draft(&self) -> &str {
        self.history.draft().unwrap_or(&self.text)
    }

    /// Puts a text in place of what is there, with the cursor at its end. Says
    /// whether it had to be cut.
    pub fn restore(&mut self, text: &str) -> Applied {
        let (text, dropped) = typed::cut(typed::clean(text, self.kind), self.limit());
        self.text = text;
        self.history.leave();
        self.start_anew(self.text.len());
        if dropped > 0 {
            Applied::Cut { dropped }
        } else {
            Applied::Changed
        }
    }

    /// Makes older prompts known, oldest first.
    pub fn remember<'a>(&mut self, prompts: impl IntoIterator<Item = &'a str>) {
        for prompt in prompts {
            let (prompt, _) = typed::cut(typed::clean(prompt, self.kind), self.limit());
            self.history.push(&prompt);
        }
    }

    /// Nothing to undo, and the cursor as close to a byte as may be.
    fn start_anew(&mut self, cursor: usize) {
        self.undo = Undo::default();
        self.top = 0;
        self.cursor = place::settle(&self.text, cursor);
        self.column = None;
        self.follow();
    }

    /// Puts a text in place of a range of bytes, with the cursor behind it.
    fn replace(&mut self, range: std::ops::Range<usize>, with: &str, typed: bool) {
        let change = Change {
            at: range.start,
            removed: self.text[range.clone()].to_owned(),
            inserted: with.to_owned(),
            before: self.cursor,
        };
        self.text.replace_range(range.clone(), with);
        self.cursor = place::settle(&self.text, range.start + with.len());
        self.undo.record(change, typed);
        self.column = None;
    }
}

impl fmt::Debug for Editor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = out.debug_struct("Editor");
        fields.field("kind", &self.kind);
        match self.kind {
            Kind::Prompt | Kind::Line => {
                fields
                    .field("text", &self.text)
                    .field("cursor", &self.cursor);
            }
            Kind::Masked => {}
        }
        fields.finish_non_exhaustive()
    }
}
