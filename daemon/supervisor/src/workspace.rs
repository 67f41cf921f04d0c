//! The workspace: its two slots and a place to prepare things in before they
//! are moved into a slot. Holds the root open, so that nothing that is renamed
//! above it matters. Reads files; writing them is for `apply` and `copy_tree`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::beneath::{self, Kind};
use crate::error::Error;
use crate::path::{RelativePath, Slot};
use crate::remove;

/// Most that `read_file` reads, in bytes: an answer must fit a message.
pub const MAX_READ_BYTES: u64 = 3 << 20;
/// Where things are prepared, beside the slots: watchers of a slot never see it.
const STAGING: &str = ".kiln";

/// The directory that holds the slots.
#[derive(Debug)]
pub struct Workspace {
    root: OwnedFd,
    root_path: PathBuf,
    next_staging: AtomicU64,
    /// Held by whoever changes the slots, so that what was checked stays true
    /// as far as we are concerned.
    pub(crate) change: Mutex<()>,
}

/// A directory to prepare things in; removed when dropped.
#[derive(Debug)]
pub struct Staging<'a> {
    workspace: &'a Workspace,
    name: String,
    /// The directory.
    pub directory: OwnedFd,
}

impl Workspace {
    /// Opens a workspace, makes its slots and clears what an earlier start left.
    ///
    /// # Errors
    /// If it is not there or cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let root = nix::fcntl::open(
            path,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(Error::system("open the workspace"))?;
        let workspace = Self {
            root,
            root_path: path.to_owned(),
            next_staging: AtomicU64::new(0),
            change: Mutex::new(()),
        };
        for slot in Slot::ALL {
            workspace.slot(slot)?;
        }
        if beneath::kind(&workspace.root, OsStr::new(STAGING)) == Ok(Kind::Directory) {
            let staging = beneath::open_directory(&workspace.root, Path::new(STAGING))
                .map_err(Error::system("open the staging directory"))?;
            remove::contents(&staging)?;
        }
        Ok(workspace)
    }

    /// The directory of a slot; made if it is not there.
    ///
    /// # Errors
    /// [`Error::UploadRejected`] if something else was put in its place.
    pub fn slot(&self, slot: Slot) -> Result<OwnedFd, Error> {
        self.directory(slot.name())
    }

    /// The path of a slot, to run commands in.
    ///
    /// # Errors
    /// As [`Workspace::slot`].
    pub fn slot_path(&self, slot: Slot) -> Result<PathBuf, Error> {
        self.slot(slot)?;
        Ok(self.root_path.join(slot.name()))
    }

    /// A fresh directory on the same file system as the slots.
    ///
    /// # Errors
    /// [`Error::DiskFull`], or whatever the system says.
    pub fn staging(&self) -> Result<Staging<'_>, Error> {
        let parent = self.directory(STAGING)?;
        loop {
            let name = self
                .next_staging
                .fetch_add(1, Ordering::Relaxed)
                .to_string();
            match mkdirat(&parent, name.as_str(), Mode::S_IRWXU) {
                // The code in the sandbox may have made it to be in the way.
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(Error::system("make a staging directory")(error)),
                Ok(()) => {
                    let directory = beneath::open_directory(&parent, Path::new(&name))
                        .map_err(Error::system("open a staging directory"))?;
                    return Ok(Staging {
                        workspace: self,
                        name,
                        directory,
                    });
                }
            }
        }
    }

    /// Reads a regular file of a slot; none if it is not there.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for anything else and for what lies behind a link,
    /// [`Error::FileTooLarge`].
    pub fn read_file(
        &self,
        slot: Slot,
        path: &RelativePath,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let not_a_file = || Error::NotAFile {
            path: path.as_str().to_owned(),
        };
        let too_large = || Error::FileTooLarge {
            path: path.as_str().to_owned(),
        };
        let slot = self.slot(slot)?;
        // Not blocking: opening a pipe must not wait for its other end.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match beneath::open(&slot, path.as_path(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(Errno::ELOOP | Errno::EXDEV | Errno::ENXIO) => return Err(not_a_file()),
            Err(error) => return Err(Error::system("open a file")(error)),
        };
        let stat = fstat(&file).map_err(Error::system("look at a file"))?;
        if beneath::kind_of(&stat) != Kind::File {
            return Err(not_a_file());
        }
        let max_bytes = max_bytes.min(MAX_READ_BYTES);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size > max_bytes {
            return Err(too_large());
        }
        let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // It may grow meanwhile.
        File::from(file)
            .take(max_bytes + 1)
            .read_to_end(&mut data)
            .map_err(Error::system("read a file"))?;
        if data.len() as u64 > max_bytes {
            return Err(too_large());
        }
        Ok(Some(data))
    }

    fn directory(&self, name: &str) -> Result<OwnedFd, Error> {
        open_or_make(&self.root, name).map_err(|error| rejected_or(error, name))
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // What stays behind is removed at the next start.
        let _ = remove::contents(&self.directory);
        if let Ok(parent) = beneath::open_directory(&self.workspace.root, Path::new(STAGING)) {
            let _ = unlinkat(&parent, self.name.as_str(), UnlinkatFlags::RemoveDir);
        }
    }
}

/// Opens the directory that a path is in, making what is missing.
///
/// # Errors
/// [`Error::UploadRejected`] if a part of it is a link or no directory.
pub fn make_parent(slot: &OwnedFd, path: &RelativePath) -> Result<OwnedFd, Error> {
    let reject = |error| rejected_or(error, path.as_str());
    let mut current = slot.try_clone().map_err(Error::system("open a slot"))?;
    let Some(parent) = path.parent() else {
        return Ok(current);
    };
    match beneath::open_directory(slot, parent.as_path()) {
        Err(Errno::ENOENT) => {}
        result => return result.map_err(reject),
    }
    for name in parent.names() {
        current = open_or_make(&current, name).map_err(reject)?;
    }
    Ok(current)
}

/// Opens the directory that a path is in.
///
/// # Errors
/// Whatever the system says; see [`beneath::open`].
pub fn open_parent(slot: &OwnedFd, path: &RelativePath) -> nix::Result<OwnedFd> {
    match path.parent() {
        None => beneath::open_directory(slot, Path::new(".")),
        Some(parent) => beneath::open_directory(slot, parent.as_path()),
    }
}

/// Tells a planted obstacle from everything else.
#[must_use]
pub fn rejected_or(error: Errno, path: &str) -> Error {
    match error {
        Errno::ELOOP | Errno::EXDEV | Errno::ENOTDIR => Error::UploadRejected {
            path: path.to_owned(),
        },
        error => Error::system("open a directory of the workspace")(error),
    }
}

fn open_or_make(parent: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    match beneath::open_directory(parent, Path::new(name)) {
        Err(Errno::ENOENT) => {}
        result => return result,
    }
    let mode = Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IXGRP | Mode::S_IROTH | Mode::S_IXOTH;
    match mkdirat(parent, name, mode) {
        Ok(()) | Err(Errno::EEXIST) => beneath::open_directory(parent, Path::new(name)),
        Err(error) => Err(error),
    }
}
