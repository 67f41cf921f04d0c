//! Opens what lies beneath a directory, following no link at all: the kernel
//! refuses, so there is nothing to race. Never resolves a path in any other way.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

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
    let flags = flags | OFlag::O_CLOEXEC;
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
/// for paths without `..`, only slower.
fn open_by_name(
    directory: impl AsFd,
    path: &Path,
    flags: OFlag,
    mode: Mode,
) -> nix::Result<OwnedFd> {
    let mut names = path.components().peekable();
    let mut held: Option<OwnedFd> = None;
    while let Some(component) = names.next() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => OsStr::new("."),
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => {
                return Err(Errno::EXDEV);
            }
        };
        let is_last = names.peek().is_none();
        let flags = if is_last {
            flags
        } else {
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
        };
        let from = held.as_ref().map_or(directory.as_fd(), OwnedFd::as_fd);
        let opened = match openat(from, name, flags | OFlag::O_NOFOLLOW, mode) {
            // Of a link that is not followed this says that it is no directory.
            Err(Errno::ENOTDIR) if kind(from, name)? == Kind::Other => Err(Errno::ELOOP),
            opened => opened,
        }?;
        if is_last {
            return Ok(opened);
        }
        held = Some(opened);
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
        let directory = AsFd::as_fd(&directory);
        for flags in [OFlag::O_RDONLY, OFlag::O_RDONLY | OFlag::O_DIRECTORY] {
            let both = |path: &str| {
                let path = Path::new(path);
                [
                    open(directory, path, flags, Mode::empty()).map(drop),
                    open_by_name(directory, path, flags, Mode::empty()).map(drop),
                ]
            };
            for link in ["out", "in", "out/secret", "in/file", "link", "out/"] {
                assert_eq!(both(link), [Err(Errno::ELOOP); 2], "{link}");
            }
            for leading_out in ["..", "../x", "/etc"] {
                assert_eq!(both(leading_out), [Err(Errno::EXDEV); 2], "{leading_out}");
            }
            assert_eq!(both("nothing"), [Err(Errno::ENOENT); 2]);
            assert_eq!(both("real/file/x"), [Err(Errno::ENOTDIR); 2]);
            for there in [".", "real"] {
                assert_eq!(both(there), [Ok(()); 2], "{there}");
            }
        }
    }
}
