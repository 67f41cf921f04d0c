//! Containers and rows brought together, both ways: at start, every minute, and
//! when the engine comes back. Only what carries our deployment's label is
//! looked at.

use std::collections::HashSet;

use futures::StreamExt;

use super::Sandboxes;
use crate::domain::Result;
use crate::domain::id::SandboxId;
use crate::domain::sandbox::{Sandbox, SandboxState};
use crate::store::sandboxes as rows;

/// How many sandboxes are looked at at once: one that does not answer holds up
/// no other.
const AT_ONCE: usize = 8;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// Containers that nobody wanted.
    pub(crate) removed: usize,
    /// Running containers that were taken over.
    pub(crate) adopted: usize,
    /// Rows whose container is gone.
    pub(crate) lost: usize,
}

impl Reconciled {
    /// Whether it did anything.
    pub(crate) fn changed(self) -> bool {
        self != Self::default()
    }
}

impl std::ops::AddAssign for Reconciled {
    fn add_assign(&mut self, other: Self) {
        self.removed += other.removed;
        self.adopted += other.adopted;
        self.lost += other.lost;
    }
}

impl Sandboxes {
    /// One round. Projects on whose sandbox something is under way are left to
    /// whoever does it.
    ///
    /// # Errors
    /// The engine or the database; the next round tries again.
    pub(crate) async fn reconcile(&self) -> Result<Reconciled> {
        let done = self.round().await;
        // Whoever waits for a sandbox from before need not wait any longer.
        self.inner.looked.send_replace(true);
        done
    }

    async fn round(&self) -> Result<Reconciled> {
        let engine_id = self.engine().info().await?.id;
        // Containers first: one that is made after this has its row by then.
        let found = self.engine().list().await?;
        let rows = rows::of_engine(self.pool(), &engine_id).await?;
        let mut done = Reconciled::default();
        // What runs comes first: somebody may be waiting for it.
        let matches = rows.iter().map(|row| {
            let has_container = found
                .iter()
                .any(|found| found.id == row.id && found.container.is_some());
            let (this, row) = (self.clone(), row.clone());
            async move { this.match_row(&row, has_container).await }
        });
        let matches: Vec<_> = matches.collect();
        let matched: Vec<Result<Reconciled>> = futures::stream::iter(matches)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut failed = None;
        for result in matched {
            match result {
                Ok(one) => done += one,
                Err(error) => failed = Some(error),
            }
        }
        let known: HashSet<SandboxId> = rows.iter().map(|row| row.id).collect();
        self.engine().sweep_helpers().await?;
        for found in found.iter().filter(|found| !known.contains(&found.id)) {
            tracing::info!(sandbox = %found.id, "removing a sandbox that no project has");
            self.engine().remove(found.id).await?;
            done.removed += 1;
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    async fn match_row(&self, row: &Sandbox, has_container: bool) -> Result<Reconciled> {
        let mut done = Reconciled::default();
        let Some(lane) = self.inner.lanes.try_enter(row.project_id) else {
            return Ok(done);
        };
        match row.state {
            SandboxState::Running if has_container => {
                if self.held(row.project_id).is_none() {
                    self.settle(&lane).await?;
                    if self.held(row.project_id).is_some() {
                        done.adopted += 1;
                    } else {
                        done.lost += 1;
                    }
                }
            }
            SandboxState::Running => {
                self.all_held().remove(&row.project_id);
                self.transition(
                    row,
                    &[SandboxState::Running],
                    SandboxState::Stopped,
                    "the container is gone; start the sandbox again",
                )
                .await?;
                done.lost += 1;
            }
            // Nobody is in the lane: whoever began this is dead.
            SandboxState::Starting | SandboxState::Stopping => {
                self.engine().remove_container(row.id).await?;
                self.transition(
                    row,
                    &[row.state],
                    SandboxState::Stopped,
                    "the daemon went down while this was under way",
                )
                .await?;
                done.lost += 1;
            }
            SandboxState::Stopped | SandboxState::Failed => {
                if has_container {
                    self.engine().remove_container(row.id).await?;
                    done.removed += 1;
                }
            }
        }
        Ok(done)
    }
}
