//! Files of a revision, cleaned.

use kiln_proto::v1 as pb;

use super::path;
use crate::effect::Answer;
use crate::model::files::FileEntry;
use crate::sanitise;

/// A file in a listing.
#[must_use]
pub fn entry(file: &pb::File) -> FileEntry {
    FileEntry {
        path: path(&file.path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_a_revision_may_have_is_not_cut() {
        let file = pb::File {
            path: format!("{}/{}", "a".repeat(139), "b".repeat(100)),
            ..pb::File::default()
        };
        assert_eq!(entry(&file).path, file.path);
        let file = pb::File {
            path: "a\x1b[2J".to_owned(),
            ..pb::File::default()
        };
        assert_eq!(entry(&file).path, "a^[[2J");
    }
}
