//! The files of a revision: a tree to choose from, and the file that is open.
//!
//! - `tree`: folders and files in rows. `viewer`: one file, line by line.

#[cfg(test)]
mod tests;
mod tree;
mod viewer;

use std::collections::{BTreeMap, BTreeSet};

pub use self::tree::Chosen;
use self::tree::Node;
use self::viewer::Viewer;
use super::event::{Change, ChangeKind};

/// A file in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub size: i64,
}

/// The files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// By path.
    entries: Vec<FileEntry>,
    /// Whether the daemon has listed them.
    listed: bool,
    /// Folders that are closed.
    closed: BTreeSet<String>,
    /// Files of the newest revision that differ from the one before.
    changes: BTreeMap<String, ChangeKind>,
    /// The file that is being written.
    written: Option<String>,
    /// What is shown of the tree, from top to bottom.
    nodes: Vec<Node>,
    selected: usize,
    top: usize,
    size: (usize, usize),
    viewer: Option<Viewer>,
    ascii: bool,
}

impl Files {
    /// None yet.
    #[must_use]
    pub fn new(ascii: bool) -> Self {
        Self {
            ascii,
            ..Self::default()
        }
    }

    /// The files of the newest revision. What is selected stays selected.
    pub fn set_listing(&mut self, mut entries: Vec<FileEntry>) {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.entries = entries;
        self.listed = true;
        self.rebuild();
    }

    /// A revision was made: what is new in it.
    pub fn mark_changes(&mut self, changes: &[Change]) {
        self.changes = changes
            .iter()
            .map(|change| (change.path.clone(), change.kind))
            .collect();
        self.rebuild();
    }

    /// A file is being written.
    pub fn is_written(&mut self, path: &str) {
        self.written = Some(path.to_owned());
        self.rebuild();
    }

    /// None is being written any more.
    pub fn nothing_is_written(&mut self) {
        if self.written.take().is_some() {
            self.rebuild();
        }
    }

    /// Whether a file is open.
    #[must_use]
    pub fn has_open_file(&self) -> bool {
        self.viewer.is_some()
    }

    /// The path of the file that is open.
    #[must_use]
    pub fn open_path(&self) -> Option<&str> {
        self.viewer.as_ref().map(|viewer| viewer.path.as_str())
    }

    /// All that is in the file that is open.
    #[must_use]
    pub fn open_text(&self) -> Option<String> {
        self.viewer.as_ref()?.text()
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.viewer = None;
    }
}
