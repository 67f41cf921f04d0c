//! A command together with its output, to the end of both. What steps and dev
//! servers have in common.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::output;
use crate::process::{Ended, Ending, Process};
use crate::ring::Ring;

/// How long output is still read after the end, if somebody whom we could not
/// find holds the pipe.
const READ_ON: Duration = Duration::from_secs(1);

/// A command that runs, whose output goes to a ring.
pub struct Run {
    /// Its process id.
    pub pid: i32,
    ending: Ending,
    outputs: [tokio::net::unix::pipe::Receiver; 2],
    ring: Arc<Ring>,
    slot: &'static str,
}

/// What ends a command before its own end.
pub struct Limits {
    /// Somebody says so.
    pub stop: CancellationToken,
    /// Its time is up.
    pub deadline: Option<Instant>,
    /// Between asking it to end and ending it.
    pub grace: Duration,
}

impl Run {
    /// Takes over a command that was just started.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn new(process: Process, ring: Arc<Ring>, slot: &'static str) -> Result<Self, Error> {
        let pid = process.pid.as_raw();
        let (outputs, ending) = process.into_parts();
        Ok(Self {
            pid,
            ending,
            outputs: output::receivers(outputs)?,
            ring,
            slot,
        })
    }

    /// Sees it to its end.
    pub async fn to_end(self, limits: Limits) -> Ended {
        let mut read = pin!(output::read(self.outputs, self.ring, self.slot));
        let mut end = pin!(
            self.ending
                .run_to_end(limits.stop, limits.deadline, limits.grace)
        );
        let mut is_read = false;
        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended,
                () = &mut read, if !is_read => is_read = true,
            }
        };
        if !is_read {
            // Too late is not an error: all that can still write is out of reach.
            let _ = tokio::time::timeout(READ_ON, read).await;
        }
        ended
    }
}
