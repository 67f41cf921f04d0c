//! The files of a revision: which paths can stand side by side, and how much
//! there may be. Trees are values; nothing here touches a disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::event::{FileChange, FileChangeKind};
use super::path::SafePath;

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes in all files of a project.
pub const PROJECT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most files of a project.
pub const PROJECT_FILES_MAX: usize = 2_000;

/// Content of a file, with its hash. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct FileContent {
    /// Hash of the bytes.
    pub sha256: [u8; 32],
    /// The bytes.
    pub bytes: Bytes,
}

impl FileContent {
    /// Takes the bytes and hashes them.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            sha256: Sha256::digest(&bytes).into(),
            bytes,
        }
    }

    /// The content, if it is text: UTF-8 without U+0000.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
    }
}

impl std::fmt::Debug for FileContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.sha256;
        write!(
            f,
            "{} bytes, {a:02x}{b:02x}{c:02x}{d:02x}…",
            self.bytes.len()
        )
    }
}

/// Files by path. Every tree keeps the rules: no two paths that differ only in
/// case, no file that is also a directory, and the limits of size.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: BTreeMap<SafePath, FileContent>,
    /// The same paths by what a case-insensitive file system makes of them.
    folded: BTreeMap<String, SafePath>,
    total_bytes: usize,
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for Tree {}

impl Tree {
    /// A tree without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of files that were given together. The same path twice, in
    /// whatever form, is a collision here.
    ///
    /// # Errors
    /// The first file that cannot be there.
    pub fn from_files(
        files: impl IntoIterator<Item = (SafePath, FileContent)>,
    ) -> Result<Self, TreeProblem> {
        let mut tree = Self::new();
        for (path, content) in files {
            if tree.contains(&path) {
                return Err(TreeProblem::Collision {
                    path: path.to_string(),
                    other: path.to_string(),
                });
            }
            tree.insert(path, content)?;
        }
        Ok(tree)
    }

    /// Puts a file there, in place of the one at the same path.
    ///
    /// # Errors
    /// It cannot be there; nothing was changed.
    pub fn insert(&mut self, path: SafePath, content: FileContent) -> Result<(), TreeProblem> {
        if content.bytes.len() > FILE_BYTES_MAX {
            return Err(TreeProblem::FileTooLarge {
                path: path.to_string(),
            });
        }
        let replaced = self.files.get(&path).map_or(0, |file| file.bytes.len());
        let total_bytes = self.total_bytes - replaced + content.bytes.len();
        if total_bytes > PROJECT_BYTES_MAX {
            return Err(TreeProblem::ProjectTooLarge);
        }
        if !self.files.contains_key(&path) {
            if self.files.len() == PROJECT_FILES_MAX {
                return Err(TreeProblem::ProjectTooLarge);
            }
            let key = path.fold_key();
            self.check_neighbours(&path, &key)?;
            self.folded.insert(key, path.clone());
        }
        self.total_bytes = total_bytes;
        self.files.insert(path, content);
        Ok(())
    }

    /// Takes a file away; gives its content, if it was there.
    pub fn remove(&mut self, path: &SafePath) -> Option<FileContent> {
        let content = self.files.remove(path)?;
        self.folded.remove(&path.fold_key());
        self.total_bytes -= content.bytes.len();
        Some(content)
    }

    /// Moves a file, over the one at `to` if there is one. Gives whether there
    /// was something to move.
    ///
    /// # Errors
    /// It cannot be at `to`; nothing was changed.
    pub fn rename(&mut self, from: &SafePath, to: SafePath) -> Result<bool, TreeProblem> {
        let Some(content) = self.remove(from) else {
            return Ok(false);
        };
        let inserted = self.insert(to, content.clone());
        if inserted.is_err() {
            self.folded.insert(from.fold_key(), from.clone());
            self.total_bytes += content.bytes.len();
            self.files.insert(from.clone(), content);
        }
        inserted.map(|()| true)
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: &SafePath) -> Option<&FileContent> {
        self.files.get(path)
    }

    /// Whether there is a file at a path.
    #[must_use]
    pub fn contains(&self, path: &SafePath) -> bool {
        self.files.contains_key(path)
    }

    /// The path that differs from this one at most in case.
    #[must_use]
    pub fn resembling(&self, path: &SafePath) -> Option<&SafePath> {
        self.folded.get(&path.fold_key())
    }

    /// All files, in the order of their paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SafePath, &FileContent)> {
        self.files.iter()
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Bytes of all files together.
    #[must_use]
    pub const fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    /// How this tree differs from the one it came from, in the order of paths.
    #[must_use]
    pub fn changes_from(&self, parent: &Self) -> Vec<FileChange> {
        let change = |path: &SafePath, change, size: usize| FileChange {
            path: path.to_string(),
            change,
            size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
        };
        let mut changes = Vec::new();
        for (path, content) in &self.files {
            let kind = match parent.files.get(path) {
                None => FileChangeKind::Added,
                Some(old) if old.sha256 != content.sha256 => FileChangeKind::Modified,
                Some(_) => continue,
            };
            changes.push(change(path, kind, content.bytes.len()));
        }
        for path in parent.files.keys().filter(|path| !self.contains(path)) {
            changes.push(change(path, FileChangeKind::Deleted, 0));
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// Whether a path that is not there yet can stand beside the others.
    fn check_neighbours(&self, path: &SafePath, key: &str) -> Result<(), TreeProblem> {
        if let Some(other) = self.folded.get(key) {
            return Err(TreeProblem::Collision {
                path: path.to_string(),
                other: other.to_string(),
            });
        }
        let above = key
            .match_indices('/')
            .find_map(|(end, _)| self.folded.get(&key[..end]));
        if let Some(file) = above {
            return Err(TreeProblem::Conflict {
                path: file.to_string(),
            });
        }
        let directory = format!("{key}/");
        let below = self
            .folded
            .range(directory.clone()..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&directory));
        if below {
            return Err(TreeProblem::Conflict {
                path: path.to_string(),
            });
        }
        Ok(())
    }
}

/// Why a file cannot be in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeProblem {
    /// Another path differs from it only in case or in Unicode form.
    #[error("{path} and {other} differ only in case or in unicode form")]
    Collision {
        /// The path.
        path: String,
        /// The one that is there.
        other: String,
    },
    /// A path would be a file and a directory at once.
    #[error("{path} would be a file and a directory at once")]
    Conflict {
        /// The path.
        path: String,
    },
    /// The file is larger than [`FILE_BYTES_MAX`].
    #[error("{path} is larger than {FILE_BYTES_MAX} bytes")]
    FileTooLarge {
        /// Its path.
        path: String,
    },
    /// There would be more than [`PROJECT_BYTES_MAX`] or [`PROJECT_FILES_MAX`].
    #[error(
        "the project would have more than {PROJECT_FILES_MAX} files or {PROJECT_BYTES_MAX} bytes"
    )]
    ProjectTooLarge,
}

impl From<TreeProblem> for Error {
    fn from(problem: TreeProblem) -> Self {
        match problem {
            TreeProblem::Collision { path, other } => Self::PathCollision { path, other },
            TreeProblem::Conflict { path } => Self::PathConflict { path },
            TreeProblem::FileTooLarge { path } => Self::FileTooLarge {
                path,
                limit: FILE_BYTES_MAX,
            },
            TreeProblem::ProjectTooLarge => Self::ProjectTooLarge {
                files: PROJECT_FILES_MAX,
                bytes: PROJECT_BYTES_MAX,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SafePath {
        SafePath::parse(text).expect("valid")
    }

    fn file(text: &str) -> FileContent {
        FileContent::new(text.to_owned())
    }

    fn tree(paths: &[&str]) -> Result<Tree, TreeProblem> {
        Tree::from_files(paths.iter().map(|text| (path(text), file(text))))
    }

    /// Its own record, recomputed from the files alone.
    fn assert_consistent(tree: &Tree) {
        let bytes: usize = tree.iter().map(|(_, content)| content.bytes.len()).sum();
        assert_eq!(tree.total_bytes(), bytes);
        let folded: Vec<_> = tree.folded.values().cloned().collect();
        assert_eq!(folded.len(), tree.len());
        assert!(folded.iter().all(|path| tree.contains(path)));
    }

    #[test]
    fn row_46_paths_that_differ_only_in_case_or_form_collide() {
        for pair in [
            ["README.md", "readme.md"],
            ["\u{e9}", "e\u{301}"],
            ["e\u{301}", "\u{c9}"],
        ] {
            assert!(
                matches!(tree(&pair), Err(TreeProblem::Collision { .. })),
                "{pair:?}"
            );
        }
        assert!(matches!(
            Error::from(tree(&["A", "a"]).expect_err("collides")),
            Error::PathCollision { .. }
        ));
        assert_eq!(tree(&["a/x", "a/y", "b/x"]).expect("fits").len(), 3);
    }

    #[test]
    fn row_47_a_path_is_a_file_or_a_directory() {
        for pair in [["a", "a/b"], ["a/b", "a"], ["A/b", "a"], ["a/b/c", "a/b"]] {
            assert!(
                matches!(tree(&pair), Err(TreeProblem::Conflict { .. })),
                "{pair:?}"
            );
        }
        assert!(tree(&["a/b", "a.b", "a b", "a-b/c"]).is_ok());
    }

    #[test]
    fn row_50_files_and_projects_are_bounded() {
        let mut tree = Tree::new();
        let megabyte = FileContent::new(vec![b'x'; FILE_BYTES_MAX]);
        assert_eq!(
            tree.insert(
                path("big"),
                FileContent::new(vec![b'x'; FILE_BYTES_MAX + 1])
            ),
            Err(TreeProblem::FileTooLarge { path: "big".into() })
        );
        for number in 0..16 {
            tree.insert(path(&format!("f{number}")), megabyte.clone())
                .expect("fits");
        }
        assert_eq!(
            tree.insert(path("one-more"), file("x")),
            Err(TreeProblem::ProjectTooLarge)
        );
        // Replacing does not count twice.
        tree.insert(path("f0"), megabyte).expect("fits");
        assert_consistent(&tree);

        let mut tree = Tree::new();
        for number in 0..PROJECT_FILES_MAX {
            tree.insert(path(&format!("f{number}")), file(""))
                .expect("fits");
        }
        assert_eq!(
            tree.insert(path("one-more"), file("")),
            Err(TreeProblem::ProjectTooLarge)
        );
        assert!(tree.insert(path("f7"), file("other")).is_ok());
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut tree = tree(&["a/b", "c"]).expect("fits");
        let before = tree.clone();
        assert!(tree.insert(path("a"), file("x")).is_err());
        assert!(tree.rename(&path("c"), path("a")).is_err());
        assert!(tree.rename(&path("c"), path("A/B")).is_err());
        assert_eq!(tree.rename(&path("nothing"), path("d")), Ok(false));
        assert_eq!(tree, before);
        assert_consistent(&tree);
    }

    #[test]
    fn a_file_can_be_renamed_to_another_case_and_below_its_own_name() {
        let mut tree = tree(&["readme.md", "a"]).expect("fits");
        assert_eq!(tree.rename(&path("readme.md"), path("README.md")), Ok(true));
        assert_eq!(tree.rename(&path("a"), path("a/b")), Ok(true));
        let paths: Vec<_> = tree.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["README.md", "a/b"]);
        assert_consistent(&tree);
        assert_eq!(
            tree.resembling(&path("ReadMe.md")),
            Some(&path("README.md"))
        );
    }

    #[test]
    fn changes_name_every_path_that_differs_and_no_other() {
        let parent = tree(&["a", "b", "d"]).expect("fits");
        let mut child = parent.clone();
        child.insert(path("b"), file("other")).expect("fits");
        child.insert(path("a"), file("a")).expect("fits");
        child.insert(path("c"), file("new")).expect("fits");
        child.remove(&path("d")).expect("was there");
        let changes = child.changes_from(&parent);
        let change = |path: &str, change, size_bytes| FileChange {
            path: path.into(),
            change,
            size_bytes,
        };
        assert_eq!(
            changes,
            [
                change("b", FileChangeKind::Modified, 5),
                change("c", FileChangeKind::Added, 3),
                change("d", FileChangeKind::Deleted, 0),
            ]
        );
        assert_eq!(child.changes_from(&child.clone()), []);
        assert_consistent(&child);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let hex: String = file("abc")
            .sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
