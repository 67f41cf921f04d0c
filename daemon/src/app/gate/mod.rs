//! The gate: everything between "files applied" and "ready". A revision goes
//! into the slot that is not shown, and is asked what a browser would ask; the
//! preview shows it only after it has passed.

mod command;
mod manifest;
mod probe;
mod references;
mod show;
mod steps;

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub(crate) use self::show::show;
use super::reporter::Reporter;
use super::sandboxes::{Held, Sandboxes};
use crate::domain::event::{Event, StepKind, StepOutcome};
use crate::domain::generation::{FailureReason, GenerationState};
use crate::domain::id::{ProjectId, RevisionId};
use crate::domain::sandbox::Slot;
use crate::domain::tree::Tree;
use crate::domain::{Error, Result};
use crate::store::change::RowChange;
use crate::template::Template;

/// How many of them there are, for "step 3 of 6".
const STEPS: i32 = 6;

/// What goes through the gate.
pub(crate) struct Candidate<'a> {
    pub(crate) project: ProjectId,
    pub(crate) revision: RevisionId,
    pub(crate) tree: &'a Tree,
    pub(crate) template: &'a Template,
}

/// What came of it.
pub(crate) enum Verdict {
    /// It runs in this slot and may be shown.
    Passed(Passed),
    /// It does not; what is shown has not been touched.
    Failed {
        reason: FailureReason,
        message: String,
    },
}

/// A revision that passed.
pub(crate) struct Passed {
    pub(crate) held: Arc<Held>,
    pub(crate) slot: Slot,
    /// The lockfile as the install left it, where it differs from the revision's.
    pub(crate) lockfile: Option<Bytes>,
}

/// What stops the gate before it has a verdict.
pub(crate) enum Stopped {
    /// The revision is at fault.
    Fault(FailureReason, String),
    /// Somebody cancelled, or the daemon goes down.
    Cancelled,
    /// Nothing to do with the revision.
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(_, message) => f.write_str(message),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// Reports where a generation is, if one is behind this run of the gate.
pub(crate) trait States {
    /// The row changes and events of a change of state.
    fn entered(&self, state: GenerationState) -> (Vec<Event>, Vec<RowChange>);
}

/// Takes a candidate through every step.
///
/// # Errors
/// What is no fault of the candidate: the database, the engine.
pub(crate) async fn run(
    candidate: &Candidate<'_>,
    sandboxes: &Sandboxes,
    reporter: &Reporter,
    states: &impl States,
    cancel: &CancellationToken,
) -> Result<Verdict, Stopped> {
    let run = Run {
        candidate,
        sandboxes,
        reporter,
        cancel,
    };
    match Box::pin(run.steps(states)).await {
        Ok(passed) => Ok(Verdict::Passed(passed)),
        Err(Stopped::Fault(reason, message)) => Ok(Verdict::Failed { reason, message }),
        Err(other) => Err(other),
    }
}

struct Run<'a> {
    candidate: &'a Candidate<'a>,
    sandboxes: &'a Sandboxes,
    reporter: &'a Reporter,
    cancel: &'a CancellationToken,
}

impl Run<'_> {
    async fn steps(&self, states: &impl States) -> Result<Passed, Stopped> {
        self.enter(states, GenerationState::Installing).await?;
        let held = self
            .step(
                StepKind::Sandbox,
                1,
                "prepare the sandbox",
                Box::pin(self.sandbox()),
            )
            .await?;
        let slot = held.candidate_slot();
        let before = self
            .step(
                StepKind::Sync,
                2,
                "copy the files in",
                Box::pin(self.sync(&held, slot)),
            )
            .await?;
        let lockfile = self
            .step(
                StepKind::Install,
                3,
                "install dependencies",
                Box::pin(self.install(&held, slot, &before)),
            )
            .await?;
        self.enter(states, GenerationState::Starting).await?;
        self.step(
            StepKind::Start,
            4,
            "start the dev server",
            Box::pin(self.start(&held, slot)),
        )
        .await?;
        self.enter(states, GenerationState::Checking).await?;
        self.step(
            StepKind::Probe,
            5,
            "open the page",
            Box::pin(self.probe(&held, slot)),
        )
        .await?;
        self.step(
            StepKind::Check,
            6,
            "check the code",
            Box::pin(self.check(&held, slot)),
        )
        .await?;
        Ok(Passed {
            held,
            slot,
            lockfile,
        })
    }

    async fn enter(&self, states: &impl States, state: GenerationState) -> Result<(), Stopped> {
        let (events, changes) = states.entered(state);
        if !events.is_empty() {
            self.reporter.emit(events, changes).await?;
        }
        Ok(())
    }

    async fn step<T>(
        &self,
        step: StepKind,
        position: i32,
        title: &str,
        work: impl Future<Output = Result<Done<T>, Stopped>>,
    ) -> Result<T, Stopped> {
        let work = async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(Stopped::Cancelled),
                done = work => done.map(|done| (done.outcome, done.detail, done.value)),
            }
        };
        self.reporter
            .step((step, position, STEPS), title, work)
            .await?
    }
}

/// What a step did.
struct Done<T> {
    outcome: StepOutcome,
    detail: String,
    value: T,
}

impl<T> Done<T> {
    fn passed(value: T, detail: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Passed,
            detail: detail.into(),
            value,
        }
    }

    fn skipped(value: T, detail: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Skipped,
            detail: detail.into(),
            value,
        }
    }
}
