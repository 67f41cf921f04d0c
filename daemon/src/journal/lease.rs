//! Who runs a project's generation: claims, releases, and ending what a dead
//! daemon left behind.

use crate::domain;
use crate::domain::event::Event;
use crate::domain::generation::{Ending, GenerationState, Outcome};
use crate::domain::id::ProjectId;
use crate::store::generations::{Orphan, OrphansOf};
use crate::store::heads::{self, Taken};
use crate::store::{RowChange, StoreError, generations};

use super::append::{Append, AppendError, Fence};
use super::{Identity, Journal};

/// What somebody is told whose generation a dead daemon ran.
const INTERRUPTED: &str = "the daemon stopped while this ran; send the prompt again to go on";
/// The same for one that was still waiting.
const INTERRUPTED_QUEUED: &str =
    "the daemon stopped while this waited for its turn; send the prompt again";

/// The right to write as the owner of a project. It lasts until somebody takes
/// the project over, which nobody does while this daemon's heartbeat is fresh;
/// there is nothing to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The project.
    pub project: ProjectId,
    /// What is written must name this.
    pub epoch: i64,
}

impl Lease {
    /// The fence for what is written under this lease.
    #[must_use]
    pub const fn fence(self) -> Fence {
        Fence::Epoch(self.epoch)
    }
}

/// Why a project was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another daemon, which is alive, holds it.
    #[error("another daemon runs this project")]
    Held,
    /// There is no such project.
    #[error("the project is gone")]
    Gone,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ClaimError> for domain::Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Held => Self::Conflict,
            ClaimError::Gone => Self::NotFound,
            ClaimError::Store(error) => error.into(),
        }
    }
}

impl Journal {
    /// Takes a project: where it is free, ours, or its owner is dead. Whoever
    /// held it, ourselves included, writes nothing more under the old epoch.
    ///
    /// # Errors
    /// Somebody else holds it, it is gone, or the database.
    pub async fn claim(&self, project: ProjectId) -> Result<Lease, ClaimError> {
        let Identity { daemon_id, boot_id } = self.inner.identity;
        match heads::take(&self.inner.pool, project, daemon_id, boot_id).await? {
            Taken::Epoch(epoch) => {
                self.inner.queue.forget_unheard(project);
                Ok(Lease { project, epoch })
            }
            Taken::Held => Err(ClaimError::Held),
            Taken::Missing => Err(ClaimError::Gone),
        }
    }

    /// Gives a project back. Does nothing where it was taken over meanwhile.
    ///
    /// # Errors
    /// The database; the lease then ends with this boot, and is no obstacle to
    /// this daemon.
    pub async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.queue.forget_unheard(lease.project);
        heads::leave(&self.inner.pool, lease.project, lease.epoch).await
    }

    /// Ends the generations that earlier boots of this daemon left behind, and
    /// says how many. To be called once, at start; those of other daemons are
    /// looked after all the time.
    ///
    /// # Errors
    /// The database; some may have been ended.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        self.interrupt_orphans(OrphansOf::ThisDaemon).await
    }

    pub(super) async fn interrupt_orphans(&self, of: OrphansOf) -> Result<usize, StoreError> {
        let daemon = self.inner.identity.daemon_id;
        let mut ended = 0;
        loop {
            let orphans = generations::orphans(&self.inner.pool, daemon, of).await?;
            let mut progress = false;
            for orphan in orphans {
                if self.interrupt(&orphan).await? {
                    ended += 1;
                    progress = true;
                }
            }
            if !progress {
                return Ok(ended);
            }
        }
    }

    /// Ends one generation, unless somebody else does or its owner came back.
    async fn interrupt(&self, orphan: &Orphan) -> Result<bool, StoreError> {
        let queued = orphan.state == GenerationState::Queued;
        // What only waited has no owner that could still write.
        let lease = if queued {
            None
        } else {
            match self.claim(orphan.project_id).await {
                Ok(lease) => Some(lease),
                Err(ClaimError::Held | ClaimError::Gone) => return Ok(false),
                Err(ClaimError::Store(error)) => return Err(error),
            }
        };
        let message = if queued {
            INTERRUPTED_QUEUED
        } else {
            INTERRUPTED
        };
        let ending = Ending {
            outcome: Outcome::Interrupted,
            failure_reason: None,
            message: message.to_owned(),
            revision_id: orphan.revision_id,
            usage: orphan.usage,
            attempts: orphan.attempts,
            preview_url: None,
        };
        let appended = self
            .append(Append {
                project: orphan.project_id,
                fence: lease.map_or(Fence::None, Lease::fence),
                generation: Some(orphan.id),
                events: vec![Event::GenerationFinished(ending.clone())],
                changes: vec![RowChange::FinishGeneration {
                    generation_id: orphan.id,
                    ending,
                }],
            })
            .await;
        if let Some(lease) = lease {
            self.release(lease).await?;
        }
        match appended {
            Ok(_) => {
                tracing::info!(generation = %orphan.id, "interrupted: its daemon is dead");
                Ok(true)
            }
            // Somebody else was faster, or the project is gone.
            Err(AppendError::Fenced | AppendError::ProjectGone | AppendError::Refused(_)) => {
                Ok(false)
            }
            Err(AppendError::StorageFull) => Err(StoreError::StorageFull),
            Err(
                error @ (AppendError::Full | AppendError::Unavailable | AppendError::ShuttingDown),
            ) => {
                tracing::warn!(%error, generation = %orphan.id, "could not be interrupted yet");
                Ok(false)
            }
        }
    }
}
