//! What an answer comes to: events while it is read, and its ending.

use crate::domain::event::OperationKind;
use crate::domain::operation::Operation;

/// What the parser saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParserEvent {
    /// A piece of prose.
    Text(String),
    /// A block began.
    FileStarted {
        /// Index of the operation, from 0, dense over blocks and other operations.
        index: i32,
        /// Write or edit.
        kind: OperationKind,
        /// As the model gave it.
        path: String,
    },
    /// A piece of a block; of an edit, with its markers.
    FileDelta {
        /// Index of the operation.
        index: i32,
        /// The piece.
        text: String,
    },
    /// A block was closed.
    FileFinished {
        /// Index of the operation.
        index: i32,
        /// Bytes of all its pieces.
        size_bytes: i64,
    },
    /// An operation without content.
    Operation {
        /// Its index.
        index: i32,
        /// The operation.
        operation: Operation,
    },
}

/// What an answer came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The operations that are complete, in their order. Their places are the
    /// indices of the events, as long as nothing is malformed.
    pub operations: Vec<Operation>,
    /// What looks like an operation and is none, in order.
    pub malformed: Vec<Malformed>,
    /// What the end of the answer cut off.
    pub open: Option<Open>,
}

impl Ending {
    /// Whether the answer is whole: nothing malformed, nothing cut off.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.malformed.is_empty() && self.open.is_none()
    }
}

/// Something that looks like an operation and is none. The text is for people
/// and for the model that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {problem}")]
pub struct Malformed {
    /// Index of the operation, if a block was begun.
    pub index: Option<i32>,
    /// The beginning of the line with the tag.
    pub line: String,
    /// What is wrong.
    pub problem: String,
}

/// What the end of an answer cut off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Open {
    /// A block without its closing tag.
    #[error("the answer ends inside {path}")]
    Block {
        /// Index of the operation.
        index: i32,
        /// Write or edit.
        kind: OperationKind,
        /// As the model gave it.
        path: String,
        /// Bytes of content that came.
        size_bytes: i64,
    },
    /// A tag without its end.
    #[error("the answer ends inside a tag: {line}")]
    Tag {
        /// The beginning of the line with the tag.
        line: String,
    },
}
