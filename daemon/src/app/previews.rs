//! What the preview gateway asks for at each request: where the shown revision
//! runs, or what to show while there is none.

use std::sync::Arc;
use std::time::Duration;

use super::progress::{Progress, Snapshot};
use super::sandboxes::Sandboxes;
use crate::domain::event::StepOutcome;
use crate::domain::generation::Outcome;
use crate::domain::id::ProjectId;
use crate::preview::{BoxedIo, StepState, Target, Targets, WaitingPage, WaitingStep};

/// How long a request waits for an app that goes on from before a start of the
/// daemon.
const ADOPTION: Duration = Duration::from_secs(8);

/// The targets of all projects of this daemon.
#[derive(Clone)]
pub struct Previews {
    sandboxes: Sandboxes,
    progress: Arc<Progress>,
}

impl Previews {
    pub(crate) fn new(sandboxes: Sandboxes, progress: Arc<Progress>) -> Self {
        Self {
            sandboxes,
            progress,
        }
    }
}

impl Targets for Previews {
    async fn target(&self, project: ProjectId) -> Target {
        match self.sandboxes.shown(project, ADOPTION).await {
            Some((slot, revision)) => Target::Ready {
                port: slot.port(),
                revision,
            },
            None => Target::Waiting(page(&self.progress.snapshot(project))),
        }
    }

    async fn open(&self, project: ProjectId, port: u16) -> std::io::Result<BoxedIo> {
        let held = self
            .sandboxes
            .held(project)
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected))?;
        let tunnel = held
            .supervisor()
            .open_tcp(port)
            .await
            .map_err(std::io::Error::other)?;
        Ok(Box::new(tunnel))
    }
}

fn page(snapshot: &Snapshot) -> WaitingPage {
    let error = match &snapshot.ended {
        Some((Outcome::Ready, _)) | None => None,
        Some((outcome, message)) => Some(format!("the last generation ended {outcome}: {message}")),
    };
    let title = match (&snapshot.state, &error, snapshot.steps.is_empty()) {
        (Some(state), _, _) => state.to_string(),
        (None, Some(_), _) => "nothing to show yet".into(),
        (None, None, false) => "starting".into(),
        (None, None, true) => {
            "the sandbox does not run; start it with: kiln sandbox start, or send a prompt".into()
        }
    };
    WaitingPage {
        title,
        steps: snapshot
            .steps
            .iter()
            .map(|step| WaitingStep {
                title: step.title.clone(),
                state: match step.end {
                    None => StepState::Running,
                    Some((StepOutcome::Passed, _)) => StepState::Passed,
                    Some((StepOutcome::Skipped, _)) => StepState::Skipped,
                    Some((StepOutcome::Failed, _)) => StepState::Failed,
                },
                duration: step.end.map(|(_, duration)| duration),
            })
            .collect(),
        error,
        log: vec![],
    }
}
