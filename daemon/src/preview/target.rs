//! What the gateway is told: where the app answers, or what is shown meanwhile.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::domain::id::{ProjectId, RevisionId};

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection to something in a sandbox.
pub type BoxedIo = Box<dyn Io>;

/// What the gateway asks for at each request.
pub trait Targets: Send + Sync + 'static {
    /// What the project shows now. Asked often, so it should be cheap; it may
    /// take the question as use of the sandbox, and wake it.
    fn target(&self, project: ProjectId) -> impl Future<Output = Target> + Send;

    /// Opens a connection to a port on which something listens in the project's
    /// sandbox.
    fn open(
        &self,
        project: ProjectId,
        port: u16,
    ) -> impl Future<Output = io::Result<BoxedIo>> + Send;
}

impl<T: Targets> Targets for Arc<T> {
    async fn target(&self, project: ProjectId) -> Target {
        (**self).target(project).await
    }

    async fn open(&self, project: ProjectId, port: u16) -> io::Result<BoxedIo> {
        (**self).open(project, port).await
    }
}

/// What a project shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Its app.
    Ready {
        /// The port in the sandbox on which the dev server listens.
        port: u16,
        /// What it runs.
        revision: RevisionId,
    },
    /// Nothing yet.
    Waiting(WaitingPage),
}

/// What there is to say while there is nothing to show. All texts may come
/// from a sandbox or a model: they are shown as plain text, and cut where they
/// are too long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingPage {
    /// What is going on, such as "building" or "stopped"; for people.
    pub title: String,
    /// What is done for it, in order.
    pub steps: Vec<WaitingStep>,
    /// What went wrong; `None` while nothing has.
    pub error: Option<String>,
    /// The last lines of output.
    pub log: Vec<String>,
}

/// One of the steps on the way to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingStep {
    /// What it does, for people.
    pub title: String,
    /// Where it is.
    pub state: StepState,
    /// How long it took, or has taken so far.
    pub duration: Option<Duration>,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Its turn has not come.
    Pending,
    /// It runs.
    Running,
    /// It ended as it should.
    Passed,
    /// There was nothing to do.
    Skipped,
    /// It found a fault.
    Failed,
}

impl StepState {
    /// The state in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl WaitingPage {
    /// The step that runs: its place, from 1, and what it does. `None` when none runs.
    #[must_use]
    pub fn running(&self) -> Option<(usize, &WaitingStep)> {
        let index = self
            .steps
            .iter()
            .position(|step| step.state == StepState::Running)?;
        Some((index + 1, &self.steps[index]))
    }
}
