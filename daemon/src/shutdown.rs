//! Going down: new work is refused, what runs ends within a grace period, and
//! a hard end follows however stuck something is.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// From the first signal until streams have had their final status.
pub const DRAIN: Duration = Duration::from_secs(10);

/// From the first signal until the process is gone, whatever hangs.
pub const HARD_END: Duration = Duration::from_secs(15);

/// The one cancellation token and the one task tracker of the process, in the
/// order in which things end: `stopping` refuses new work and ends streams and
/// generations; `closing` ends what those needed, the journal last.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled first. Read by everything that accepts work.
    pub stopping: CancellationToken,
    /// Cancelled once work has drained. Read by the journal and the keepers.
    pub closing: CancellationToken,
    /// Tasks that do work: generations, streams, steps.
    pub work: TaskTracker,
    /// Tasks that work rests on: journal, listeners, keepers.
    pub support: TaskTracker,
}

impl Shutdown {
    /// Listens for whoever asks the process to stop: SIGTERM, SIGINT or SIGHUP.
    /// From then on the hard end is set: after [`HARD_END`], or at once on a
    /// second signal, the process exits. To be called before anything starts
    /// that has to be taken down.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub fn listen(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let stopping = self.stopping.clone();
        // Nobody waits for this task: it ends the process.
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = hang_up.recv() => "SIGHUP",
            };
            tracing::info!(signal = name, "going down");
            stopping.cancel();
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = tokio::time::sleep(HARD_END) => {}
            }
            tracing::warn!("ending hard: something did not stop in time, or a second signal came");
            std::process::exit(1);
        });
        Ok(())
    }

    /// Waits for work to end, at most [`DRAIN`], then for what it rested on.
    pub async fn drain(&self) {
        self.stopping.cancel();
        self.work.close();
        if tokio::time::timeout(DRAIN, self.work.wait()).await.is_err() {
            tracing::warn!(left = self.work.len(), "work did not end in time");
        }
        self.closing.cancel();
        self.support.close();
        if tokio::time::timeout(Duration::from_secs(4), self.support.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = self.support.len(),
                "support tasks did not end in time"
            );
        }
    }
}
