//! The connection of the full-screen client: one task that owns the channel and
//! all subscriptions, and reports what becomes of them as values.
//!
//! It is always in one [`State`], which the header simply draws. When the
//! connection breaks it tries again by itself, with growing waits, and opens
//! every subscription again at the position of what was taken last. Nothing
//! here waits for its reader to decide: what the reader wants is said by
//! [`Command`]s, what happened by [`Report`]s.

mod pump;
mod supervisor;

use std::time::Duration;

use kiln_proto::v1 as pb;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::logs::LogBatch;
use super::watch::Batch;
use super::{Client, Error, Options};

/// Reports that wait for a reader that is busy; the rest waits in the connection.
const QUEUE: usize = 64;

/// Something to follow. Two that are equal are the same subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The list of projects.
    Projects,
    /// The log of a project, by UUID.
    Project(String),
    /// The output of a project's sandbox, by UUID.
    Logs {
        /// UUID of the project.
        project_id: String,
        /// Another number is another subscription: an app that started anew.
        life: u64,
    },
}

/// What the connection is doing.
#[derive(Debug)]
pub enum State {
    /// It is being made.
    Connecting,
    /// It stands, and the daemon said who it is.
    Online(Box<Hello>),
    /// It is gone and will be tried again.
    Waiting {
        /// What happened.
        error: Error,
        /// How long until the next try.
        wait: Duration,
        /// Tries so far, from 1.
        attempt: u32,
    },
    /// The daemon wants to know who is there. Nothing is tried until told.
    SignIn(Error),
    /// Trying again would not mend it. Nothing is tried until told.
    Refused(Error),
}

/// What a daemon says first.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// What it is.
    pub server: pb::GetServerInfoResponse,
    /// Who is signed in.
    pub user: pb::User,
}

/// What happened.
#[derive(Debug)]
pub enum Report {
    /// The connection entered another state.
    State(State),
    /// A part of the list of projects; `fresh` says that the list begins anew.
    Projects {
        /// Whether what was known before must be compared with this list.
        fresh: bool,
        /// What came.
        change: pb::WatchProjectsResponse,
    },
    /// The next entries of a project's log.
    Project {
        /// Its UUID.
        id: String,
        /// In order, without a hole, none twice.
        batch: Batch,
    },
    /// The next lines of a sandbox.
    Logs {
        /// UUID of the project.
        project_id: String,
        /// Which subscription.
        life: u64,
        /// In order.
        batch: LogBatch,
    },
    /// A subscription is over and will not be opened again by itself.
    Ended {
        /// Which.
        topic: Topic,
        /// Why; `None` if it came to its end.
        error: Option<Error>,
    },
}

/// What the reader wants.
#[derive(Debug)]
pub enum Command {
    /// Follow exactly these; what is followed already goes on.
    Follow(Vec<Topic>),
    /// Try now rather than after the wait.
    Retry,
    /// Connect anew: somebody signed in or out.
    Reconnect,
}

/// The handle on the task. Dropping it ends the task and all subscriptions.
pub struct Link {
    commands: mpsc::UnboundedSender<Command>,
    client: watch::Receiver<Option<Client>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Starts connecting.
    #[must_use]
    pub fn start(options: Options) -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(QUEUE);
        let (commands, inbox) = mpsc::unbounded_channel();
        let (client, shown) = watch::channel(None);
        let task = tokio::spawn(supervisor::run(options, inbox, client, reports));
        let link = Self {
            commands,
            client: shown,
            task,
        };
        (link, receiver)
    }

    /// Says what is wanted. Does nothing if the task is gone.
    pub fn send(&self, command: Command) {
        // The task ends only with this handle.
        let _ = self.commands.send(command);
    }

    /// The connection, as far as there is one.
    #[must_use]
    pub fn client(&self) -> Option<Client> {
        self.client.borrow().clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
