//! Ctrl-C, counted: while something runs that can be cancelled, the first one
//! cancels and the second one leaves.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Failure, Stop};

/// Ctrl-C from now on comes here in place of ending the process.
pub(super) struct Interrupts {
    signal: Signal,
}

impl Interrupts {
    pub(super) fn listen() -> Result<Self, Stop> {
        let signal = signal(SignalKind::interrupt()).map_err(|error| {
            Failure::failed("SIGNAL", format!("cannot listen to Ctrl-C: {error}"))
        })?;
        Ok(Self { signal })
    }

    /// The next Ctrl-C. Nothing is lost if the future is dropped and made anew.
    pub(super) async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            // The listener is gone with the runtime: nothing comes any more.
            std::future::pending::<()>().await;
        }
    }
}
