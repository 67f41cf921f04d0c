//! The log of a project, followed: every entry once, in order, across breaks.

use std::time::Duration;

use kiln_proto::v1::event::Body;
use kiln_proto::v1::{Event, Project, WatchProjectRequest, WatchProjectResponse};

use super::Client;
use super::resume::{Accepted, Cursor, Follow};

/// The daemon says something at least every 15 s; three times that is silence.
const SILENCE: Duration = Duration::from_secs(45);

/// The next entries of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The project at the start; only in the first batch, and only if no
    /// position was asked for.
    pub snapshot: Option<Project>,
    /// In order, without a hole to the batch before; empty for a sign of life.
    pub events: Vec<Event>,
    /// Position of the newest entry, as far as the daemon said.
    pub head: i64,
}

/// What to follow.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// UUID of the project.
    pub project_id: String,
    /// The last sequence that is known; `None` for a snapshot and what comes.
    pub after: Option<i64>,
    /// Stop after the end of this generation.
    pub until_generation_id: Option<String>,
    /// How long a break may last; `None` for ever.
    pub patience: Option<Duration>,
}

/// Follows a project.
#[must_use]
pub fn watch(client: &Client, options: WatchOptions) -> Follow<Batch> {
    let client = client.clone();
    let project_id = options.project_id;
    let until = options.until_generation_id.clone().unwrap_or_default();
    let cursor = WatchCursor {
        after: options.after,
        until: options.until_generation_id,
        complete: false,
    };
    Follow::spawn(
        move |cursor: &WatchCursor| {
            let client = client.clone();
            let request = WatchProjectRequest {
                project_id: project_id.clone(),
                after_sequence: cursor.after,
                until_generation_id: until.clone(),
            };
            async move { client.watch_project(request).await }
        },
        cursor,
        options.patience,
    )
}

/// The position in a project's log.
#[derive(Clone)]
pub(super) struct WatchCursor {
    /// The last sequence taken; `None` until the first answer where the reader
    /// asked for a snapshot.
    pub(super) after: Option<i64>,
    pub(super) until: Option<String>,
    pub(super) complete: bool,
}

impl Cursor for WatchCursor {
    type Answer = WatchProjectResponse;
    type Item = Batch;

    fn accept(&mut self, answer: WatchProjectResponse) -> Accepted<Batch> {
        let start = answer
            .snapshot
            .as_ref()
            .map(|project| project.head_sequence)
            .or_else(|| answer.events.first().map(|event| event.sequence - 1))
            .unwrap_or(answer.head_sequence);
        let mut last = *self.after.get_or_insert(start);
        let before = last;
        let mut fault = None;
        let mut events = Vec::with_capacity(answer.events.len());
        for event in answer.events {
            if self.complete || event.sequence <= last {
                continue;
            }
            if event.sequence != last + 1 {
                fault = Some(format!(
                    "sequence {} where {} was due",
                    event.sequence,
                    last + 1
                ));
                break;
            }
            last = event.sequence;
            self.complete = self.is_last(&event);
            events.push(event);
        }
        self.after = Some(last);
        Accepted {
            item: Some(Batch {
                snapshot: answer.snapshot,
                events,
                head: answer.head_sequence.max(last),
            }),
            moved: last > before,
            fault,
        }
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn ends_by_itself(&self) -> bool {
        false
    }

    fn silence(&self) -> Option<Duration> {
        Some(SILENCE)
    }
}

impl WatchCursor {
    fn is_last(&self, event: &Event) -> bool {
        match &event.body {
            Some(Body::ProjectDeleted(_)) => true,
            Some(Body::GenerationFinished(_)) => {
                self.until.as_deref() == Some(event.generation_id.as_str())
            }
            _ => false,
        }
    }
}
