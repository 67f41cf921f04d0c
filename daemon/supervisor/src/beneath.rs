//! Opens what lies beneath a directory, following no link at all: the kernel
//! refuses, so there is nothing to race. Never resolves a path in any other way.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};

/// How often a resolution that raced with a rename is tried again.
const ATTEMPTS: usize = 8;

/// What a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there.
    Missing,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a pipe, a socket or a device.
    Other,
}

/// A name in a directory, and whether it is a directory.
pub type Entry = (CString, bool);

/// Opens a relative path beneath a directory.
///
/// # Errors
/// `ELOOP` if any part of it is a link, `EXDEV` if it leads out, and whatever
/// else opening says.
pub fn open(directory: impl AsFd, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let how = OpenHow::new()
        .flags(flags)
        .mode(if flags.contains(OFlag::O_CREAT) {
            mode
        } else {
            Mode::empty()
        })
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
    for _ in 0..ATTEMPTS {
        match openat2(directory.as_fd(), path, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // An old engine's system call filter, or a runtime without it.
            Err(Errno::ENOSYS | Errno::EPERM) => {
                return open_by_name(directory, path, flags, mode);
            }
            result => return result,
        }
    }
    Err(Errno::EAGAIN)
}

/// Opens a directory beneath a directory, to be used as a starting point.
///
/// # Errors
/// As [`open`]; `ENOTDIR` if it is something else.
pub fn open_directory(directory: impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    open(
        directory,
        path,
        OFlag::O_RDONLY | OFlag::O_DIRECTORY,
        Mode::empty(),
    )
}

/// What a name in a directory is, without following it.
///
/// # Errors
/// Whatever the system says beside that it is missing.
pub fn kind(directory: impl AsFd, name: &OsStr) -> nix::Result<Kind> {
    match fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(kind_of(&stat)),
        Err(Errno::ENOENT) => Ok(Kind::Missing),
        Err(error) => Err(error),
    }
}

/// What a status describes.
#[must_use]
pub fn kind_of(stat: &FileStat) -> Kind {
    let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    if format == SFlag::S_IFREG {
        Kind::File
    } else if format == SFlag::S_IFDIR {
        Kind::Directory
    } else {
        Kind::Other
    }
}

/// What is in a directory, without `.` and `..`.
///
/// # Errors
/// Whatever the system says.
pub fn entries(directory: &OwnedFd) -> nix::Result<Vec<Entry>> {
    // Opened anew: a duplicate would share its position.
    let mut listing = Dir::from_fd(open_directory(directory, Path::new("."))?)?;
    let mut entries = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_directory = match entry.file_type() {
            Some(file_type) => file_type == Type::Directory,
            None => {
                let name = OsStr::from_bytes(name.to_bytes());
                kind(directory, name)? == Kind::Directory
            }
        };
        entries.push((name.to_owned(), is_directory));
    }
    Ok(entries)
}

/// The same without `openat2`: name by name, each without following it. As safe
/// for paths without `..`, only slower, and a linked directory reads as `ENOTDIR`.
fn open_by_name(
    directory: impl AsFd,
    path: &Path,
    flags: OFlag,
    mode: Mode,
) -> nix::Result<OwnedFd> {
    let mut names = path.components().peekable();
    let mut held: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        let std::path::Component::Normal(name) = name else {
            return Err(Errno::EXDEV);
        };
        let from = held.as_ref().map_or(directory.as_fd(), OwnedFd::as_fd);
        if names.peek().is_none() {
            return openat(from, name, flags, mode);
        }
        held = Some(openat(
            from,
            name,
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?);
    }
    Err(Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways must refuse the same things.
    #[test]
    fn neither_way_follows_a_link_or_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        std::fs::create_dir(root.path().join("real")).unwrap();
        std::fs::write(root.path().join("real/file"), "f").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        std::os::unix::fs::symlink("real", root.path().join("in")).unwrap();
        std::os::unix::fs::symlink("real/file", root.path().join("link")).unwrap();
        let directory = std::fs::File::open(root.path()).unwrap();
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        for path in ["out/secret", "in/file", "link"] {
            let path = Path::new(path);
            assert_eq!(
                open(&directory, path, flags, Mode::empty()).err(),
                Some(Errno::ELOOP)
            );
            assert!(matches!(
                open_by_name(&directory, path, flags, Mode::empty()).err(),
                Some(Errno::ELOOP | Errno::ENOTDIR)
            ));
        }
        assert!(open(&directory, Path::new("../x"), flags, Mode::empty()).is_err());
        assert!(open_by_name(&directory, Path::new("../x"), flags, Mode::empty()).is_err());
        let path = Path::new("real/file");
        assert!(open(&directory, path, flags, Mode::empty()).is_ok());
        assert!(open_by_name(&directory, path, flags, Mode::empty()).is_ok());
    }
}
