//! Files of a revision, cleaned.

use kiln_proto::v1 as pb;

use super::name;
use crate::effect::Answer;
use crate::model::files::FileEntry;
use crate::sanitise;

/// A file in a listing.
#[must_use]
pub fn entry(file: &pb::File) -> FileEntry {
    FileEntry {
        path: name(&file.path),
        size: file.size_bytes,
    }
}

/// What is in a file; nothing where it is no text.
#[must_use]
pub fn answer(path: String, answer: pb::ReadFileResponse) -> Answer {
    let size = answer.file.as_ref().map_or(0, |file| file.size_bytes);
    let is_text = answer.data.is_empty();
    Answer::File {
        path,
        size,
        text: is_text.then(|| sanitise::text(&answer.text).into_owned()),
    }
}
