//! Steps: commands that run to their end while somebody watches. One whose
//! watcher is gone is ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::follow::{AtEnd, Batch, Follower, Start};
use crate::path::Slot;
use crate::process::{Ended, Invocation, Launcher};
use crate::ring::{Ring, STEP_OUTPUT};
use crate::run::{Limits, Run};
use crate::workspace::Workspace;

/// Most steps at once.
const MAX_STEPS: usize = 8;
/// Of a step that does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);
/// Of any step.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);
/// Between asking a step to end and ending it.
const GRACE: Duration = Duration::from_secs(2);

/// Runs steps.
#[derive(Debug)]
pub struct Steps {
    launcher: Arc<Launcher>,
    workspace: Arc<Workspace>,
    tasks: TaskTracker,
    stop: CancellationToken,
    permits: Arc<Semaphore>,
}

/// A step that runs; dropping it ends the step.
#[derive(Debug)]
pub struct WatchedStep {
    follower: Follower,
    ended: oneshot::Receiver<Ended>,
    _end: DropGuard,
}

/// What a step says next.
#[derive(Debug)]
pub enum StepEvent {
    /// Lines.
    Output(Batch),
    /// The end.
    Ended(Ended),
}

impl Steps {
    /// None runs yet. Tasks are tracked, and end when the token says so.
    #[must_use]
    pub fn new(
        launcher: Arc<Launcher>,
        workspace: Arc<Workspace>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            launcher,
            workspace,
            tasks,
            stop,
            permits: Arc::new(Semaphore::new(MAX_STEPS)),
        }
    }

    /// Starts a step.
    ///
    /// # Errors
    /// [`Error::TooManySteps`], [`Error::Stopping`], or what starting says.
    pub fn start(
        &self,
        slot: Slot,
        invocation: &Invocation,
        timeout: Option<Duration>,
    ) -> Result<WatchedStep, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Stopping);
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err(Error::TooManySteps);
        };
        let directory = self.workspace.slot_path(slot)?;
        let ring = Arc::new(Ring::new(STEP_OUTPUT));
        let process = self.launcher.spawn(invocation, directory)?;
        let run = Run::new(process, Arc::clone(&ring), "")?;
        let follower = Follower::new(Arc::clone(&ring), Start::After(0), AtEnd::Follow);
        let stop = self.stop.child_token();
        let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT);
        let limits = Limits {
            stop: stop.clone(),
            deadline: Some(Instant::now() + timeout),
            grace: GRACE,
        };
        let (sender, ended) = oneshot::channel();
        self.tasks.spawn(async move {
            // The watcher may be gone: then nobody wants to know.
            let _ = sender.send(run.to_end(limits).await);
            ring.close();
            drop(permit);
        });
        Ok(WatchedStep {
            follower,
            ended,
            _end: stop.drop_guard(),
        })
    }
}

impl WatchedStep {
    /// Waits for the next lines, and for the end after the last of them. Not to
    /// be called after the end.
    ///
    /// # Errors
    /// [`Error::Stopping`] if nobody sees to the step any more.
    pub async fn next(&mut self) -> Result<StepEvent, Error> {
        match self.follower.next().await {
            Some(batch) => Ok(StepEvent::Output(batch)),
            None => (&mut self.ended)
                .await
                .map(StepEvent::Ended)
                .map_err(|_| Error::Stopping),
        }
    }
}
