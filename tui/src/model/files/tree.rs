//! Folders and files in rows, one of them selected.

use super::{ChangeKind, FileEntry, Files, Viewer};
use crate::cli::output::format;
use crate::model::fuzzy;
use crate::model::list::{Go, first_seen};
use crate::text::{Role, Row, columns, wrap};

/// A row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The path of the file or folder.
    path: String,
    depth: usize,
    /// `None` for a folder.
    size: Option<i64>,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A file, by its path: it is to be read.
    File(String),
    /// A folder, which is open or closed now.
    Folder,
}

impl Files {
    pub(super) fn rebuild(&mut self) {
        let before = self.nodes.get(self.selected).map(|node| node.path.clone());
        let mut nodes = Vec::new();
        self.collect("", 0, &mut nodes);
        self.nodes = nodes;
        let at = before.and_then(|path| self.nodes.iter().position(|node| node.path == path));
        self.selected = at
            .unwrap_or(self.selected)
            .min(self.nodes.len().saturating_sub(1));
        self.place();
    }

    /// Folders first, then files, each by name.
    fn collect(&self, folder: &str, depth: usize, nodes: &mut Vec<Node>) {
        let mut folders: Vec<&str> = Vec::new();
        let mut files: Vec<&FileEntry> = Vec::new();
        for entry in &self.entries {
            let Some(rest) = entry.path.strip_prefix(folder) else {
                continue;
            };
            match rest.split_once('/') {
                Some((name, _)) => {
                    if folders.last() != Some(&name) && !folders.contains(&name) {
                        folders.push(name);
                    }
                }
                None => files.push(entry),
            }
        }
        for name in folders {
            let path = format!("{folder}{name}/");
            nodes.push(Node {
                path: path.clone(),
                depth,
                size: None,
            });
            // Deeper than a path may be there is nothing.
            if !self.closed.contains(&path) && depth < 32 {
                self.collect(&path, depth + 1, nodes);
            }
        }
        nodes.extend(files.into_iter().map(|entry| Node {
            path: entry.path.clone(),
            depth,
            size: Some(entry.size),
        }));
    }

    /// Brings the tree into a pane of this size.
    pub fn layout_tree(&mut self, width: u16, height: u16) {
        self.size = (usize::from(width).saturating_sub(1), usize::from(height));
        self.place();
    }

    fn place(&mut self) {
        self.top = first_seen(self.top, self.selected, self.nodes.len(), self.size.1);
    }

    /// Moves the selection.
    pub fn go(&mut self, go: Go) {
        self.selected = go.from(self.selected, self.nodes.len(), self.size.1);
        self.place();
    }

    /// Scrolls by rows; the selection stays in sight.
    pub fn scroll_tree(&mut self, rows: isize) {
        let last = self.nodes.len().saturating_sub(self.size.1);
        self.top = self.top.saturating_add_signed(rows).min(last);
        let end = (self.top + self.size.1).min(self.nodes.len());
        if end > self.top {
            self.selected = self.selected.clamp(self.top, end - 1);
        }
    }

    /// Selects what a row shows; says whether there is something.
    pub fn click(&mut self, row: usize) -> bool {
        let at = self.top + row;
        let is_hit = at < self.nodes.len();
        if is_hit {
            self.selected = at;
        }
        is_hit
    }

    /// Opens a file, or opens and closes a folder.
    pub fn choose(&mut self) -> Option<Chosen> {
        let node = self.nodes.get(self.selected)?.clone();
        if node.size.is_some() {
            self.viewer = Some(Viewer::loading(&node.path));
            return Some(Chosen::File(node.path));
        }
        let is_closed = self.closed.contains(&node.path);
        self.set_closed(&node.path, !is_closed);
        Some(Chosen::Folder)
    }

    /// Opens the selected folder.
    pub fn expand(&mut self) {
        if let Some(node) = self.nodes.get(self.selected).cloned()
            && node.size.is_none()
        {
            self.set_closed(&node.path, false);
        }
    }

    /// Closes the selected folder, or goes to the one that it is in.
    pub fn collapse(&mut self) {
        let Some(node) = self.nodes.get(self.selected).cloned() else {
            return;
        };
        if node.size.is_none() && !self.closed.contains(&node.path) {
            self.set_closed(&node.path, true);
            return;
        }
        let above = node.path.trim_end_matches('/').rsplit_once('/');
        if let Some((folder, _)) = above {
            let folder = format!("{folder}/");
            if let Some(at) = self.nodes.iter().position(|node| node.path == folder) {
                self.selected = at;
                self.place();
            }
        }
    }

    fn set_closed(&mut self, folder: &str, closed: bool) {
        if closed {
            self.closed.insert(folder.to_owned());
        } else {
            self.closed.remove(folder);
        }
        self.rebuild();
    }

    /// Goes to the file whose path fits best; gives how many fit.
    pub fn jump_to(&mut self, words: &str) -> usize {
        let paths: Vec<&str> = self
            .entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect();
        let hits = fuzzy::rank(words, &paths);
        let Some(best) = hits.first().map(|hit| paths[hit.index].to_owned()) else {
            return 0;
        };
        // What it is in must be open.
        self.closed
            .retain(|folder| !best.starts_with(folder.as_str()));
        self.rebuild();
        if let Some(at) = self.nodes.iter().position(|node| node.path == best) {
            self.selected = at;
            self.place();
        }
        hits.len()
    }

    /// The path of what is selected.
    #[must_use]
    pub fn selected_path(&self) -> Option<&str> {
        self.nodes.get(self.selected).map(|node| node.path.as_str())
    }

    /// Where the selection is among the rows that are seen.
    #[must_use]
    pub fn selected_row(&self) -> Option<usize> {
        (!self.nodes.is_empty()).then(|| self.selected.saturating_sub(self.top))
    }

    /// The first row that is seen, and how many there are.
    #[must_use]
    pub fn tree_extent(&self) -> (usize, usize) {
        (self.top, self.nodes.len())
    }

    /// What the title of the tree says.
    #[must_use]
    pub fn title(&self) -> Row {
        let mut row = Row::new(Role::Text, "Files");
        if !self.entries.is_empty() {
            let bytes = self.entries.iter().map(|entry| entry.size).sum();
            row.push(
                Role::Dim,
                format!(" {} · {}", self.entries.len(), format::size(bytes)),
            );
        }
        row
    }

    /// The rows that are seen.
    #[must_use]
    pub fn tree_rows(&self) -> Vec<Row> {
        let (width, height) = self.size;
        if self.nodes.is_empty() {
            let words = if self.listed {
                "No files yet: the first prompt makes them."
            } else {
                "reading the files"
            };
            return wrap::plain(words, Role::Dim, &Row::new(Role::Text, " "), width.max(1));
        }
        let end = (self.top + height).min(self.nodes.len());
        self.nodes[self.top.min(end)..end]
            .iter()
            .map(|node| self.row(node, width))
            .collect()
    }

    fn row(&self, node: &Node, width: usize) -> Row {
        let indent = "  ".repeat(node.depth);
        let name = node
            .path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(&node.path);
        let Some(size) = node.size else {
            let sign = match (self.closed.contains(&node.path), self.ascii) {
                (true, false) => "▸ ",
                (false, false) => "▾ ",
                (true, true) => "+ ",
                (false, true) => "- ",
            };
            let row = Row::new(Role::Dim, format!("{indent}{sign}"))
                .add(Role::Accent, format!("{name}/"));
            return wrap::cut(&row, width);
        };
        let is_written = self.written.as_deref() == Some(node.path.as_str());
        let (role, sign) = match (is_written, self.changes.get(&node.path)) {
            (true, _) => (Role::Running, "~ "),
            (false, Some(ChangeKind::Added)) => (Role::Added, "+ "),
            (false, Some(ChangeKind::Modified)) => (Role::Accent, "M "),
            (false, Some(ChangeKind::Deleted) | None) => (Role::Text, "  "),
        };
        let facts = format::size(size);
        let left = columns::width(&indent) + 2;
        let room = width.saturating_sub(left + columns::width(&facts) + 1);
        if room < 4 {
            let row = Row::new(Role::Text, indent).add(role, format!("{sign}{name}"));
            return wrap::cut(&row, width);
        }
        let shown = columns::fit(name, room);
        let pad = room - columns::width(&shown) + 1;
        Row::new(role, format!("{indent}{sign}"))
            .add(role, shown)
            .add(Role::Text, " ".repeat(pad))
            .add(Role::Dim, facts)
    }
}
