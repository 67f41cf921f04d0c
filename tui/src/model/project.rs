//! A project as the client knows it: plain, cleaned, comparable.

use super::list::Entry;

/// One app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The template it started from.
    pub template: String,
    /// Model used where a prompt names none; empty for the server's.
    pub default_model: String,
    /// When anything last happened to it; milliseconds since 1970.
    pub updated_ms: i64,
    /// What the agent is doing, or how it last ended.
    pub activity: Activity,
    /// The newest revision; empty if none.
    pub head_revision: String,
    /// What its sandbox is doing.
    pub sandbox: Sandbox,
    /// Where the app can be seen, on the daemon's machine; empty if nowhere.
    pub preview_url: String,
    /// What all its generations cost, in millionths of a US dollar.
    pub cost_micro_usd: i64,
}

impl Entry for Project {
    fn id(&self) -> &str {
        &self.id
    }

    fn text(&self) -> &str {
        &self.name
    }
}

/// What the agent of a project is doing, or how it last ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// Nothing was ever asked.
    #[default]
    New,
    /// A prompt waits for its turn.
    Queued,
    /// The model answers.
    Generating,
    /// The answer goes through the gate.
    Checking,
    /// The last prompt ended with a running app.
    Ready,
    /// It failed, or was cut off.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// The daemon that ran it died.
    Interrupted,
}

impl Activity {
    /// One word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Queued => "queued",
            Self::Generating => "writing",
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether something goes on.
    #[must_use]
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Queued | Self::Generating | Self::Checking)
    }
}

/// What a sandbox is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// There is none, or it was stopped.
    #[default]
    Stopped,
    /// It is being made.
    Starting,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It stopped by itself, or could not be made.
    Failed,
}

impl Sandbox {
    /// A word or two for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Failed => "app failed",
        }
    }
}
