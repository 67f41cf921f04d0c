//! Between messages and our own types: what a request says is checked here and
//! nowhere later.

use std::time::Duration;

use kiln_proto::supervisor::v1 as proto;

use crate::dev_server::{ServerPlan, ServerState};
use crate::error::Error;
use crate::follow::{Batch, Start};
use crate::path::{RelativePath, Slot};
use crate::process::{Ended, Invocation};
use crate::ring::{Origin, RingLine};

/// The step that a request describes.
pub(crate) struct StepPlan {
    pub(crate) slot: Slot,
    pub(crate) invocation: Invocation,
    pub(crate) timeout: Option<Duration>,
}

pub(crate) fn step_plan(request: proto::RunStepRequest) -> Result<StepPlan, Error> {
    let timeout = match request.timeout {
        None => None,
        Some(timeout) => Some(
            Duration::try_from(timeout)
                .map_err(|_| Error::Invalid("timeout: must not be negative".to_owned()))?,
        ),
    };
    Ok(StepPlan {
        slot: Slot::parse(&request.slot)?,
        invocation: Invocation::new(request.argv, request.environment)?,
        timeout,
    })
}

pub(crate) fn server_plan(request: proto::StartServerRequest) -> Result<ServerPlan, Error> {
    Ok(ServerPlan {
        slot: Slot::parse(&request.slot)?,
        invocation: Invocation::new(request.argv, request.environment)?,
        revision_id: request.revision_id,
        port: port(request.port)?,
    })
}

pub(crate) fn port(number: i32) -> Result<u16, Error> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(Error::Invalid("port: must be from 1 to 65535".to_owned())),
    }
}

pub(crate) fn paths(paths: &[String]) -> Result<Vec<RelativePath>, Error> {
    if paths.len() > crate::apply::MAX_DELETIONS {
        return Err(Error::Invalid("delete_paths: too many".to_owned()));
    }
    paths.iter().map(|path| RelativePath::parse(path)).collect()
}

pub(crate) fn start(request: &proto::StreamLogsRequest) -> Result<Start, Error> {
    let negative = |name: &str| Error::Invalid(format!("{name}: must not be negative"));
    let after = u64::try_from(request.after_number).map_err(|_| negative("after_number"))?;
    let tail = usize::try_from(request.tail).map_err(|_| negative("tail"))?;
    Ok(if after > 0 {
        Start::After(after)
    } else {
        Start::Tail(tail)
    })
}

pub(crate) fn server_status(state: ServerState) -> proto::ServerStatus {
    proto::ServerStatus {
        slot: state.slot.name().to_owned(),
        running: state.ended.is_none(),
        pid: state.pid,
        exit: state.ended.map(exit),
        revision_id: state.revision_id,
        port: i32::from(state.port),
    }
}

pub(crate) fn exit(ended: Ended) -> proto::Exit {
    proto::Exit {
        code: ended.status.code,
        signal: ended.status.signal,
        timed_out: ended.timed_out,
    }
}

pub(crate) fn log_message(batch: Batch) -> proto::StreamLogsResponse {
    proto::StreamLogsResponse {
        dropped_count: signed(batch.dropped_count),
        lines: batch.lines.into_iter().map(line).collect(),
    }
}

pub(crate) fn step_message(batch: Batch) -> proto::RunStepResponse {
    let lines = batch.lines.into_iter().map(|line_| proto::Line {
        number: 0,
        ..line(line_)
    });
    proto::RunStepResponse {
        dropped_count: signed(batch.dropped_count),
        lines: lines.collect(),
        exit: None,
    }
}

/// Counts that no life of a supervisor can bring beyond `i64`.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn line(line: RingLine) -> proto::Line {
    proto::Line {
        number: signed(line.number),
        time: Some(line.time.into()),
        stream: match line.origin {
            Origin::Output => 1,
            Origin::Error => 2,
            Origin::Supervisor => 3,
        },
        text: line.text,
        slot: line.slot.to_owned(),
    }
}
