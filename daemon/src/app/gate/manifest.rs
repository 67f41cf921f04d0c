//! What says which dependencies are installed: the manifest and its lockfile.
//! It installs nothing.

use crate::domain::path::SafePath;
use crate::domain::tree::Tree;

/// Files that say what is installed; their change means another install.
const MANIFEST_FILES: [&str; 2] = ["package.json", LOCKFILE];

/// What an install writes, and a revision takes over.
pub(super) const LOCKFILE: &str = "bun.lock";

/// Largest lockfile taken over.
pub(super) const LOCKFILE_MAX: usize = crate::domain::tree::FILE_BYTES_MAX;

/// What says which dependencies are installed.
pub(super) fn manifest_of(tree: &Tree) -> Vec<u8> {
    manifest_with(tree, None)
}

/// The same with another lockfile.
pub(super) fn manifest_with(tree: &Tree, lockfile: Option<&[u8]>) -> Vec<u8> {
    let mut manifest = Vec::new();
    for name in MANIFEST_FILES {
        let content = match lockfile {
            Some(lockfile) if name == LOCKFILE => Some(lockfile),
            _ => text(tree, name).map(str::as_bytes),
        };
        if let Some(content) = content {
            manifest.extend_from_slice(name.as_bytes());
            manifest.push(0);
            manifest.extend_from_slice(content);
            manifest.push(0);
        }
    }
    manifest
}

/// A file of the tree, if it is text.
pub(super) fn text<'a>(tree: &'a Tree, name: &str) -> Option<&'a str> {
    let path = SafePath::parse(name).ok()?;
    tree.get(&path)?.text()
}
