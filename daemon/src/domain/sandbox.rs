//! A sandbox as the rest of the daemon knows it.

use super::generation::text_enum;
use super::id::{DaemonId, ProjectId, RevisionId, SandboxId};

text_enum! {
    /// What a sandbox is doing.
    SandboxState {
        /// There is none, or it was stopped.
        Stopped = "stopped",
        /// It is being made.
        Starting = "starting",
        /// It runs.
        Running = "running",
        /// It is being stopped.
        Stopping = "stopping",
        /// It stopped by itself, or could not be made.
        Failed = "failed",
    }
}

text_enum! {
    /// One of the two workspaces in a sandbox.
    Slot {
        /// The first, on port 5173.
        A = "a",
        /// The second, on port 5174.
        B = "b",
    }
}

impl Slot {
    /// The port on which the dev server of this slot listens in the container.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::A => 5173,
            Self::B => 5174,
        }
    }
}

/// The row of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Its id, also the label of its container.
    pub id: SandboxId,
    /// Its project.
    pub project_id: ProjectId,
    /// The engine that it lives on.
    pub engine_id: String,
    /// The daemon that made it.
    pub daemon_id: DaemonId,
    /// What it is doing.
    pub state: SandboxState,
    /// Why.
    pub detail: String,
    /// The container's id with the engine.
    pub container_id: Option<String>,
    /// The image that it was made from.
    pub image: String,
    /// The revision that its dev server runs.
    pub revision_id: Option<RevisionId>,
    /// The slot that is shown.
    pub slot: Slot,
    /// When it was made.
    pub created_at: time::OffsetDateTime,
}
