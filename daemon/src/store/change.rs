//! The row changes that go with events. The journal applies them in the
//! transaction that writes the events, so that neither is ever seen alone.

use sqlx::PgConnection;

use crate::domain::generation::{AttemptKind, Ending, GenerationState};
use crate::domain::id::{BootId, DaemonId, GenerationId, ProjectId, RevisionId, SandboxId};
use crate::domain::revision::Health;
use crate::domain::sandbox::{Sandbox, Slot};

use super::attempts::{self, AttemptEnd};
use super::error::Result;
use super::generations::{self, NewGeneration};
use super::projects::{self, NewProject, ProjectUpdate};
use super::request_ids::{self, RequestRecord};
use super::revisions::{self, FileEntry, NewRevision};
use super::sandboxes::{self, SandboxTransition};

/// A change of rows, in the project of the append that it is part of.
#[derive(Clone, Debug)]
pub enum RowChange {
    /// Records a `request_id`; goes first, so that a repeat costs nothing.
    RecordRequestId(RequestRecord),
    /// Makes the project, with an empty log. Its id is that of the append.
    InsertProject(NewProject),
    /// Changes fields of the project.
    UpdateProject(ProjectUpdate),
    /// Makes a generation; its first sequence is that of the append.
    InsertGeneration(NewGeneration),
    /// Moves a generation, and the agent's state with it.
    SetGenerationState {
        /// The generation.
        generation_id: GenerationId,
        /// The state that it enters; must be one that may follow.
        state: GenerationState,
    },
    /// Ends a generation, and the agent's state with it.
    FinishGeneration {
        /// The generation.
        generation_id: GenerationId,
        /// How.
        ending: Ending,
    },
    /// Records what did not fit into the model's window.
    SetGenerationOmitted {
        /// The generation.
        generation_id: GenerationId,
        /// Paths.
        omitted: Vec<String>,
    },
    /// Enters a model call.
    InsertAttempt {
        /// Its generation.
        generation_id: GenerationId,
        /// From 1.
        attempt: i32,
        /// Why.
        kind: AttemptKind,
        /// The model asked for.
        model: String,
    },
    /// Enters how a model call ended, with the answer as it came.
    FinishAttempt(AttemptEnd),
    /// Makes a revision. Put its blobs before.
    InsertRevision(NewRevision),
    /// Puts a file into a revision that has not been through the gate: what its
    /// own install wrote. Nothing else ever changes one.
    AmendRevision {
        /// The revision.
        revision_id: RevisionId,
        /// The file.
        file: FileEntry,
        /// What is in it.
        content: bytes::Bytes,
    },
    /// Records whether a revision passed the gate.
    SetRevisionHealth {
        /// The revision.
        revision_id: RevisionId,
        /// Whether.
        health: Health,
    },
    /// Makes the row of the project's sandbox, or makes it stand for this one.
    UpsertSandbox(Sandbox),
    /// Moves the sandbox from an expected state to another.
    SetSandboxState(SandboxTransition),
    /// Records what the sandbox shows.
    SetSandboxShown {
        /// The sandbox.
        sandbox_id: SandboxId,
        /// The revision that its dev server runs.
        revision_id: RevisionId,
        /// In this slot.
        slot: Slot,
    },
}

/// In which append a change is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The project of the append.
    pub(crate) project: ProjectId,
    /// The position of its first event.
    pub(crate) first_sequence: i64,
    /// Who writes.
    pub(crate) daemon: DaemonId,
    /// In which boot.
    pub(crate) boot: BootId,
}

/// Applies a change. The caller holds the head of the project.
///
/// # Errors
/// What the change was refused for; what was written before it must then be
/// rolled back by the caller.
pub(crate) async fn apply(db: &mut PgConnection, scope: Scope, change: &RowChange) -> Result<()> {
    let project = scope.project;
    let owner = (scope.daemon, scope.boot);
    match change {
        RowChange::RecordRequestId(record) => request_ids::record(db, record).await,
        RowChange::InsertProject(new) => projects::insert(db, new).await,
        RowChange::UpdateProject(update) => projects::update(db, project, update).await,
        RowChange::InsertGeneration(new) => {
            generations::insert(db, project, new, owner, scope.first_sequence).await
        }
        RowChange::SetGenerationState {
            generation_id,
            state,
        } => generations::set_state(db, project, *generation_id, *state, owner).await,
        RowChange::FinishGeneration {
            generation_id,
            ending,
        } => generations::finish(db, project, *generation_id, ending).await,
        RowChange::SetGenerationOmitted {
            generation_id,
            omitted,
        } => generations::set_omitted(db, project, *generation_id, omitted).await,
        RowChange::InsertAttempt {
            generation_id,
            attempt,
            kind,
            model,
        } => attempts::insert(db, project, *generation_id, *attempt, *kind, model).await,
        RowChange::FinishAttempt(end) => attempts::finish(db, project, end).await,
        RowChange::InsertRevision(new) => revisions::insert(db, project, new).await,
        RowChange::AmendRevision {
            revision_id,
            file,
            content,
        } => revisions::amend(db, project, *revision_id, file, content).await,
        RowChange::SetRevisionHealth {
            revision_id,
            health,
        } => revisions::set_health(db, project, *revision_id, *health).await,
        RowChange::UpsertSandbox(sandbox) => sandboxes::upsert(db, sandbox).await,
        RowChange::SetSandboxState(change) => sandboxes::transition(db, project, change).await,
        RowChange::SetSandboxShown {
            sandbox_id,
            revision_id,
            slot,
        } => sandboxes::set_shown(db, project, *sandbox_id, *revision_id, *slot).await,
    }
}
