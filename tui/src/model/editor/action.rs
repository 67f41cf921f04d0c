//! What can be done to a text, and what came of it.

use std::fmt;

use super::{Editor, Kind, place, typed};

/// What the user does to a text.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// Writes a character.
    Insert(char),
    /// Puts in text that was copied elsewhere.
    Paste(String),
    /// Begins a new line.
    Newline,
    /// Removes what is before the cursor.
    Backspace,
    /// Removes what is behind the cursor.
    Delete,
    /// Removes the word before the cursor.
    DeleteWordLeft,
    /// Removes the word behind the cursor.
    DeleteWordRight,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// To the start of the word.
    WordLeft,
    /// To the end of the word.
    WordRight,
    /// To the start of the line.
    LineStart,
    /// To the end of the line.
    LineEnd,
    /// To the start of the text.
    TextStart,
    /// To the end of the text.
    TextEnd,
    /// To the row above, as it is drawn.
    Up,
    /// To the row below, as it is drawn.
    Down,
    /// To the cell of what is drawn, from its corner: a click.
    Place(usize, usize),
    /// Cuts from the start of the line to the cursor.
    KillToStart,
    /// Cuts from the cursor to the end of the line; at its end, the line feed.
    KillToEnd,
    /// Puts in what was cut last.
    Yank,
    /// Takes the last change back.
    Undo,
    /// Does again what was taken back.
    Redo,
    /// Shows the prompt before.
    HistoryPrevious,
    /// Shows the prompt after, and the draft below the last.
    HistoryNext,
    /// Shows the prompt before that begins as the text does up to the cursor.
    /// [`Edit::HistoryNext`] then keeps to the same beginning.
    HistorySearch,
}

/// A message may be logged; what is typed may be a password.
impl fmt::Debug for Edit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Insert(_) => "Insert",
            Self::Paste(text) => return write!(out, "Paste({} bytes)", text.len()),
            Self::Newline => "Newline",
            Self::Backspace => "Backspace",
            Self::Delete => "Delete",
            Self::DeleteWordLeft => "DeleteWordLeft",
            Self::DeleteWordRight => "DeleteWordRight",
            Self::Left => "Left",
            Self::Right => "Right",
            Self::WordLeft => "WordLeft",
            Self::WordRight => "WordRight",
            Self::LineStart => "LineStart",
            Self::LineEnd => "LineEnd",
            Self::TextStart => "TextStart",
            Self::TextEnd => "TextEnd",
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Place(column, row) => return write!(out, "Place({column}, {row})"),
            Self::KillToStart => "KillToStart",
            Self::KillToEnd => "KillToEnd",
            Self::Yank => "Yank",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::HistoryPrevious => "HistoryPrevious",
            Self::HistoryNext => "HistoryNext",
            Self::HistorySearch => "HistorySearch",
        };
        out.write_str(name)
    }
}

/// What came of an [`Edit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Nothing: there was nowhere to go, or nothing to change.
    Nothing,
    /// The cursor moved.
    Moved,
    /// The text changed.
    Changed,
    /// The text is full: so many bytes were left out. Tell the user.
    Cut {
        /// Bytes that did not fit.
        dropped: usize,
    },
}

impl Editor {
    /// Does what the user wants.
    pub fn apply(&mut self, edit: Edit) -> Applied {
        let applied = match edit {
            Edit::Insert(c) => self.insert(c.encode_utf8(&mut [0; 4]), true),
            Edit::Paste(text) => self.insert(&text, false),
            Edit::Newline => match self.kind {
                Kind::Prompt => self.insert("\n", true),
                Kind::Line | Kind::Masked => Applied::Nothing,
            },
            Edit::Backspace => self.remove(place::previous(&self.text, self.cursor), false),
            Edit::Delete => self.remove(place::next(&self.text, self.cursor), false),
            Edit::DeleteWordLeft => self.remove(self.word_left(), true),
            Edit::DeleteWordRight => self.remove(self.word_right(), true),
            Edit::Left => self.go(place::previous(&self.text, self.cursor)),
            Edit::Right => self.go(place::next(&self.text, self.cursor)),
            Edit::WordLeft => self.go(self.word_left()),
            Edit::WordRight => self.go(self.word_right()),
            Edit::LineStart => self.go(place::line_start(&self.text, self.cursor)),
            Edit::LineEnd => self.go(place::line_end(&self.text, self.cursor)),
            Edit::TextStart => self.go(0),
            Edit::TextEnd => self.go(self.text.len()),
            Edit::Up => self.vertical(-1),
            Edit::Down => self.vertical(1),
            Edit::Place(column, row) => self.go(self.place_at(column, row)),
            Edit::KillToStart => self.remove(place::line_start(&self.text, self.cursor), true),
            Edit::KillToEnd => self.kill_to_end(),
            Edit::Yank => self.insert(&self.killed.clone(), false),
            Edit::Undo => self.go_in_time(true),
            Edit::Redo => self.go_in_time(false),
            Edit::HistoryPrevious => self.older(""),
            Edit::HistorySearch => {
                let prefix = self.text[..self.cursor].to_owned();
                self.older(&prefix)
            }
            Edit::HistoryNext => {
                let shown = self.history.next(&self.text);
                self.show(shown)
            }
        };
        self.follow();
        applied
    }

    fn insert(&mut self, text: &str, is_typed: bool) -> Applied {
        let room = self.limit().saturating_sub(self.text.len());
        let (text, dropped) = typed::cut(typed::clean(text, self.kind), room);
        if !text.is_empty() {
            self.replace(self.cursor..self.cursor, &text, is_typed);
        }
        match (dropped, text.is_empty()) {
            (0, true) => Applied::Nothing,
            (0, false) => Applied::Changed,
            (dropped, _) => Applied::Cut { dropped },
        }
    }

    /// Removes what is between the cursor and another place.
    fn remove(&mut self, to: usize, keep: bool) -> Applied {
        let range = self.cursor.min(to)..self.cursor.max(to);
        if range.is_empty() {
            return Applied::Nothing;
        }
        if keep && self.kind != Kind::Masked {
            self.text[range.clone()].clone_into(&mut self.killed);
        }
        self.replace(range, "", false);
        Applied::Changed
    }

    fn kill_to_end(&mut self) -> Applied {
        let end = place::line_end(&self.text, self.cursor);
        let to = if end == self.cursor {
            place::next(&self.text, self.cursor)
        } else {
            end
        };
        self.remove(to, true)
    }

    fn go(&mut self, to: usize) -> Applied {
        self.column = None;
        self.undo.close();
        if to == self.cursor {
            return Applied::Nothing;
        }
        self.cursor = to;
        Applied::Moved
    }

    /// Where the words of a password are is nobody's business.
    fn word_left(&self) -> usize {
        match self.kind {
            Kind::Prompt | Kind::Line => place::word_left(&self.text, self.cursor),
            Kind::Masked => 0,
        }
    }

    fn word_right(&self) -> usize {
        match self.kind {
            Kind::Prompt | Kind::Line => place::word_right(&self.text, self.cursor),
            Kind::Masked => self.text.len(),
        }
    }

    fn vertical(&mut self, rows: isize) -> Applied {
        let Some((to, column)) = self.beside(rows) else {
            return Applied::Nothing;
        };
        self.go(to);
        self.column = Some(column);
        Applied::Moved
    }

    fn go_in_time(&mut self, back: bool) -> Applied {
        let cursor = if back {
            self.undo.undo(&mut self.text)
        } else {
            self.undo.redo(&mut self.text)
        };
        let Some(cursor) = cursor else {
            return Applied::Nothing;
        };
        self.cursor = place::settle(&self.text, cursor);
        self.column = None;
        Applied::Changed
    }

    fn older(&mut self, prefix: &str) -> Applied {
        let shown = self.history.previous(&self.text, prefix);
        self.show(shown)
    }

    fn show(&mut self, prompt: Option<String>) -> Applied {
        let Some(prompt) = prompt else {
            return Applied::Nothing;
        };
        self.text = prompt;
        self.start_anew(self.text.len());
        Applied::Changed
    }
}
