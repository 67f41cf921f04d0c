//! Text that is ready to be drawn: pieces with a meaning, in rows that fit.
//!
//! - [`role`]: what a piece means. [`columns`] and [`wrap`]: making it fit.
//! - [`markdown`]: prose. [`code`]: code, with the meanings of its words.
//!
//! Nothing here knows colours, the terminal or the daemon. Text that comes in
//! has been cleaned where it entered the client (`sanitise`); widths are
//! columns of a terminal, not characters.

pub mod code;
pub mod columns;
pub mod markdown;
pub mod role;
pub mod wrap;

use unicode_width::UnicodeWidthStr;

pub use self::role::Role;

/// A piece of text with one meaning. It holds no line feed and no tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// What it means.
    pub role: Role,
}

impl Piece {
    /// A piece with a meaning.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            role,
        }
    }
}

/// A row of pieces, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// From left to right.
    pub pieces: Vec<Piece>,
}

impl Row {
    /// A row of one piece.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::new(role, text)],
        }
    }

    /// Adds a piece at the end.
    #[must_use]
    pub fn add(mut self, role: Role, text: impl Into<String>) -> Self {
        self.push(role, text);
        self
    }

    /// Adds a piece at the end; joins it to the one before where both mean the
    /// same.
    pub fn push(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if last.role == role => last.text.push_str(&text),
            _ => self.pieces.push(Piece { text, role }),
        }
    }

    /// Columns that it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.width()).sum()
    }

    /// What it says, without meanings.
    #[must_use]
    pub fn plain(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect()
    }
}
