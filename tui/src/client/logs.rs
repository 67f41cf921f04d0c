//! The output of a sandbox, followed across breaks.

use std::time::Duration;

use kiln_proto::v1::{LogLine, StreamLogsRequest, StreamLogsResponse};
use prost_types::Timestamp;

use super::Client;
use super::resume::{Accepted, Cursor, Follow};

/// Asked for again after a break, before what is known is taken out: the most
/// that the daemon sends.
const TAIL_AFTER_BREAK: i32 = 10_000;

/// The next lines.
#[derive(Clone, Debug, PartialEq)]
pub struct LogBatch {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Lines that the daemon dropped before these.
    pub dropped: i64,
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// UUID of the project.
    pub project_id: String,
    /// Lines to begin with; 0 for the daemon's default, -1 for none.
    pub tail: i32,
    /// Whether to go on with new lines.
    pub follow: bool,
    /// How long a break may last; `None` for ever.
    pub patience: Option<Duration>,
}

/// Reads the output of a sandbox.
#[must_use]
pub fn logs(client: &Client, options: LogOptions) -> Follow<LogBatch> {
    let client = client.clone();
    let LogOptions {
        project_id,
        tail,
        follow,
        patience,
    } = options;
    Follow::spawn(
        move |cursor: &LogCursor| {
            let client = client.clone();
            let request = cursor.request(&project_id, tail, follow);
            async move { client.stream_logs(request).await }
        },
        LogCursor::default(),
        patience,
    )
}

/// The position in the output: time and number of the last line. Numbers begin
/// anew with each life of the sandbox, times do not.
#[derive(Clone, Default)]
pub(super) struct LogCursor {
    last: Option<((i64, i32), i64)>,
}

impl LogCursor {
    /// Asks for what follows; `tail` holds only at the beginning.
    pub(super) fn request(&self, project_id: &str, tail: i32, follow: bool) -> StreamLogsRequest {
        StreamLogsRequest {
            project_id: project_id.to_owned(),
            tail: self.last.map_or(tail, |_| TAIL_AFTER_BREAK),
            since: self.last.map(|(time, _)| before(time)),
            follow,
        }
    }
}

impl Cursor for LogCursor {
    type Answer = StreamLogsResponse;
    type Item = LogBatch;

    fn accept(&mut self, answer: StreamLogsResponse) -> Accepted<LogBatch> {
        let mut lines = Vec::with_capacity(answer.lines.len());
        for line in answer.lines {
            let time = line.time.map_or((0, 0), |time| (time.seconds, time.nanos));
            let position = (time, line.number);
            if self.last.is_none_or(|last| position > last) {
                self.last = Some(position);
                lines.push(line);
            }
        }
        Accepted {
            moved: !lines.is_empty(),
            item: Some(LogBatch {
                lines,
                dropped: answer.dropped_count,
            }),
            fault: None,
        }
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn ends_by_itself(&self) -> bool {
        true
    }

    fn silence(&self) -> Option<Duration> {
        // An app may have nothing to say; HTTP/2 keepalive notices a dead peer.
        None
    }
}

/// A millisecond earlier, so that lines of the same moment come again and can be
/// told apart by number.
fn before((seconds, nanos): (i64, i32)) -> Timestamp {
    const MILLISECOND: i32 = 1_000_000;
    if nanos >= MILLISECOND {
        Timestamp {
            seconds,
            nanos: nanos - MILLISECOND,
        }
    } else {
        Timestamp {
            seconds: seconds.saturating_sub(1),
            nanos: 1_000_000_000 - MILLISECOND + nanos,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[(i64, i32, i64)]) -> StreamLogsResponse {
        StreamLogsResponse {
            lines: lines
                .iter()
                .map(|&(seconds, nanos, number)| LogLine {
                    number,
                    time: Some(Timestamp { seconds, nanos }),
                    ..LogLine::default()
                })
                .collect(),
            dropped_count: 0,
        }
    }

    fn numbers(cursor: &mut LogCursor, lines: &[(i64, i32, i64)]) -> Vec<i64> {
        let batch = cursor.accept(answer(lines)).item.unwrap();
        batch.lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn known_lines_are_taken_out_after_a_break() {
        let mut cursor = LogCursor { last: None };
        assert_eq!(numbers(&mut cursor, &[(5, 0, 1), (5, 0, 2)]), [1, 2]);
        assert_eq!(
            numbers(&mut cursor, &[(5, 0, 1), (5, 0, 2), (5, 0, 3)]),
            [3]
        );
    }

    #[test]
    fn a_sandbox_that_began_anew_is_not_mistaken() {
        let mut cursor = LogCursor { last: None };
        assert_eq!(numbers(&mut cursor, &[(5, 0, 40)]), [40]);
        assert_eq!(numbers(&mut cursor, &[(6, 0, 1), (6, 1, 2)]), [1, 2]);
    }

    #[test]
    fn a_millisecond_earlier_borrows_from_the_seconds() {
        let time = |seconds, nanos| Timestamp { seconds, nanos };
        assert_eq!(before((5, 2_000_000)), time(5, 1_000_000));
        assert_eq!(before((5, 0)), time(4, 999_000_000));
    }
}
