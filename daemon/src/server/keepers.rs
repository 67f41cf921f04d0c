//! What goes on beside the calls: containers and rows brought together, and what
//! is over removed. A round that fails is tried again; it ends nothing else.

use std::time::Duration;

use super::compose::App;
use crate::shutdown::Shutdown;
use crate::store;

/// Between two rounds of the reconciler.
const RECONCILE_PERIOD: Duration = Duration::from_secs(60);

/// After a round that failed.
const RECONCILE_RETRY: Duration = Duration::from_secs(5);

/// Between two rounds of housekeeping in the database.
const PRUNE_PERIOD: Duration = Duration::from_secs(3_600);

impl App {
    /// Starts them; they end when the daemon stops.
    pub(super) fn spawn_keepers(&self, shutdown: &Shutdown) {
        let (sandboxes, stopping) = (self.sandboxes.clone(), shutdown.stopping.clone());
        shutdown.support.spawn(async move {
            loop {
                let pause = match sandboxes.reconcile().await {
                    Ok(done) => {
                        if done.changed() {
                            tracing::info!(?done, "containers and rows brought together");
                        }
                        RECONCILE_PERIOD
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot bring containers and rows together; trying again");
                        RECONCILE_RETRY
                    }
                };
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
        let (accounts, pool, stopping) = (
            self.accounts.clone(),
            self.pool.clone(),
            shutdown.stopping.clone(),
        );
        shutdown.support.spawn(async move {
            loop {
                let pruned = accounts.prune().await;
                let purged = store::request_ids::purge(&pool).await;
                tracing::debug!(?pruned, ?purged, "removed what is over");
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(PRUNE_PERIOD) => {}
                }
            }
        });
    }
}
