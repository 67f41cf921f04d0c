//! Reports of the connection as news for the model.

use crate::client::link::{Hello, Report, State, Topic};
use crate::failure::Failure;
use crate::model::connection::{Account, Connection, Server};
use crate::model::project::Project;

use crate::model::event::Event;
use crate::model::logs::Batch;

/// What came over the connection, cleaned.
#[derive(Clone, Debug)]
pub enum News {
    /// It is in another state.
    Connection(Connection),
    /// The daemon said who it is, and who we are.
    Hello(Server, Account),
    /// A part of the list of projects, or a change to it.
    Projects {
        /// Whether the list begins anew.
        fresh: bool,
        /// Projects that are new or changed.
        changed: Vec<Project>,
        /// UUIDs of those that are gone.
        deleted: Vec<String>,
        /// Whether everything that was there has come.
        complete: bool,
    },
    /// The next entries of a project's log.
    Events {
        /// UUID of the project.
        project_id: String,
        /// In order.
        events: Vec<Event>,
        /// Position of the newest entry, as far as the daemon said.
        head: i64,
    },
    /// The next lines of a sandbox.
    Logs {
        /// UUID of the project.
        project_id: String,
        /// Which subscription.
        life: u64,
        /// The lines.
        lines: Batch,
    },
    /// Nothing more comes of a subscription.
    Ended {
        /// Which.
        topic: Topic,
        /// Why; `None` if it came to its end.
        failure: Option<Failure>,
    },
}

/// What a report means; `None` where it is but a sign of life.
#[must_use]
pub fn news(report: Report, now_ms: i64) -> Option<News> {
    Some(match report {
        Report::State(State::Online(hello)) => {
            let Hello { server, user } = *hello;
            News::Hello(super::server(&server), super::account(&user))
        }
        Report::State(state) => News::Connection(connection(state, now_ms)),
        Report::Projects { fresh, change } => News::Projects {
            fresh,
            changed: change
                .projects
                .iter()
                .map(super::project::project)
                .collect(),
            deleted: change.deleted_project_ids,
            complete: change.initial_list_complete,
        },
        Report::Project { id, batch } => {
            if batch.events.is_empty() {
                return None;
            }
            News::Events {
                project_id: id,
                events: batch.events.into_iter().map(super::event::event).collect(),
                head: batch.head,
            }
        }
        Report::Logs {
            project_id,
            life,
            batch,
        } => News::Logs {
            project_id,
            life,
            lines: super::log::batch(&batch),
        },
        Report::Ended { topic, error } => News::Ended {
            topic,
            failure: error.map(super::failure),
        },
    })
}

fn connection(state: State, now_ms: i64) -> Connection {
    match state {
        State::Connecting => Connection::Connecting,
        State::Online(_) => Connection::Online,
        State::Waiting {
            error,
            wait,
            attempt,
        } => Connection::Waiting {
            failure: super::failure(error),
            retry_at_ms: now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
            attempt,
        },
        State::SignIn(error) => Connection::SignIn {
            failure: super::failure(error),
        },
        State::Refused(error) => Connection::Refused {
            failure: super::failure(error),
        },
    }
}
