//! What can happen to a project: the entries of its log.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generation::{AttemptKind, Ending, FinishReason, GenerationState, Usage, text_enum};
use super::id::{GenerationId, RevisionId, UserId};
use super::sandbox::SandboxState;

/// An entry of a project's log, as it was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Position in the log, from 1, without gaps.
    pub sequence: i64,
    /// When it was committed, by the database's clock.
    pub time: time::OffsetDateTime,
    /// The generation that it belongs to.
    pub generation_id: Option<GenerationId>,
    /// What happened.
    pub event: Event,
}

/// What happened. Stored as JSON: variants and fields may be added, never
/// renamed or removed, since old logs must stay readable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The project was made.
    ProjectCreated {
        /// Its name.
        name: String,
        /// Its template.
        template: String,
    },
    /// Its own fields changed.
    ProjectUpdated {
        /// Its name now.
        name: String,
        /// Its description now.
        description: String,
        /// Its default model now.
        default_model: String,
    },
    /// The project was deleted. Only watchers see this: the log goes with the project.
    ProjectDeleted,
    /// A prompt was accepted.
    GenerationStarted {
        /// The prompt.
        prompt: String,
        /// The model that was chosen.
        model: String,
        /// Whether its answers are canned.
        demo: bool,
        /// Who asked.
        user_id: UserId,
    },
    /// The generation entered another state.
    GenerationStateChanged {
        /// The state now.
        state: GenerationState,
    },
    /// A model call began.
    AttemptStarted {
        /// From 1.
        attempt: i32,
        /// Why; named apart from the tag of the event.
        attempt_kind: AttemptKind,
        /// The model asked for.
        model: String,
    },
    /// The model wrote prose.
    TextDelta {
        /// The piece.
        text: String,
    },
    /// The model began a file or an edit.
    FileStarted {
        /// Index of the operation within the attempt.
        operation: i32,
        /// Write or edit.
        operation_kind: OperationKind,
        /// As the model gave it.
        path: String,
    },
    /// The model wrote a piece of it.
    FileDelta {
        /// Index of the operation.
        operation: i32,
        /// The piece.
        text: String,
    },
    /// The model finished it.
    FileFinished {
        /// Index of the operation.
        operation: i32,
        /// Bytes that it wrote.
        size_bytes: i64,
    },
    /// The model gave an operation without content.
    OperationReceived {
        /// Index of the operation.
        operation: i32,
        /// Which.
        operation_kind: OperationKind,
        /// Path that it concerns.
        path: String,
        /// The new path of a rename.
        new_path: String,
        /// Packages to add.
        packages: Vec<String>,
    },
    /// A model call ended.
    AttemptFinished {
        /// From 1.
        attempt: i32,
        /// Why the model stopped.
        finish_reason: FinishReason,
        /// What it used.
        usage: Usage,
        /// The model that was billed.
        billed_model: String,
        /// What went wrong; empty if nothing.
        error: String,
    },
    /// Files were applied as a new revision.
    RevisionCreated {
        /// The revision.
        revision_id: RevisionId,
        /// From 1.
        number: i32,
        /// Where it came from.
        parent_id: Option<RevisionId>,
        /// What changed.
        changes: Vec<FileChange>,
    },
    /// A step of the gate began.
    StepStarted {
        /// Which.
        step: StepKind,
        /// Its place, from 1.
        position: i32,
        /// How many there are.
        count: i32,
        /// What it does, for people.
        title: String,
    },
    /// A step wrote output.
    StepOutput {
        /// Which.
        step: StepKind,
        /// Whole lines.
        text: String,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: StepKind,
        /// How.
        outcome: StepOutcome,
        /// How long it took.
        #[serde(with = "micros")]
        duration: Duration,
        /// What was found.
        detail: String,
    },
    /// The generation is over. Exactly one a generation.
    GenerationFinished(Ending),
    /// The sandbox entered another state.
    SandboxStateChanged {
        /// The state now.
        state: SandboxState,
        /// Why.
        detail: String,
    },
    /// The preview shows another revision.
    PreviewChanged {
        /// Where.
        url: String,
        /// What it shows.
        revision_id: RevisionId,
    },
}

impl Event {
    /// The name of the variant, as in the `kind` column.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProjectCreated { .. } => "project_created",
            Self::ProjectUpdated { .. } => "project_updated",
            Self::ProjectDeleted => "project_deleted",
            Self::GenerationStarted { .. } => "generation_started",
            Self::GenerationStateChanged { .. } => "generation_state_changed",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::TextDelta { .. } => "text_delta",
            Self::FileStarted { .. } => "file_started",
            Self::FileDelta { .. } => "file_delta",
            Self::FileFinished { .. } => "file_finished",
            Self::OperationReceived { .. } => "operation_received",
            Self::AttemptFinished { .. } => "attempt_finished",
            Self::RevisionCreated { .. } => "revision_created",
            Self::StepStarted { .. } => "step_started",
            Self::StepOutput { .. } => "step_output",
            Self::StepFinished { .. } => "step_finished",
            Self::GenerationFinished(_) => "generation_finished",
            Self::SandboxStateChanged { .. } => "sandbox_state_changed",
            Self::PreviewChanged { .. } => "preview_changed",
        }
    }

    /// Whether this ends its generation.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::GenerationFinished(_))
    }

    /// Takes `next` into this event if both are neighbouring pieces of one
    /// text; gives it back otherwise. State changes never merge.
    ///
    /// # Errors
    /// `next`, if it has to stay an entry of its own.
    pub fn merge(&mut self, next: Self) -> Result<(), Self> {
        match (self, next) {
            (Self::TextDelta { text }, Self::TextDelta { text: more })
                if text.len() + more.len() <= Self::MERGED_BYTES_MAX =>
            {
                text.push_str(&more);
                Ok(())
            }
            (
                Self::FileDelta { operation, text },
                Self::FileDelta {
                    operation: same,
                    text: more,
                },
            ) if *operation == same && text.len() + more.len() <= Self::MERGED_BYTES_MAX => {
                text.push_str(&more);
                Ok(())
            }
            (_, next) => Err(next),
        }
    }

    /// Pieces of text are merged up to here, so that an event stays below the
    /// 64 KiB that a watcher accepts.
    pub const MERGED_BYTES_MAX: usize = 32 * 1024;
}

text_enum! {
    /// What the model asks to be done.
    OperationKind {
        /// Write a whole file.
        Write = "write",
        /// Change parts of a file.
        Edit = "edit",
        /// Rename a file.
        Rename = "rename",
        /// Delete a file.
        Delete = "delete",
        /// Add packages to the manifest.
        AddDependency = "add_dependency",
        /// Show a file to the model.
        Read = "read",
    }
}

/// How a file differs from the parent revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path in the project.
    pub path: String,
    /// What happened to it.
    pub change: FileChangeKind,
    /// Bytes it has now.
    pub size_bytes: i64,
}

text_enum! {
    /// What happened to a file.
    FileChangeKind {
        /// It is new.
        Added = "added",
        /// It has other content.
        Modified = "modified",
        /// It is gone.
        Deleted = "deleted",
    }
}

text_enum! {
    /// A check between "files applied" and "ready", in the order in which they run.
    StepKind {
        /// A sandbox is made or woken.
        Sandbox = "sandbox",
        /// The files go in.
        Sync = "sync",
        /// Dependencies are installed.
        Install = "install",
        /// The dev server starts.
        Start = "start",
        /// The page and what it pulls in answer.
        Probe = "probe",
        /// The template's own check runs.
        Check = "check",
    }
}

text_enum! {
    /// How a step ended.
    StepOutcome {
        /// As it should.
        Passed = "passed",
        /// There was nothing to do.
        Skipped = "skipped",
        /// It found a fault.
        Failed = "failed",
    }
}

/// Durations in events are whole microseconds.
mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Event {
        Event::TextDelta { text: text.into() }
    }

    #[test]
    fn the_tag_in_json_is_the_kind() {
        for event in [
            text("x"),
            Event::ProjectDeleted,
            Event::OperationReceived {
                operation: 1,
                operation_kind: OperationKind::Rename,
                path: "a".into(),
                new_path: "b".into(),
                packages: vec![],
            },
            Event::StepFinished {
                step: StepKind::Probe,
                outcome: StepOutcome::Passed,
                duration: Duration::from_micros(1_234),
                detail: String::new(),
            },
        ] {
            let json = serde_json::to_value(&event).expect("events are plain data");
            assert_eq!(json["kind"], event.kind());
            assert_eq!(
                serde_json::from_value::<Event>(json).expect("round trip"),
                event
            );
        }
    }

    #[test]
    fn text_merges_with_text_only() {
        let mut first = text("a");
        assert!(first.merge(text("b")).is_ok());
        assert_eq!(first, text("ab"));
        assert!(first.merge(Event::ProjectDeleted).is_err());
        let piece = |operation| Event::FileDelta {
            operation,
            text: "x".into(),
        };
        assert!(piece(0).merge(piece(1)).is_err());
        assert!(piece(1).merge(piece(1)).is_ok());
    }
}
