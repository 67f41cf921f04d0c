//! Revisions: immutable file trees with a parent.

use time::OffsetDateTime;

use super::generation::text_enum;
use super::id::{GenerationId, ProjectId, RevisionId};

text_enum! {
    /// Whether a revision passed the gate.
    Health {
        /// It has not been through it.
        Unknown = "unknown",
        /// It passed.
        Healthy = "healthy",
        /// It did not.
        Unhealthy = "unhealthy",
    }
}

/// An immutable file tree, without the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// Its project.
    pub project_id: ProjectId,
    /// From 1.
    pub number: i32,
    /// Where it came from.
    pub parent_id: Option<RevisionId>,
    /// The generation that made it.
    pub generation_id: Option<GenerationId>,
    /// What it is, for people.
    pub title: String,
    /// Whether it passed the gate.
    pub health: Health,
    /// Files in it.
    pub file_count: i32,
    /// Bytes of them together.
    pub total_bytes: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
}
