//! The dev servers, at most one for each slot. They live as long as they want
//! to, whoever watches; their output goes to the common log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::path::Slot;
use crate::process::{Ended, Invocation, Launcher};
use crate::ring::Ring;
use crate::run::{Limits, Run};
use crate::workspace::Workspace;

/// Between asking a server to end and ending it.
const GRACE: Duration = Duration::from_secs(3);
/// Longest revision that is kept for the caller, in bytes.
const MAX_REVISION_BYTES: usize = 256;

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// Its slot.
    pub slot: Slot,
    /// Its process id.
    pub pid: i32,
    /// How it ended; none while it runs.
    pub ended: Option<Ended>,
    /// What its starter wants to be told again.
    pub revision_id: String,
    /// The port that it should listen on.
    pub port: u16,
}

/// What to start.
#[derive(Debug)]
pub struct ServerPlan {
    /// Its slot.
    pub slot: Slot,
    /// Its command.
    pub invocation: Invocation,
    /// What its starter wants to be told again.
    pub revision_id: String,
    /// The port that it will listen on.
    pub port: u16,
}

/// The dev servers.
#[derive(Debug)]
pub struct DevServers {
    launcher: Arc<Launcher>,
    workspace: Arc<Workspace>,
    log: Arc<Ring>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Held while a slot's server is started or stopped: one after the other.
    running: [tokio::sync::Mutex<Option<RunningServer>>; 2],
    /// Written by start and by the task that sees to a server; read by status.
    states: Arc<Mutex<[Option<ServerState>; 2]>>,
}

/// How to stop a server, and how to know that it is gone.
#[derive(Debug)]
struct RunningServer {
    stop: CancellationToken,
    gone: CancellationToken,
}

impl DevServers {
    /// None runs yet. Tasks are tracked, and end when the token says so.
    #[must_use]
    pub fn new(
        launcher: Arc<Launcher>,
        workspace: Arc<Workspace>,
        log: Arc<Ring>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            launcher,
            workspace,
            log,
            tasks,
            stop,
            running: Default::default(),
            states: Arc::default(),
        }
    }

    /// Starts a server after stopping the one that was there. Gives its process id.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Stopping`], or what starting says.
    pub async fn start(&self, plan: ServerPlan) -> Result<i32, Error> {
        if plan.revision_id.len() > MAX_REVISION_BYTES {
            return Err(Error::Invalid("revision_id: too long".to_owned()));
        }
        let slot = plan.slot;
        let mut running = self.running[index(slot)].lock().await;
        stop_running(&mut running).await;
        if self.stop.is_cancelled() {
            return Err(Error::Stopping);
        }
        let directory = self.workspace.slot_path(slot)?;
        let process = self.launcher.spawn(&plan.invocation, directory)?;
        let run = Run::new(process, Arc::clone(&self.log), slot.name())?;
        let pid = run.pid;
        self.states()[index(slot)] = Some(ServerState {
            slot,
            pid,
            ended: None,
            revision_id: plan.revision_id,
            port: plan.port,
        });
        let server = RunningServer {
            stop: self.stop.child_token(),
            gone: CancellationToken::new(),
        };
        self.tasks.spawn(see_to(
            run,
            slot,
            server.stop.clone(),
            Arc::clone(&self.log),
            Arc::clone(&self.states),
            // Also if that task panics.
            server.gone.clone().drop_guard(),
        ));
        *running = Some(server);
        Ok(pid)
    }

    /// Stops the server of a slot, if one runs, and waits until it is gone.
    pub async fn stop(&self, slot: Slot) {
        stop_running(&mut *self.running[index(slot)].lock().await).await;
    }

    /// What is known of the servers that were started.
    #[must_use]
    pub fn list(&self) -> Vec<ServerState> {
        self.states().iter().flatten().cloned().collect()
    }

    fn states(&self) -> MutexGuard<'_, [Option<ServerState>; 2]> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn see_to(
    run: Run,
    slot: Slot,
    stop: CancellationToken,
    log: Arc<Ring>,
    states: Arc<Mutex<[Option<ServerState>; 2]>>,
    _gone: tokio_util::sync::DropGuard,
) {
    let limits = Limits {
        stop: stop.clone(),
        deadline: None,
        grace: GRACE,
    };
    let ended = run.to_end(limits).await;
    let text = match (stop.is_cancelled(), ended.status.signal) {
        (true, _) => "server stopped".to_owned(),
        (false, 0) => format!("server exited with code {}", ended.status.code),
        (false, signal) => format!(
            "server exited with code {} (signal {signal})",
            ended.status.code
        ),
    };
    let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(state) = &mut states[index(slot)] {
        state.ended = Some(ended);
    }
    drop(states);
    log.say(slot.name(), text);
}

/// Whoever waits here may give up; the next one goes on.
async fn stop_running(running: &mut Option<RunningServer>) {
    if let Some(server) = running {
        server.stop.cancel();
        server.gone.cancelled().await;
    }
    *running = None;
}

fn index(slot: Slot) -> usize {
    match slot {
        Slot::A => 0,
        Slot::B => 1,
    }
}
