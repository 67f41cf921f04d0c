//! Puts an upload into a slot. All of it arrives and is checked before anything
//! is changed, each file is replaced in one step, and no link is followed: what
//! is in the way and is no regular file is refused, not repaired.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::PoisonError;

use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::beneath::{self, Kind};
use crate::error::Error;
use crate::path::{RelativePath, Slot};
use crate::upload::{self, StagedFile};
use crate::workspace::{Workspace, make_parent, open_parent, rejected_or};

/// Most paths that one upload deletes.
pub const MAX_DELETIONS: usize = upload::MAX_FILES;

/// What an upload did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Files written.
    pub written_count: usize,
    /// Bytes written.
    pub written_bytes: u64,
    /// Files deleted.
    pub deleted_count: usize,
}

/// What stays when a slot is cleared: what was installed.
const KEPT: &str = "node_modules";

/// What goes before files are written.
#[derive(Clone, Copy, Debug)]
pub enum Before<'a> {
    /// These paths.
    Delete(&'a [RelativePath]),
    /// Everything but `node_modules`, whatever is there.
    Clear,
}

/// Deletes paths of a slot and writes the files of a tar stream to it.
///
/// # Errors
/// [`Error::UploadRejected`], [`Error::DiskFull`] and [`Error::Invalid`] before
/// anything is changed; after that only if the slot is changed or filled by
/// somebody else in the same moment.
pub fn apply(
    workspace: &Workspace,
    slot: Slot,
    before: Before<'_>,
    stream: impl Read,
) -> Result<Applied, Error> {
    let staging = workspace.staging()?;
    let files = upload::read(stream, &staging.directory)?;
    let delete_paths = match before {
        Before::Delete(paths) => paths,
        Before::Clear => &[],
    };
    let written: BTreeSet<&RelativePath> = files.iter().map(|file| &file.path).collect();
    // What is also written is replaced, without a moment in which it is missing.
    let deletions: Vec<&RelativePath> = delete_paths
        .iter()
        .filter(|path| !written.contains(path))
        .collect();

    let _change = workspace
        .change
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let slot = workspace.slot(slot)?;
    let mut applied = Applied::default();
    if let Before::Clear = before {
        applied.deleted_count = clear(&slot, &staging.directory)?;
    }
    for path in &deletions {
        check_deletion(&slot, path)?;
    }
    for path in &written {
        check_write(&slot, path, &deletions)?;
    }

    for path in &deletions {
        applied.deleted_count += usize::from(delete(&slot, path)?);
    }
    // A directory whose files were all deleted may give way to a file.
    for path in &written {
        for deleted in deletions.iter().filter(|deleted| path.contains(deleted)) {
            prune(&slot, deleted);
        }
    }
    for file in &files {
        write(&slot, &staging.directory, file)?;
        applied.written_count += 1;
        applied.written_bytes += file.bytes;
    }
    for path in &deletions {
        prune(&slot, path);
    }
    Ok(applied)
}

/// Moves what is in a slot out of it, to be removed with the staging directory.
fn clear(slot: &OwnedFd, staging: &OwnedFd) -> Result<usize, Error> {
    let mut count = 0;
    for (name, _) in beneath::entries(slot).map_err(Error::system("look at a slot"))? {
        if name.as_bytes() == KEPT.as_bytes() {
            continue;
        }
        match renameat(
            slot,
            name.as_c_str(),
            staging,
            format!("cleared-{count}").as_str(),
        ) {
            Ok(()) => count += 1,
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(Error::system("clear a slot")(error)),
        }
    }
    Ok(count)
}

fn check_deletion(slot: &OwnedFd, path: &RelativePath) -> Result<(), Error> {
    let parent = match open_parent(slot, path) {
        Ok(parent) => parent,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        Err(error) => return Err(rejected_or(error, path.as_str())),
    };
    match beneath::kind(&parent, path.name()).map_err(Error::system("look at a file"))? {
        Kind::Missing | Kind::File => Ok(()),
        Kind::Directory | Kind::Other => Err(rejected(path)),
    }
}

fn check_write(
    slot: &OwnedFd,
    path: &RelativePath,
    deletions: &[&RelativePath],
) -> Result<(), Error> {
    let parent = match open_parent(slot, path) {
        Ok(parent) => parent,
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::ENOTDIR) if deletions.iter().any(|deleted| deleted.contains(path)) => {
            return Ok(());
        }
        Err(error) => return Err(rejected_or(error, path.as_str())),
    };
    match beneath::kind(&parent, path.name()).map_err(Error::system("look at a file"))? {
        Kind::Missing | Kind::File => Ok(()),
        Kind::Directory if deletions.iter().any(|deleted| path.contains(deleted)) => Ok(()),
        Kind::Directory | Kind::Other => Err(rejected(path)),
    }
}

/// Says whether there was something to delete.
fn delete(slot: &OwnedFd, path: &RelativePath) -> Result<bool, Error> {
    let parent = match open_parent(slot, path) {
        Ok(parent) => parent,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(false),
        Err(error) => return Err(rejected_or(error, path.as_str())),
    };
    match unlinkat(&parent, path.name(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(Errno::EISDIR) => Err(rejected(path)),
        Err(error) => Err(Error::system("delete a file")(error)),
    }
}

fn write(slot: &OwnedFd, staging: &OwnedFd, file: &StagedFile) -> Result<(), Error> {
    let parent = make_parent(slot, &file.path)?;
    match beneath::kind(&parent, file.path.name()).map_err(Error::system("look at a file"))? {
        Kind::Missing | Kind::File => {}
        Kind::Directory | Kind::Other => return Err(rejected(&file.path)),
    }
    // Replaces what is there and follows nothing.
    match renameat(staging, file.name.as_str(), &parent, file.path.name()) {
        Err(Errno::EISDIR) => Err(rejected(&file.path)),
        result => result.map_err(Error::system("move a file into its place")),
    }
}

/// Removes the directories that a deleted path leaves empty, innermost first.
fn prune(slot: &OwnedFd, deleted: &RelativePath) {
    let mut directory = deleted.parent();
    while let Some(path) = directory {
        let removed = open_parent(slot, &path)
            .and_then(|parent| unlinkat(&parent, path.name(), UnlinkatFlags::RemoveDir));
        match removed {
            Ok(()) | Err(Errno::ENOENT) => directory = path.parent(),
            // Not empty, or not ours to remove: an empty directory does no harm.
            Err(_) => return,
        }
    }
}

fn rejected(path: &RelativePath) -> Error {
    Error::UploadRejected {
        path: path.as_str().to_owned(),
    }
}
