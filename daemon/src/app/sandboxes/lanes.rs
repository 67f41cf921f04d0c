//! One thing at a time for each project: making, stopping and settling a
//! sandbox never overlap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::id::ProjectId;

/// The lanes of all projects.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<ProjectId, Arc<AsyncMutex<()>>>>,
}

/// The right to change the sandbox of one project, until dropped.
pub(super) struct Lane {
    project: ProjectId,
    _guard: OwnedMutexGuard<()>,
}

impl Lane {
    /// The project that it is for.
    pub(super) fn project(&self) -> ProjectId {
        self.project
    }
}

impl Lanes {
    /// Waits for the lane of a project.
    pub(super) async fn enter(&self, project: ProjectId) -> Lane {
        Lane {
            project,
            _guard: self.lane(project).lock_owned().await,
        }
    }

    /// The lane of a project, if nobody is in it.
    pub(super) fn try_enter(&self, project: ProjectId) -> Option<Lane> {
        Some(Lane {
            project,
            _guard: self.lane(project).try_lock_owned().ok()?,
        })
    }

    fn lane(&self, project: ProjectId) -> Arc<AsyncMutex<()>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        // Lanes that nobody is in or waits for are not worth keeping.
        if lanes.len() > 1_024 {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(project).or_default())
    }
}
