//! Keyset paging: newest first, by time of creation and id.

use time::OffsetDateTime;
use uuid::Uuid;

/// A place in a list: the entry after which the next page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When that entry was made.
    pub created_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

/// Which part of a list is wanted. Asking for one more than is shown tells
/// whether there is another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Entries at most.
    pub limit: i64,
    /// `None`: from the newest on.
    pub after: Option<Cursor>,
}

impl PageRequest {
    /// The first page.
    #[must_use]
    pub const fn first(limit: i64) -> Self {
        Self { limit, after: None }
    }

    pub(super) fn created_before(&self) -> Option<OffsetDateTime> {
        self.after.map(|cursor| cursor.created_at)
    }

    pub(super) fn id_before(&self) -> Option<Uuid> {
        self.after.map(|cursor| cursor.id)
    }
}
