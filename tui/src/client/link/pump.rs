//! One subscription: opens its stream at the position of what was taken last,
//! and hands on what comes, until the connection breaks or nothing can follow.
//!
//! What was handed on is marked as taken only after it was: a pump that is
//! stopped in between sends it again, and readers know what they have.

use std::time::Duration;

use futures::{Stream, StreamExt};
use kiln_proto::v1 as pb;
use tokio::sync::mpsc;

use super::super::backoff;
use super::super::logs::LogCursor;
use super::super::resume::Cursor;
use super::super::watch::WatchCursor;
use super::{Client, Error, Report, Topic};

/// How often in a row a stream may break its own order before it is given up.
const FAULTS_MAX: u32 = 3;

/// Lines of a sandbox to begin with.
const LOG_TAIL: i32 = 2000;

/// Where a subscription is.
pub(super) enum Position {
    /// The list has none: it comes whole each time.
    Projects,
    /// In the log of a project.
    Project(WatchCursor),
    /// In the output of a sandbox.
    Logs(LogCursor),
}

impl Position {
    pub(super) fn start(topic: &Topic) -> Self {
        match topic {
            Topic::Projects => Self::Projects,
            Topic::Project(_) => Self::Project(WatchCursor {
                after: Some(0),
                until: None,
                complete: false,
            }),
            Topic::Logs { .. } => Self::Logs(LogCursor::default()),
        }
    }
}

/// How a pump ended.
pub(super) enum End {
    /// The connection is gone; the position is worth keeping.
    Lost(Error),
    /// This subscription alone is over.
    Over(Option<Error>),
    /// Nobody listens.
    Deaf,
}

/// Follows `topic` from `position`, which it keeps up to date.
pub(super) async fn pump(
    client: &Client,
    topic: &Topic,
    position: &mut Position,
    out: &mpsc::Sender<Report>,
) -> End {
    let mut refusals = 0;
    let mut faults = 0;
    loop {
        let error = match position {
            Position::Projects => match projects(client, out).await {
                Ok(()) => return End::Deaf,
                Err(error) => error,
            },
            Position::Project(cursor) => {
                let Topic::Project(id) = topic else {
                    return End::Over(None);
                };
                let request = pb::WatchProjectRequest {
                    project_id: id.clone(),
                    after_sequence: cursor.after,
                    until_generation_id: String::new(),
                };
                let report = |batch| Report::Project {
                    id: id.clone(),
                    batch,
                };
                let stream = client.watch_project(request).await;
                match follow(stream, cursor, report, out, &mut refusals).await {
                    Ok(end) => return end,
                    Err(error) => error,
                }
            }
            Position::Logs(cursor) => {
                let Topic::Logs { project_id, life } = topic else {
                    return End::Over(None);
                };
                let report = |batch| Report::Logs {
                    project_id: project_id.clone(),
                    life: *life,
                    batch,
                };
                let request = cursor.request(project_id, LOG_TAIL, true);
                let stream = client.stream_logs(request).await;
                match follow(stream, cursor, report, out, &mut refusals).await {
                    Ok(end) => return end,
                    Err(error) => error,
                }
            }
        };
        match error {
            // It says so of this stream; the connection may be well.
            Error::Refused(_) if error.is_retryable() => {}
            Error::Protocol(_) if faults < FAULTS_MAX => faults += 1,
            error if error.is_retryable() => return End::Lost(error),
            error => return End::Over(Some(error)),
        }
        let wait =
            backoff::delay(refusals, rand::random()).max(error.retry_after().unwrap_or_default());
        refusals = refusals.saturating_add(1);
        tokio::time::sleep(wait).await;
    }
}

/// The list, again and again; ends well only when nobody listens.
async fn projects(client: &Client, out: &mpsc::Sender<Report>) -> Result<(), Error> {
    let request = pb::WatchProjectsRequest::default();
    let mut stream = client.watch_projects(request).await?;
    let mut fresh = true;
    while let Some(change) = stream.next().await {
        let report = Report::Projects {
            fresh,
            change: change?,
        };
        fresh = false;
        if out.send(report).await.is_err() {
            return Ok(());
        }
    }
    Err(Error::Interrupted("the list of projects ended".into()))
}

/// Hands on what a stream carries, as its cursor accepts it.
async fn follow<C, S, R>(
    stream: Result<S, Error>,
    cursor: &mut C,
    report: R,
    out: &mpsc::Sender<Report>,
    refusals: &mut u32,
) -> Result<End, Error>
where
    C: Cursor + Clone,
    S: Stream<Item = Result<C::Answer, Error>> + Unpin,
    R: Fn(C::Item) -> Report,
{
    let mut stream = stream?;
    loop {
        let next = match cursor.silence() {
            Some(limit) => tokio::time::timeout(limit, stream.next())
                .await
                .map_err(|_| Error::Interrupted(silent(limit)))?,
            None => stream.next().await,
        };
        let Some(answer) = next else {
            return if cursor.ends_by_itself() {
                Ok(End::Over(None))
            } else {
                Err(Error::Interrupted("the stream ended early".into()))
            };
        };
        let mut moved = cursor.clone();
        let accepted = moved.accept(answer?);
        if accepted.moved {
            *refusals = 0;
        }
        if let Some(item) = accepted.item
            && out.send(report(item)).await.is_err()
        {
            return Ok(End::Deaf);
        }
        *cursor = moved;
        if let Some(fault) = accepted.fault {
            return Err(Error::Protocol(fault));
        }
        if cursor.is_complete() {
            return Ok(End::Over(None));
        }
    }
}

fn silent(limit: Duration) -> String {
    format!("nothing came for {} s", limit.as_secs())
}
