//! WebSockets: bytes in both directions until one side ends, or the preview
//! moves on. A page that loses its socket that way asks again and finds the new
//! app; that is how a browser reloads on a flip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;
use tokio_util::sync::CancellationToken;

use super::gateway::{Project, Shared};
use super::target::{Target, Targets};

/// Bytes held of each direction.
const BUFFER: usize = 16 * 1024;

/// The open tunnels of one project, by the port that they lead to.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    /// Held for moments only.
    ends: Mutex<HashMap<u16, CancellationToken>>,
}

impl Tunnels {
    /// What tells the tunnels to `port` to end.
    fn end_of(&self, port: u16) -> CancellationToken {
        self.lock().entry(port).or_default().clone()
    }

    /// Ends the tunnels that do not lead to `port`.
    pub(super) fn keep_only(&self, port: Option<u16>) {
        self.lock().retain(|other, end| {
            let kept = Some(*other) == port;
            if !kept {
                end.cancel();
            }
            kept
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, CancellationToken>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins the two sides, once both have agreed. `held` is given back at the end.
pub(super) async fn run<T: Targets, H>(
    shared: Arc<Shared<T>>,
    project: Arc<Project>,
    port: u16,
    browser: OnUpgrade,
    app: OnUpgrade,
    held: H,
) {
    let end = project.tunnels.end_of(port);
    let joined = async {
        let (browser, app) = tokio::try_join!(browser, app)?;
        // The preview may have moved on before this tunnel was there to be told.
        match shared.targets.target(project.id).await {
            Target::Ready { port: now, .. } if now == port => {}
            Target::Ready { .. } | Target::Waiting(_) => return Ok(()),
        }
        let (mut browser, mut app) = (TokioIo::new(browser), TokioIo::new(app));
        // How a tunnel ends is between its two sides.
        let _ = copy_bidirectional_with_sizes(&mut browser, &mut app, BUFFER, BUFFER).await;
        Ok::<(), hyper::Error>(())
    };
    tokio::select! {
        result = joined => {
            if let Err(error) = result {
                tracing::debug!(project_id = %project.id, %error, "a tunnel did not open");
            }
        }
        () = end.cancelled() => {}
        () = project.stop.cancelled() => {}
    }
    drop(held);
}
