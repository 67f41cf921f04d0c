//! Files as a tar stream in messages. Contents are not copied, but for small
//! ones, which share messages.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use kiln_proto::supervisor::v1::{ApplyFilesHeader, ApplyFilesRequest};

use super::error::SandboxError;
use crate::domain::sandbox::Slot;

/// Most bytes in one message.
const MESSAGE_BYTES: usize = 256 << 10;
/// Pieces below this share a message.
const SMALL_BYTES: usize = 16 << 10;
/// What a tar stream is made of.
const BLOCK: usize = 512;

/// What is done to a workspace before files are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Only what is named is deleted.
    Keep,
    /// Everything but the installed dependencies goes.
    Clear,
}

/// The messages of one upload, and how many bytes of content they carry.
pub(super) fn messages(
    slot: Slot,
    before: Before,
    deletes: &[String],
    files: impl IntoIterator<Item = (String, Bytes)>,
) -> Result<(VecDeque<ApplyFilesRequest>, usize), SandboxError> {
    let mut messages = Messages::default();
    messages.queue.push_back(ApplyFilesRequest {
        header: Some(ApplyFilesHeader {
            slot: slot.to_string(),
            delete_paths: deletes.to_vec(),
            clear: before == Before::Clear,
        }),
        data: Bytes::new(),
    });
    let mut total = 0;
    for (path, content) in files {
        messages.push(header(&path, content.len())?.into());
        total += content.len();
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        messages.push(content);
        messages.push(Bytes::from_static(&[0; BLOCK]).slice(..padding));
    }
    // Two empty blocks end a tar stream.
    messages.push(Bytes::from_static(&[0; 2 * BLOCK]));
    messages.flush();
    Ok((messages.queue, total))
}

/// The blocks before the content of a file; more than one for a long path.
fn header(path: &str, length: usize) -> Result<Vec<u8>, SandboxError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(length as u64);
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(&mut header, path, std::io::empty())
        .map_err(|error| SandboxError::Protocol(format!("{path:?} cannot be sent: {error}")))?;
    // Not `into_inner`, which would end the stream.
    Ok(std::mem::take(builder.get_mut()))
}

#[derive(Default)]
struct Messages {
    queue: VecDeque<ApplyFilesRequest>,
    small: BytesMut,
}

impl Messages {
    fn push(&mut self, mut piece: Bytes) {
        if piece.len() < SMALL_BYTES {
            if self.small.len() + piece.len() > MESSAGE_BYTES {
                self.flush();
            }
            self.small.extend_from_slice(&piece);
            return;
        }
        self.flush();
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(MESSAGE_BYTES));
            self.send(part);
        }
    }

    fn flush(&mut self) {
        if !self.small.is_empty() {
            let part = self.small.split().freeze();
            self.send(part);
        }
    }

    fn send(&mut self, data: Bytes) {
        self.queue
            .push_back(ApplyFilesRequest { header: None, data });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpack(messages: VecDeque<ApplyFilesRequest>) -> Vec<(String, Vec<u8>)> {
        let bytes: Vec<u8> = messages
            .into_iter()
            .flat_map(|message| {
                assert!(message.data.len() <= MESSAGE_BYTES);
                message.data
            })
            .collect();
        tar::Archive::new(bytes.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (path, content)
            })
            .collect()
    }

    #[test]
    fn what_is_packed_is_what_comes_out() {
        let long = format!("{}/file.txt", "directory".repeat(20));
        let files: Vec<(String, Bytes)> = [0, 1, 511, 512, 513, 16_383, 16_384, 700_001]
            .into_iter()
            .map(|length| (format!("src/{length}.bin"), Bytes::from(vec![7_u8; length])))
            .chain([(long, Bytes::from_static(b"long"))])
            .collect();
        let deletes = ["old.txt".to_owned()];
        let (messages, total) = messages(Slot::B, Before::Clear, &deletes, files.clone()).unwrap();
        let sent: usize = files.iter().map(|(_, content)| content.len()).sum();
        assert_eq!(total, sent);
        let first = messages[0].header.clone().unwrap();
        assert_eq!(first.slot, "b");
        assert_eq!(first.delete_paths, deletes);
        assert!(first.clear);
        assert!(
            messages
                .iter()
                .skip(1)
                .all(|message| message.header.is_none())
        );
        let expected: Vec<_> = files
            .into_iter()
            .map(|(path, content)| (path, content.to_vec()))
            .collect();
        assert_eq!(unpack(messages), expected);
    }

    #[test]
    fn small_files_share_messages() {
        let files = (0..200).map(|n| (format!("{n}.txt"), Bytes::from_static(b"hello")));
        let (messages, _) = messages(Slot::A, Before::Keep, &[], files).unwrap();
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn a_path_that_leads_outside_is_not_even_sent() {
        let files = [("../x".to_owned(), Bytes::new())];
        assert!(messages(Slot::A, Before::Keep, &[], files).is_err());
    }
}
