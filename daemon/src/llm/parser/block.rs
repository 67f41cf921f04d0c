//! A block that is being read: what is known of it, and what it comes to.

use super::answer::Malformed;
use super::{hunks, line};
use crate::domain::event::OperationKind;
use crate::domain::operation::Operation;

/// A block that is not closed yet.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) index: i32,
    pub(super) kind: OperationKind,
    pub(super) path: String,
    /// The line that opened it.
    pub(super) line: String,
    /// What was wrong with that line.
    pub(super) problem: Option<String>,
    pub(super) closing_tag: &'static str,
    /// Spaces before the opening tag.
    pub(super) indent: usize,
    pub(super) content: String,
    pub(super) first_line: bool,
    /// The backticks of the fence that was dropped at the beginning.
    pub(super) fence: Option<String>,
    /// A closing fence; whether it is content depends on the line after it.
    pub(super) held_fence: Option<String>,
}

impl Block {
    /// Whether the beginning of a line may become the closing tag or a fence.
    pub(super) fn may_become_special(&self, line: &str) -> bool {
        line::may_become_closing(line, self.closing_tag, self.indent)
            || (self.first_line && line::may_become_fence(line))
            || self
                .fence
                .as_deref()
                .is_some_and(|fence| line::may_become_closing_fence(line, fence))
    }

    /// The operation that the block is, now that it is complete.
    pub(super) fn operation(self) -> Result<Operation, Malformed> {
        let (path, content) = (self.path, self.content);
        let operation = match self.problem {
            Some(problem) => Err(problem),
            None if self.kind == OperationKind::Edit => {
                hunks::parse(&content).map(|hunks| Operation::Edit { path, hunks })
            }
            None => Ok(Operation::Write { path, content }),
        };
        operation.map_err(|problem| Malformed {
            index: Some(self.index),
            line: self.line,
            problem,
        })
    }
}

pub(super) fn size(content: &str) -> i64 {
    i64::try_from(content.len()).unwrap_or(i64::MAX)
}
