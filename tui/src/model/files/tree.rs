//! Folders and files in rows, one of them selected.

use std::cmp::Ordering;

use super::{ChangeKind, Files, Viewer};
use crate::cli::output::format;
use crate::model::fuzzy;
use crate::model::list::{Go, first_seen};
use crate::text::{Role, Row, columns, wrap};

/// A row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The path of the file or folder; of a folder, with a slash at its end.
    path: String,
    depth: usize,
    what: What,
}

/// What a row of the tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Folder,
    /// A file of so many bytes.
    File(i64),
    /// A file that the newest revision has no more.
    Deleted,
    /// A file that no revision has yet.
    Written,
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
        self.nodes = self.collect();
        let at = before.and_then(|path| self.closest(&path));
        self.selected = at
            .unwrap_or(self.selected)
            .min(self.nodes.len().saturating_sub(1));
        self.place();
    }

    /// Where a path is seen: itself, or the folder it is hidden in.
    fn closest(&self, path: &str) -> Option<usize> {
        let place = |path: &str| self.nodes.iter().position(|node| node.path == path);
        if let Some(at) = place(path) {
            return Some(at);
        }
        let folders = path.match_indices('/').map(|(at, _)| &path[..=at]);
        let closed = folders
            .into_iter()
            .find(|folder| self.closed.contains(*folder))?;
        place(closed)
    }

    /// Everything that is seen, from top to bottom.
    fn collect(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut folders: Vec<&str> = Vec::new();
        for (path, what) in self.leaves() {
            while folders
                .pop_if(|folder| !path.starts_with(*folder))
                .is_some()
            {}
            let is_hidden =
                |folders: &[&str]| folders.iter().any(|folder| self.closed.contains(*folder));
            let mut node = |folders: &[&str], path: &str, what| {
                if !is_hidden(folders) {
                    nodes.push(Node {
                        path: path.to_owned(),
                        depth: folders.len(),
                        what,
                    });
                }
            };
            let mut from = folders.last().map_or(0, |folder| folder.len());
            while let Some(at) = path[from..].find('/') {
                from += at + 1;
                node(&folders, &path[..from], What::Folder);
                folders.push(&path[..from]);
            }
            node(&folders, path, what);
        }
        nodes
    }

    /// All files, in the order in which they are seen.
    fn leaves(&self) -> Vec<(&str, What)> {
        let mut leaves: Vec<(&str, What)> = self
            .entries
            .iter()
            .map(|entry| (entry.path.as_str(), What::File(entry.size)))
            .collect();
        let is_listed = |path: &str| {
            let found = self
                .entries
                .binary_search_by(|entry| entry.path.as_str().cmp(path));
            found.is_ok()
        };
        let written = self.written.as_deref().filter(|path| !is_listed(path));
        leaves.extend(written.map(|path| (path, What::Written)));
        let deleted = self.changes.iter().filter(|(path, kind)| {
            **kind == ChangeKind::Deleted && !is_listed(path) && written != Some(path.as_str())
        });
        leaves.extend(deleted.map(|(path, _)| (path.as_str(), What::Deleted)));
        leaves.sort_by(|(a, _), (b, _)| in_tree_order(a, b));
        leaves
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
        let height = self.size.1.max(1);
        let last = self.nodes.len().saturating_sub(height);
        self.top = self.top.saturating_add_signed(rows).min(last);
        let end = (self.top + height).min(self.nodes.len());
        if end > self.top {
            self.selected = self.selected.clamp(self.top, end - 1);
        }
    }

    /// Selects what a row shows; says whether there is something.
    pub fn click(&mut self, row: usize) -> bool {
        let at = self.top + row;
        let is_hit = row < self.size.1 && at < self.nodes.len();
        if is_hit {
            self.selected = at;
        }
        is_hit
    }

    /// Opens a file, or opens and closes a folder; `None` where there is nothing
    /// to open.
    pub fn choose(&mut self) -> Option<Chosen> {
        let node = self.nodes.get(self.selected)?.clone();
        match node.what {
            What::Folder => {
                let is_closed = self.closed.contains(&node.path);
                self.set_closed(&node.path, !is_closed);
                Some(Chosen::Folder)
            }
            What::File(_) => {
                self.viewer = Some(Viewer::loading(&node.path));
                Some(Chosen::File(node.path))
            }
            // There is nothing to read.
            What::Deleted | What::Written => None,
        }
    }

    /// Opens the selected folder.
    pub fn expand(&mut self) {
        if let Some(node) = self.nodes.get(self.selected).cloned()
            && node.what == What::Folder
        {
            self.set_closed(&node.path, false);
        }
    }

    /// Closes the selected folder, or goes to the one that it is in.
    pub fn collapse(&mut self) {
        let Some(node) = self.nodes.get(self.selected).cloned() else {
            return;
        };
        if node.what == What::Folder && !self.closed.contains(&node.path) {
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

    pub(super) fn set_closed(&mut self, folder: &str, closed: bool) {
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
        let (role, sign, facts) = match node.what {
            What::Folder => {
                let sign = match (self.closed.contains(&node.path), self.ascii) {
                    (true, false) => "▸ ",
                    (false, false) => "▾ ",
                    (true, true) => "+ ",
                    (false, true) => "- ",
                };
                let row = Row::new(Role::Dim, format!("{indent}{sign}"))
                    .add(Role::Accent, format!("{name}/"));
                return wrap::cut(&row, width);
            }
            What::Deleted => (Role::Removed, "- ", "deleted".to_owned()),
            What::Written => (Role::Running, "~ ", "writing".to_owned()),
            What::File(size) => {
                let (role, sign) = self.sign(&node.path);
                (role, sign, format::size(size))
            }
        };
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

    /// What is new about a file.
    fn sign(&self, path: &str) -> (Role, &'static str) {
        if self.written.as_deref() == Some(path) {
            return (Role::Running, "~ ");
        }
        match self.changes.get(path) {
            Some(ChangeKind::Added) => (Role::Added, "+ "),
            Some(ChangeKind::Modified) => (Role::Accent, "M "),
            // What is listed is there, whatever was said before.
            Some(ChangeKind::Deleted) | None => (Role::Text, "  "),
        }
    }
}

/// Folders first, then files, each by name, whatever its case.
fn in_tree_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.split_once('/'), b.split_once('/')) {
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => return by_name(a, b),
            (Some((folder_a, rest_a)), Some((folder_b, rest_b))) => {
                let order = by_name(folder_a, folder_b);
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

fn by_name(a: &str, b: &str) -> Ordering {
    let folded = |name: &str| name.to_lowercase();
    folded(a).cmp(&folded(b)).then_with(|| a.cmp(b))
}
