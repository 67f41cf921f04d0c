//! Entries of a project's log, in the client's own words.

use std::time::Duration;

use super::project::Sandbox;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the log, from 1, without gaps.
    pub sequence: i64,
    /// When it was committed; milliseconds since 1970.
    pub time_ms: i64,
    /// The generation it belongs to; empty for the project itself.
    pub generation_id: String,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The project was deleted.
    ProjectDeleted,
    /// A prompt was accepted.
    GenerationStarted {
        /// The prompt.
        prompt: String,
        /// The model.
        model: String,
        /// Whether its answers are canned.
        demo: bool,
    },
    /// The generation entered another state.
    StateChanged(State),
    /// A model call began.
    AttemptStarted {
        /// Why once more; `None` for the first.
        again: Option<&'static str>,
    },
    /// Prose.
    Text(Delta),
    /// A file or an edit began.
    FileStarted {
        /// Index within the attempt.
        operation: i32,
        /// Whether parts of a file are changed rather than all of it written.
        edits: bool,
        /// Its path.
        path: String,
    },
    /// A piece of it.
    FileDelta {
        /// Index within the attempt.
        operation: i32,
        /// The piece.
        text: Delta,
    },
    /// It is complete.
    FileFinished {
        /// Index within the attempt.
        operation: i32,
        /// Its bytes.
        size: i64,
    },
    /// An operation without content.
    Operation(Operation),
    /// A model call ended.
    AttemptFinished {
        /// The model that was billed.
        billed_model: String,
        /// What went wrong; empty if nothing.
        error: String,
    },
    /// Files were applied.
    RevisionCreated {
        /// Its number in the project.
        number: i32,
        /// What changed.
        changes: Vec<Change>,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
        /// Its place, from 1.
        position: i32,
        /// How many there are.
        count: i32,
        /// What it does.
        title: String,
    },
    /// A step wrote output.
    StepOutput {
        /// Which.
        step: Step,
        /// Whole lines.
        text: String,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: Step,
        /// How.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
        /// What went wrong or was found.
        detail: String,
    },
    /// The generation is over.
    GenerationFinished(Finish),
    /// The sandbox entered another state.
    SandboxStateChanged {
        /// Which.
        state: Sandbox,
        /// Why.
        detail: String,
    },
    /// Something that changes nothing here, or that is not known here.
    Other,
}

/// A piece of a text that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// The piece, clean.
    pub text: String,
    /// Whether it begins with a line feed.
    pub begins_line: bool,
    /// Whether a carriage return stood at its end, which is nothing before a line
    /// feed and shown before anything else.
    pub held_return: bool,
}

/// Where a generation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// The context is put together.
    #[default]
    Preparing,
    /// The model answers.
    Generating,
    /// The operations become a revision.
    Applying,
    /// Files and dependencies go into the sandbox.
    Installing,
    /// The dev server starts.
    Starting,
    /// The app is checked.
    Checking,
    /// What the checks found goes back to the model.
    Repairing,
    /// It is over.
    Finished,
}

impl State {
    /// What goes on, in a word or three.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Queued => "waiting for its turn",
            Self::Preparing => "asking the model",
            Self::Generating => "writing",
            Self::Applying => "applying",
            Self::Installing => "installing",
            Self::Starting => "starting",
            Self::Checking => "checking",
            Self::Repairing => "mending",
            Self::Finished => "done",
        }
    }
}

/// An operation without content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file gets another name.
    Rename {
        /// The old one.
        from: String,
        /// The new one.
        to: String,
    },
    /// A file goes.
    Delete(String),
    /// Packages are added.
    AddDependency(Vec<String>),
    /// A file is shown to the model.
    Read(String),
}

/// How a file differs from the revision before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It has other content.
    Modified,
    /// It is gone.
    Deleted,
}

/// A step of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A sandbox is made or woken.
    Sandbox,
    /// The files go into it.
    Sync,
    /// Dependencies are installed.
    Install,
    /// The dev server starts.
    Start,
    /// The page and what it pulls in answer.
    Probe,
    /// The template's own check runs.
    Check,
}

impl Step {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Sync => "sync",
            Self::Install => "install",
            Self::Start => "start",
            Self::Probe => "probe",
            Self::Check => "check",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// There was nothing to do.
    Skipped,
    /// It found a fault.
    Failed,
}

/// How a generation ended, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// How.
    pub outcome: Ended,
    /// What happened and what to do.
    pub message: String,
    /// What it used.
    pub spent: Spent,
    /// Where the app can be seen; empty if nowhere.
    pub preview_url: String,
}

/// How a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The app runs and passed the gate.
    Ready,
    /// It failed.
    Failed,
    /// The answer was cut off.
    Truncated,
    /// Somebody cancelled it.
    Cancelled,
    /// The daemon that ran it died.
    Interrupted,
    /// A cap on its cost was reached.
    OverBudget,
}

/// What model calls used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens of the prompt.
    pub prompt_tokens: i64,
    /// Tokens of the answer.
    pub completion_tokens: i64,
    /// What it cost, in millionths of a US dollar; `None` where unknown.
    pub cost_micro_usd: Option<i64>,
    /// Whether the figures are an estimate.
    pub estimated: bool,
}

impl Spent {
    /// Whether anything was used at all.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.prompt_tokens > 0 || self.completion_tokens > 0
    }
}
