//! `kiln export`: a revision as a .tar.gz, into a file or to stdout. A file is
//! whole or not there: it is written beside its place and moved.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use futures::StreamExt;
use kiln_proto::v1 as pb;

use super::Context;
use super::args::Export;
use super::exit::{Failure, Stop};
use super::output::json::Object;
use super::output::{Line, Style, format};
use super::{files, project};
use crate::client::Error;

/// An archive with more than this is a fault: projects have at most 16 MiB.
const ARCHIVE_MAX: usize = 64 << 20;
/// What is unpacked of it, in bytes, to see that it is whole.
const CONTENT_MAX: u64 = 256 << 20;
/// The longest wait for the next piece.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(context: &Context, args: Export) -> Result<(), Stop> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && context.output.is_terminal() {
        return Err(
            Failure::usage("an archive is not for a terminal: name a file, or pipe it").into(),
        );
    }
    if to_stdout && context.output.json() {
        return Err(Failure::usage("--json and -o - both want stdout").into());
    }
    let client = context.client().await?;
    let project = project::resolve(context, &client, args.of.project.as_deref()).await?;
    let revision_id = files::resolve_revision(&client, &project, args.revision.as_deref()).await?;
    let mut pieces = client
        .export_revision(pb::ExportRevisionRequest {
            project_id: project.id.clone(),
            revision_id,
        })
        .await?;
    let mut archive = Vec::new();
    let mut revision = None;
    loop {
        match tokio::time::timeout(SILENCE, pieces.next()).await {
            Ok(Some(piece)) => {
                let piece = piece?;
                revision = revision.or(piece.revision);
                archive.extend_from_slice(&piece.data);
            }
            Ok(None) => break,
            Err(_) => return Err(Error::Interrupted("the stream went silent".to_owned()).into()),
        }
        if archive.len() > ARCHIVE_MAX {
            return Err(Error::Protocol("an archive without an end".to_owned()).into());
        }
    }
    // A stream that ends early ends without an error: the archive itself tells.
    if !is_whole_gzip(&archive) {
        return Err(Error::Interrupted("the archive ended early".to_owned()).into());
    }
    if to_stdout {
        return context.output.bytes(&archive);
    }
    let number = revision.as_ref().map_or(0, |revision| revision.number);
    let path = args
        .output
        .unwrap_or_else(|| PathBuf::from(default_name(&project.name, number)));
    write(&path, &archive, args.force)?;
    let size = i64::try_from(archive.len()).unwrap_or(i64::MAX);
    if context.output.json() {
        return context.output.object(
            &Object::new("export")
                .with("path", path.display().to_string())
                .with("size_bytes", size)
                .with("project_id", project.id)
                .with("revision_id", revision.map(|revision| revision.id)),
        );
    }
    context
        .output
        .result(&Line::plain(path.display().to_string()))?;
    context.output.note(&Line::styled(
        Style::Dim,
        format!("revision {number}, {}", format::size(size)),
    ));
    Ok(())
}

/// A file name from a project's name: nothing that a shell or a path would read.
fn default_name(name: &str, number: i32) -> String {
    let mut stem = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            stem.push(c.to_ascii_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('-') {
            stem.push('-');
        }
    }
    let stem = stem.trim_end_matches('-');
    let stem = if stem.is_empty() { "project" } else { stem };
    format!("{stem}-r{number}.tar.gz")
}

/// Whether the bytes are one gzip stream to its very end, checksum included:
/// with less, a break would pass for an archive.
fn is_whole_gzip(bytes: &[u8]) -> bool {
    let mut decoder = GzDecoder::new(bytes).take(CONTENT_MAX);
    std::io::copy(&mut decoder, &mut std::io::sink()).is_ok_and(|length| length < CONTENT_MAX)
}

fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Stop> {
    let failed = |error: &std::io::Error| {
        Stop::from(Failure::failed(
            "WRITE_FAILED",
            format!("cannot write {}: {error}", path.display()),
        ))
    };
    if !force && path.symlink_metadata().is_ok() {
        return Err(Failure::failed(
            "ALREADY_EXISTS",
            format!("{} is there already", path.display()),
        )
        .hint("--force replaces it, -o names another")
        .into());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
    let temporary = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| {
            if force {
                std::fs::rename(&temporary, path)
            } else {
                // Unlike a rename, this does not replace what came meanwhile.
                std::fs::hard_link(&temporary, path)?;
                std::fs::remove_file(&temporary)
            }
        });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        failed(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_tame() {
        assert_eq!(default_name("Tea shop!", 3), "tea-shop-r3.tar.gz");
        assert_eq!(default_name("../../etc", 1), "etc-r1.tar.gz");
        assert_eq!(default_name("漢字", 1), "project-r1.tar.gz");
        assert_eq!(default_name("-rf", 1), "rf-r1.tar.gz");
    }

    #[test]
    fn an_archive_that_was_cut_anywhere_is_noticed() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"some files").unwrap();
        let whole = encoder.finish().unwrap();
        assert!(is_whole_gzip(&whole));
        for end in 0..whole.len() {
            assert!(!is_whole_gzip(&whole[..end]), "{end}");
        }
    }

    #[test]
    fn a_file_is_replaced_only_by_force_and_nothing_is_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.gz");
        write(&path, b"one", false).unwrap();
        assert!(write(&path, b"two", false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
