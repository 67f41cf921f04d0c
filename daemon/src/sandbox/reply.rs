//! What the supervisor says, checked and bounded. It shares its user with the
//! code in the sandbox, so nothing it says is believed: lengths are cut, times
//! that make no sense are replaced, unknown values are dropped.

use kiln_proto::supervisor::v1 as proto;
use time::OffsetDateTime;
use tonic::{Code, Status};

use super::error::{SandboxError, bounded};
use crate::domain::id::RevisionId;
use crate::domain::sandbox::Slot;

/// Longest line, in bytes.
const LINE_BYTES: usize = 16 << 10;
/// Most lines that are taken from one message.
const LINES: usize = 10_000;

/// What runs in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorStatus {
    /// Version of the supervisor.
    pub version: String,
    /// Identity of this start of the supervisor.
    pub boot_id: String,
    /// The dev servers that were started, at most one for each slot.
    pub servers: Vec<ServerStatus>,
}

/// A dev server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its slot.
    pub slot: Slot,
    /// How it ended; `None` while it runs.
    pub exit: Option<StepExit>,
    /// The revision that it was started for.
    pub revision_id: Option<RevisionId>,
    /// The port that it was told to listen on.
    pub port: u16,
}

impl ServerStatus {
    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit.is_none()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepExit {
    /// Exit code; 128 + signal if a signal ended it.
    pub code: i32,
    /// Whether its time was up.
    pub timed_out: bool,
}

impl StepExit {
    /// Whether it ended as it should.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.code == 0 && !self.timed_out
    }
}

/// Lines of output, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogBatch {
    /// The lines.
    pub lines: Vec<OutputLine>,
    /// Lines that were dropped before these.
    pub dropped: u64,
}

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// From 1, in the life of the supervisor; 0 for steps.
    pub number: u64,
    /// When it was read.
    pub time: OffsetDateTime,
    /// What wrote it.
    pub stream: OutputStream,
    /// The slot whose server wrote it; `None` for steps.
    pub slot: Option<Slot>,
    /// Its text without the line's end: at most 16 KiB, and no NUL. It may hold
    /// any other control character.
    pub text: String,
}

/// What wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The supervisor itself.
    Supervisor,
}

/// What an upload did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Files written.
    pub written: u32,
    /// Files deleted.
    pub deleted: u32,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u32,
    /// Bytes.
    pub bytes: u64,
}

pub(super) fn status(message: proto::GetStatusResponse) -> SupervisorStatus {
    let mut servers: Vec<ServerStatus> = Vec::new();
    for server in message.servers {
        let Some(slot) = Slot::parse(&server.slot) else {
            continue;
        };
        if servers.iter().any(|known| known.slot == slot) {
            continue;
        }
        let ended = exit(server.exit.unwrap_or_default());
        servers.push(ServerStatus {
            slot,
            exit: (!server.running).then_some(ended),
            revision_id: server.revision_id.parse().ok(),
            port: u16::try_from(server.port).unwrap_or(0),
        });
    }
    SupervisorStatus {
        version: bounded(&message.version),
        boot_id: bounded(&message.boot_id),
        servers,
    }
}

pub(super) fn exit(message: proto::Exit) -> StepExit {
    StepExit {
        code: message.code,
        timed_out: message.timed_out,
    }
}

pub(super) fn applied(message: proto::ApplyFilesResponse) -> Applied {
    Applied {
        written: u32::try_from(message.written_count).unwrap_or(0),
        deleted: u32::try_from(message.deleted_count).unwrap_or(0),
    }
}

pub(super) fn copied(message: proto::CopyTreeResponse) -> Copied {
    Copied {
        files: u32::try_from(message.file_count).unwrap_or(0),
        bytes: u64::try_from(message.total_bytes).unwrap_or(0),
    }
}

/// Lines beyond the bound of one message count as dropped.
pub(super) fn batch(lines: Vec<proto::Line>, dropped: i64) -> LogBatch {
    let excess = lines.len().saturating_sub(LINES);
    LogBatch {
        dropped: u64::try_from(dropped).unwrap_or(0) + excess as u64,
        lines: lines.into_iter().skip(excess).map(line).collect(),
    }
}

fn line(message: proto::Line) -> OutputLine {
    OutputLine {
        number: u64::try_from(message.number).unwrap_or(0),
        time: time_of(message.time),
        stream: match message.stream {
            2 => OutputStream::Stderr,
            3 => OutputStream::Supervisor,
            _ => OutputStream::Stdout,
        },
        slot: Slot::parse(&message.slot),
        text: text(message.text),
    }
}

/// A time of the sandbox's clock, which is the engine's; now, where there is none.
fn time_of(message: Option<prost_types::Timestamp>) -> OffsetDateTime {
    message
        .and_then(|stamp| {
            let nanoseconds = i128::from(stamp.seconds) * 1_000_000_000 + i128::from(stamp.nanos);
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
        })
        // Postgres and RFC 3339 have no room for the year 9999 and beyond.
        .filter(|time| (1970..=9_000).contains(&time.year()))
        .unwrap_or_else(OffsetDateTime::now_utc)
}

/// Cuts a line, and takes out what no text column of Postgres holds.
fn text(mut text: String) -> String {
    if text.len() > LINE_BYTES {
        let end = text.floor_char_boundary(LINE_BYTES);
        text.truncate(end);
    }
    if text.contains('\0') {
        text = text.replace('\0', "\u{fffd}");
    }
    text
}

/// What a failed call means. `port` and `limit` are what was asked for, where
/// something was.
pub(super) fn failure(status: &Status, port: u16, limit: usize) -> SandboxError {
    // A source is there only when the connection failed: what the other side
    // answers has none.
    if std::error::Error::source(status).is_some() {
        return SandboxError::Gone(bounded(status.message()));
    }
    let message = bounded(status.message());
    let (reason, fact) = message.split_once(": ").unwrap_or((message.as_str(), ""));
    let path = || fact.to_owned();
    match (status.code(), reason) {
        (Code::FailedPrecondition, "UPLOAD_REJECTED" | "NOT_A_FILE") => {
            SandboxError::Rejected { path: path() }
        }
        (Code::FailedPrecondition, "FILE_TOO_LARGE") => SandboxError::TooLarge {
            path: path(),
            limit,
        },
        (Code::ResourceExhausted, "SANDBOX_DISK") => SandboxError::DiskFull,
        (Code::ResourceExhausted, _) => SandboxError::Busy(message),
        (Code::Unavailable, "PORT_UNREACHABLE") => SandboxError::NotListening(port),
        (Code::Unavailable | Code::Cancelled, _) => SandboxError::Gone(message),
        (Code::NotFound, _) => SandboxError::NotFound(message),
        (code, _) => SandboxError::Protocol(format!("{code:?}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters_and_holds_no_nul() {
        let batch = batch(
            vec![proto::Line {
                number: -1,
                text: format!("\0{}", "ü".repeat(LINE_BYTES)),
                slot: "../x".into(),
                stream: 77,
                time: Some(prost_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: i32::MIN,
                }),
            }],
            i64::MIN,
        );
        assert_eq!(batch.dropped, 0);
        let line = &batch.lines[0];
        assert!(line.text.len() <= LINE_BYTES + 2);
        assert!(line.text.starts_with('\u{fffd}'));
        assert_eq!((line.number, line.slot), (0, None));
        assert_eq!(line.stream, OutputStream::Stdout);
        assert!(line.time.year() < 9_000);
    }

    #[test]
    fn a_message_of_countless_lines_is_cut_and_the_rest_is_counted() {
        let batch = batch(vec![proto::Line::default(); LINES + 7], 3);
        assert_eq!(batch.lines.len(), LINES);
        assert_eq!(batch.dropped, 10);
    }

    #[test]
    fn a_status_names_each_slot_once_and_no_others() {
        let server = |slot: &str, running| proto::ServerStatus {
            slot: slot.into(),
            running,
            revision_id: "not an id".into(),
            port: -5,
            ..proto::ServerStatus::default()
        };
        let status = status(proto::GetStatusResponse {
            version: "v".repeat(10_000),
            boot_id: "b\n".into(),
            servers: vec![
                server("c", true),
                server("a", true),
                server("a", false),
                server("b", false),
            ],
        });
        assert!(status.version.len() < 600);
        assert_eq!(status.boot_id, "b");
        let slots: Vec<_> = status.servers.iter().map(|server| server.slot).collect();
        assert_eq!(slots, [Slot::A, Slot::B]);
        assert!(status.servers[0].is_running());
        assert_eq!(status.servers[1].revision_id, None);
        assert_eq!(status.servers[1].port, 0);
    }

    #[test]
    fn failures_are_told_apart() {
        let fail = |code, message: &str| failure(&Status::new(code, message), 5173, 10);
        assert!(matches!(
            fail(Code::FailedPrecondition, "UPLOAD_REJECTED: src/a"),
            SandboxError::Rejected { path } if path == "src/a"
        ));
        assert!(matches!(
            fail(Code::FailedPrecondition, "FILE_TOO_LARGE: src/a"),
            SandboxError::TooLarge { limit: 10, .. }
        ));
        assert!(matches!(
            fail(Code::ResourceExhausted, "SANDBOX_DISK"),
            SandboxError::DiskFull
        ));
        assert!(matches!(
            fail(Code::ResourceExhausted, "SANDBOX_PIDS"),
            SandboxError::Busy(_)
        ));
        assert!(matches!(
            fail(Code::Unavailable, "PORT_UNREACHABLE: 1"),
            SandboxError::NotListening(5173)
        ));
        assert!(matches!(
            fail(Code::Internal, "x"),
            SandboxError::Protocol(_)
        ));
    }
}
