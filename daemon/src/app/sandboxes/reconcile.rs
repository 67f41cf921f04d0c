//! Containers and rows brought together, both ways: at start, every minute, and
//! when the engine comes back. Only what carries our deployment's label is
//! looked at.

use std::collections::HashMap;

use super::Sandboxes;
use crate::domain::Result;
use crate::domain::id::SandboxId;
use crate::domain::sandbox::{Sandbox, SandboxState};
use crate::sandbox::FoundSandbox;
use crate::store::sandboxes as rows;

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

impl Sandboxes {
    /// One round. Projects on whose sandbox something is under way are left to
    /// whoever does it.
    ///
    /// # Errors
    /// The engine or the database; the next round tries again.
    pub(crate) async fn reconcile(&self) -> Result<Reconciled> {
        let engine_id = self.engine().info().await?.id;
        // Containers first: one that is made after this has its row by then.
        let found = self.engine().list().await?;
        let rows = rows::of_engine(self.pool(), &engine_id).await?;
        let by_id: HashMap<SandboxId, &Sandbox> = rows.iter().map(|row| (row.id, row)).collect();
        let mut done = Reconciled::default();
        self.engine().sweep_helpers().await?;
        for found in &found {
            match by_id.get(&found.id) {
                None => {
                    tracing::info!(sandbox = %found.id, "removing a sandbox that no project has");
                    self.engine().remove(found.id).await?;
                    done.removed += 1;
                }
                Some(row) => self.match_row(row, Some(found), &mut done).await?,
            }
        }
        for row in &rows {
            if !found.iter().any(|found| found.id == row.id) {
                self.match_row(row, None, &mut done).await?;
            }
        }
        Ok(done)
    }

    async fn match_row(
        &self,
        row: &Sandbox,
        found: Option<&FoundSandbox>,
        done: &mut Reconciled,
    ) -> Result<()> {
        let Some(lane) = self.inner.lanes.try_enter(row.project_id) else {
            return Ok(());
        };
        let has_container = found.is_some_and(|found| found.container.is_some());
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
        Ok(())
    }
}
