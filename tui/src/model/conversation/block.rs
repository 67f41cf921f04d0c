//! The parts of a turn, each of which is drawn by itself.

use std::time::Duration;

use crate::cli::output::format;
use crate::model::event::{Change, Delta, Finish, Operation, Outcome, Step};
use crate::text::{Role, Row};

/// A part, with the rows that it was last drawn in.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// What it is.
    pub(super) content: Content,
    /// Whether the user unfolded it, or folded it; `None` for what it does by
    /// itself.
    pub(super) open: Option<bool>,
    /// Its rows, and the width they are for; none while it must be drawn anew.
    pub(super) drawn: Option<(usize, Vec<Row>)>,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// What the user wrote.
    Prompt(String),
    /// Prose of the model.
    Prose(Growing),
    /// A file or an edit.
    File(FileBlock),
    /// An operation without content.
    Operation(Operation),
    /// A remark of the client.
    Note(Role, String),
    /// Files were applied: number, and what changed.
    Revision(i32, Vec<Change>),
    /// Steps of the gate.
    Steps(Vec<StepBlock>),
    /// The end; with how long it took.
    End(Box<End>),
}

/// The end of a turn.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) finish: Finish,
    pub(super) took: Duration,
    pub(super) demo: bool,
    /// Whether an earlier prompt had made an app.
    pub(super) had_app: bool,
}

/// A text that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Growing {
    pub(super) text: String,
    held_return: bool,
}

impl Growing {
    pub(super) fn push(&mut self, delta: &Delta) {
        if self.held_return && !delta.begins_line && !delta.text.is_empty() {
            self.text.push_str("^M");
        }
        if !delta.text.is_empty() {
            self.held_return = false;
        }
        self.text.push_str(&delta.text);
        self.held_return |= delta.held_return;
    }
}

/// A file or an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileBlock {
    pub(super) operation: i32,
    pub(super) edits: bool,
    pub(super) path: String,
    pub(super) text: Growing,
    /// Its bytes, once it is complete.
    pub(super) size: Option<i64>,
    pub(super) began_ms: i64,
    pub(super) ended_ms: i64,
    /// Whether the end of the answer came before its own.
    pub(super) cut_off: bool,
}

impl FileBlock {
    pub(super) fn is_open(&self) -> bool {
        self.size.is_none() && !self.cut_off
    }
}

/// A step of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StepBlock {
    pub(super) step: Step,
    pub(super) position: i32,
    pub(super) count: i32,
    pub(super) title: String,
    pub(super) began_ms: i64,
    /// Its last lines.
    pub(super) output: Vec<String>,
    /// How it ended, how long it took, what was found.
    pub(super) end: Option<(Outcome, Duration, String)>,
}

impl StepBlock {
    /// What it does and which it is: `4/6 start the dev server`.
    pub(super) fn words(&self) -> String {
        format!("{}/{} {}", self.position, self.count, self.title)
    }
}

impl Block {
    pub(super) fn new(content: Content) -> Self {
        Self {
            content,
            open: None,
            drawn: None,
        }
    }

    /// Says that it must be drawn anew.
    pub(super) fn changed(&mut self) {
        self.drawn = None;
    }

    /// Whether there is something to unfold.
    pub(super) fn folds(&self) -> bool {
        match &self.content {
            Content::File(_) | Content::Revision(..) => true,
            Content::Steps(steps) => steps.iter().any(|step| !step.output.is_empty()),
            Content::Prompt(_)
            | Content::Prose(_)
            | Content::Operation(_)
            | Content::Note(..)
            | Content::End(_) => false,
        }
    }

    /// Whether time alone changes its rows.
    pub(super) fn moves(&self) -> bool {
        match &self.content {
            Content::File(file) => file.is_open(),
            Content::Steps(steps) => steps.iter().any(|step| step.end.is_none()),
            Content::Prompt(_)
            | Content::Prose(_)
            | Content::Operation(_)
            | Content::Note(..)
            | Content::Revision(..)
            | Content::End(_) => false,
        }
    }

    /// What copying it copies.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Content::Prompt(text) | Content::Note(_, text) => text.clone(),
            Content::Prose(prose) => prose.text.clone(),
            Content::File(file) => file.text.text.clone(),
            Content::Operation(operation) => super::draw::operation(operation).plain(),
            Content::Revision(_, changes) => {
                let paths: Vec<&str> = changes.iter().map(|c| c.path.as_str()).collect();
                paths.join("\n")
            }
            Content::Steps(steps) => {
                let mut lines = Vec::new();
                for step in steps {
                    lines.push(step.words());
                    lines.extend(step.output.iter().cloned());
                    if let Some((_, _, detail)) = &step.end {
                        lines.push(detail.clone());
                    }
                }
                lines.join("\n")
            }
            Content::End(end) => end.finish.message.clone(),
        }
    }
}

/// Figures of a file: lines, bytes.
pub(super) fn figures(file: &FileBlock) -> String {
    let lines = file.text.text.lines().count();
    let bytes = file
        .size
        .unwrap_or_else(|| i64::try_from(file.text.text.len()).unwrap_or(i64::MAX));
    format!("{}  {}", format::plural(lines, "line"), format::size(bytes))
}
