//! Removes what is in a directory, whatever untrusted code made of it: follows
//! no link, and takes no more stack and no more open files for a deep tree than
//! for a flat one, because inner directories are first moved up.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::beneath;
use crate::error::Error;

/// Deeper trees, and those that somebody keeps adding to, are given up on.
const MAX_ROUNDS: usize = 4096;

/// Removes all that is in a directory, which should be one that nobody else uses.
///
/// # Errors
/// Whatever the system says; `ELOOP` if it never becomes empty.
pub fn contents(directory: &OwnedFd) -> Result<(), Error> {
    let failed = |error: Errno| Error::system("remove a directory")(error);
    let mut next_name: u64 = 0;
    // Every round removes the files and takes one level off each directory.
    for _ in 0..MAX_ROUNDS {
        let mut empty = true;
        for (name, is_directory) in beneath::entries(directory).map_err(failed)? {
            empty = false;
            if is_directory {
                take_level_off(directory, &name, &mut next_name).map_err(failed)?;
            } else {
                unlink(directory, &name, UnlinkatFlags::NoRemoveDir).map_err(failed)?;
            }
        }
        if empty {
            return Ok(());
        }
    }
    Err(failed(Errno::ELOOP))
}

/// Removes an inner directory's files, moves its directories beside it and removes it.
fn take_level_off(directory: &OwnedFd, name: &CString, next_name: &mut u64) -> nix::Result<()> {
    // Ours or not, at worst it says no.
    let _ = fchmodat(
        directory,
        name.as_c_str(),
        Mode::S_IRWXU,
        FchmodatFlags::FollowSymlink,
    );
    let inner = nix::fcntl::openat(
        directory,
        name.as_c_str(),
        OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    for (child, is_directory) in beneath::entries(&inner)? {
        if !is_directory {
            unlink(&inner, &child, UnlinkatFlags::NoRemoveDir)?;
            continue;
        }
        // Most are empty or hold files only by now; moving a directory needs
        // the right to write it.
        let _ = fchmodat(
            &inner,
            child.as_c_str(),
            Mode::S_IRWXU,
            FchmodatFlags::FollowSymlink,
        );
        loop {
            let target = format!(".removed-{next_name}");
            *next_name += 1;
            match renameat(&inner, child.as_c_str(), directory, target.as_str()) {
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR | Errno::EISDIR) => {}
                Err(Errno::ENOENT) => break,
                result => {
                    result?;
                    break;
                }
            }
        }
    }
    match unlink(directory, name, UnlinkatFlags::RemoveDir) {
        // Somebody still writes into it: the next round sees it again.
        Err(Errno::ENOTEMPTY) => Ok(()),
        result => result,
    }
}

fn unlink(directory: &OwnedFd, name: &CString, flag: UnlinkatFlags) -> nix::Result<()> {
    match unlinkat(directory, name.as_c_str(), flag) {
        Err(Errno::ENOENT) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn deep_trees_and_links_are_removed_and_nothing_else() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("kept"), "k").unwrap();
        let root = tempfile::tempdir().unwrap();
        let directory = OwnedFd::from(std::fs::File::open(root.path()).unwrap());
        // Deeper than a path may be long, made from within.
        let mut current = directory.try_clone().unwrap();
        for _ in 0..600 {
            nix::sys::stat::mkdirat(&current, "deep-directory", Mode::S_IRWXU).unwrap();
            current = beneath::open_directory(&current, Path::new("deep-directory")).unwrap();
        }
        drop(current);
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::fs::create_dir_all(root.path().join("wide/one")).unwrap();
        std::fs::create_dir_all(root.path().join("wide/two")).unwrap();
        std::fs::write(root.path().join("wide/one/file"), "f").unwrap();
        contents(&directory).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(outside.path().join("kept").exists());
    }
}
