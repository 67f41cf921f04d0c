//! Reads an upload: a tar stream whose regular files are written to a staging
//! directory. Refuses everything that is not a regular file with a plain path,
//! and everything beyond the limits. Touches no slot.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use tar::EntryType;

use crate::error::Error;
use crate::path::RelativePath;

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// Most bytes of all files.
pub const MAX_TOTAL_BYTES: u64 = 16 << 20;
/// Most files.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of the stream: the files, their headers and padding.
pub const MAX_STREAM_BYTES: u64 = MAX_TOTAL_BYTES + 2048 * MAX_FILES as u64;

/// A file that waits in the staging directory.
#[derive(Debug)]
pub struct StagedFile {
    /// Where it goes.
    pub path: RelativePath,
    /// Its name in the staging directory.
    pub name: String,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// Reads all files of a tar stream into a directory.
///
/// # Errors
/// [`Error::Invalid`] for an archive that is not as it should be,
/// [`Error::DiskFull`], [`Error::UploadAborted`] if the stream ends early.
pub fn read(stream: impl Read, staging: &OwnedFd) -> Result<Vec<StagedFile>, Error> {
    let mut archive = tar::Archive::new(stream);
    let mut files = Vec::new();
    let mut total = 0;
    let mut buffer = vec![0; 64 << 10];
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = std::str::from_utf8(&entry.path_bytes())
            .map_err(|_| Error::Invalid("a path is not UTF-8".to_owned()))
            .and_then(RelativePath::parse)?;
        let refuse = |why: &str| Error::Invalid(format!("{}: {why}", path.as_str()));
        match entry.header().entry_type() {
            EntryType::Regular => {}
            _ => return Err(refuse("not a regular file")),
        }
        let bytes = entry.size();
        total += bytes;
        if bytes > MAX_FILE_BYTES {
            return Err(refuse("larger than 1 MiB"));
        }
        if total > MAX_TOTAL_BYTES {
            return Err(refuse("the upload is larger than 16 MiB"));
        }
        if files.len() == MAX_FILES {
            return Err(refuse("too many files"));
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let name = files.len().to_string();
        let mut file = create(staging, &name, executable)?;
        copy(&mut entry, &mut file, bytes, &mut buffer)?;
        files.push(StagedFile { path, name, bytes });
    }
    Ok(files)
}

fn create(staging: &OwnedFd, name: &str, executable: bool) -> Result<File, Error> {
    let mode = if executable { 0o755 } else { 0o644 };
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    openat(
        staging,
        name,
        flags | OFlag::O_CLOEXEC,
        Mode::from_bits_truncate(mode),
    )
    .map(File::from)
    .map_err(Error::system("make a file"))
}

fn copy(
    entry: &mut impl Read,
    file: &mut File,
    bytes: u64,
    buffer: &mut [u8],
) -> Result<(), Error> {
    let mut copied = 0;
    loop {
        let count = entry.read(buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count])
            .map_err(Error::system("write a file"))?;
        copied += count as u64;
    }
    if copied == bytes {
        Ok(())
    } else {
        Err(Error::Invalid("the archive ends within a file".to_owned()))
    }
}

/// What the stream itself said is passed on; the rest is the archive's fault.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::TimedOut => {
            Error::UploadAborted(error.to_string())
        }
        io::ErrorKind::FileTooLarge => Error::Invalid("the upload is too large".to_owned()),
        _ => Error::Invalid(format!("not a tar archive: {error}")),
    }
}
