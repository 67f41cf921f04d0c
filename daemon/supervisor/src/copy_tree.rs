//! Copies a directory of the image into a slot: hard links within one mount,
//! copies otherwise. Links stay links, pipes and devices are left out, and
//! nothing is read or written through a link.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use std::sync::PoisonError;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

use crate::beneath::{self, Entry, Kind};
use crate::error::Error;
use crate::path::{RelativePath, Slot};
use crate::remove;
use crate::workspace::{Staging, Workspace, make_parent};

/// Directories within directories that are copied.
const MAX_DEPTH: usize = 64;
/// Most files and directories.
const MAX_ENTRIES: usize = 500_000;
/// The name of the new tree, and of the old one, while they are prepared.
const NEW: &str = "new";
const OLD: &str = "old";

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Files, links included.
    pub file_count: usize,
    /// Their bytes.
    pub total_bytes: u64,
}

/// Copies an absolute directory to a path of a slot, replacing what is there.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::UploadRejected`] if a parent
/// of the target is a link, [`Error::DiskFull`].
pub fn copy_tree(
    workspace: &Workspace,
    source: &str,
    slot: Slot,
    target: &RelativePath,
) -> Result<Copied, Error> {
    let from = open_source(source)?;
    let staging = workspace.staging()?;
    let _change = workspace
        .change
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let slot = workspace.slot(slot)?;
    let parent = make_parent(&slot, target)?;
    // First, not last: both together may not fit.
    take_away(&staging, &parent, target)?;
    mkdirat(&staging.directory, NEW, Mode::from_bits_truncate(0o755))
        .map_err(Error::system("make a directory"))?;
    let to = beneath::open_directory(&staging.directory, Path::new(NEW))
        .map_err(Error::system("open a directory"))?;
    let copied = Copier::new().copy(from, to)?;
    renameat(&staging.directory, NEW, &parent, target.name())
        .map_err(Error::system("move a directory into its place"))?;
    Ok(copied)
}

fn open_source(source: &str) -> Result<OwnedFd, Error> {
    let path = Path::new(source);
    if !path.is_absolute() || path.components().any(|it| it == Component::ParentDir) {
        return Err(Error::Invalid(
            "source: must be absolute and without ..".to_owned(),
        ));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match nix::fcntl::open(path, flags, Mode::empty()) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {
            Err(Error::NotFound(source.to_owned()))
        }
        result => result.map_err(Error::system("open the source")),
    }
}

fn take_away(staging: &Staging<'_>, parent: &OwnedFd, target: &RelativePath) -> Result<(), Error> {
    let failed = |error| Error::system("remove what was there")(error);
    match beneath::kind(parent, target.name()).map_err(failed)? {
        Kind::Missing => Ok(()),
        Kind::Directory => {
            renameat(parent, target.name(), &staging.directory, OLD).map_err(failed)?;
            remove::contents(&staging.directory)
        }
        Kind::File | Kind::Other => {
            unlinkat(parent, target.name(), UnlinkatFlags::NoRemoveDir).map_err(failed)
        }
    }
}

/// A directory that is being copied.
struct Level {
    from: OwnedFd,
    to: OwnedFd,
    left: Vec<Entry>,
}

struct Copier {
    copied: Copied,
    entries: usize,
    /// Until the system says that source and target are apart.
    may_link: bool,
    buffer: Vec<u8>,
}

impl Copier {
    fn new() -> Self {
        Self {
            copied: Copied::default(),
            entries: 0,
            may_link: true,
            buffer: vec![0; 256 << 10],
        }
    }

    fn copy(mut self, from: OwnedFd, to: OwnedFd) -> Result<Copied, Error> {
        let mut levels = vec![level(from, to)?];
        while let Some(current) = levels.last_mut() {
            let Some((name, is_directory)) = current.left.pop() else {
                levels.pop();
                continue;
            };
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(Error::Invalid("source: too many files".to_owned()));
            }
            if !is_directory {
                self.copy_file(&current.from, &current.to, &name)?;
                continue;
            }
            let inner = make_directory(current, &name)?;
            if levels.len() == MAX_DEPTH {
                return Err(Error::Invalid("source: too deep".to_owned()));
            }
            levels.push(inner);
        }
        Ok(self.copied)
    }

    fn copy_file(&mut self, from: &OwnedFd, to: &OwnedFd, name: &CString) -> Result<(), Error> {
        let failed = |error: Errno| Error::system("copy a file")(error);
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let source = match openat(from, name.as_c_str(), flags, Mode::empty()) {
            Ok(source) => source,
            Err(Errno::ELOOP) => {
                let link = readlinkat(from, name.as_c_str()).map_err(failed)?;
                symlinkat(link.as_os_str(), to, name.as_c_str()).map_err(failed)?;
                self.copied.file_count += 1;
                return Ok(());
            }
            // A socket.
            Err(Errno::ENXIO) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let stat = fstat(&source).map_err(failed)?;
        if beneath::kind_of(&stat) != Kind::File {
            return Ok(());
        }
        self.copied.file_count += 1;
        self.copied.total_bytes += u64::try_from(stat.st_size).unwrap_or(0);
        if self.may_link {
            match linkat(from, name.as_c_str(), to, name.as_c_str(), AtFlags::empty()) {
                Ok(()) => return Ok(()),
                Err(Errno::EXDEV | Errno::EPERM | Errno::EMLINK | Errno::EOPNOTSUPP) => {
                    self.may_link = false;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        // The execute bits matter; the owner must be able to write in any case.
        let mode = Mode::from_bits_truncate(stat.st_mode & 0o777) | Mode::S_IWUSR | Mode::S_IRUSR;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let target = openat(to, name.as_c_str(), flags | OFlag::O_CLOEXEC, mode).map_err(failed)?;
        self.copy_bytes(File::from(source), File::from(target))
    }

    /// Most files are small: one read and one write beat any clever call.
    fn copy_bytes(&mut self, mut source: File, mut target: File) -> Result<(), Error> {
        loop {
            let count = source
                .read(&mut self.buffer)
                .map_err(Error::system("copy a file"))?;
            target
                .write_all(&self.buffer[..count])
                .map_err(Error::system("copy a file"))?;
            if count < self.buffer.len() {
                return Ok(());
            }
        }
    }
}

fn make_directory(outer: &Level, name: &CString) -> Result<Level, Error> {
    let failed = |error: Errno| Error::system("copy a directory")(error);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let from = openat(&outer.from, name.as_c_str(), flags, Mode::empty()).map_err(failed)?;
    let mode = Mode::from_bits_truncate(0o755);
    mkdirat(&outer.to, name.as_c_str(), mode).map_err(failed)?;
    let to = openat(&outer.to, name.as_c_str(), flags, Mode::empty()).map_err(failed)?;
    level(from, to)
}

fn level(from: OwnedFd, to: OwnedFd) -> Result<Level, Error> {
    let left = beneath::entries(&from).map_err(Error::system("list a directory"))?;
    Ok(Level { from, to, left })
}
