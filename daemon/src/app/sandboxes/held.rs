//! A sandbox that this daemon holds a connection to, and what it knows of the
//! two workspaces in it. All of it can be rebuilt: the revision is the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;

use crate::domain::id::{ProjectId, RevisionId, SandboxId};
use crate::domain::sandbox::Slot;
use crate::domain::tree::Tree;
use crate::sandbox::{Before, ContainerId, Supervisor};

/// A running sandbox and the connection to it.
pub(crate) struct Held {
    pub(super) project: ProjectId,
    pub(super) sandbox: SandboxId,
    pub(super) container: ContainerId,
    supervisor: Supervisor,
    /// Written by the gate and by adoption; read by the preview at each request.
    state: Mutex<State>,
}

struct State {
    shown: Option<(Slot, RevisionId)>,
    slots: [SlotContents; 2],
}

/// What is in a workspace, as far as this daemon knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotContents {
    /// The container is new: nothing.
    Empty,
    /// Somebody else wrote it, or a write broke off: anything.
    Unknown,
    /// These files, and dependencies as this manifest asks for.
    Known {
        /// SHA-256 by path.
        files: BTreeMap<String, [u8; 32]>,
        /// The manifest that was installed; `None`: nothing was.
        installed: Option<Vec<u8>>,
    },
}

impl SlotContents {
    /// What a workspace holds after a sync of this tree.
    pub(crate) fn of(tree: &Tree) -> Self {
        Self::Known {
            files: tree
                .iter()
                .map(|(path, content)| (path.as_str().to_owned(), content.sha256))
                .collect(),
            installed: None,
        }
    }

    /// The manifest that was installed.
    pub(crate) fn installed(&self) -> Option<&Vec<u8>> {
        match self {
            Self::Empty | Self::Unknown => None,
            Self::Known { installed, .. } => installed.as_ref(),
        }
    }

    /// What makes this workspace hold exactly `tree`: what to do to it first,
    /// what to delete, what to write.
    pub(crate) fn difference(&self, tree: &Tree) -> (Before, Vec<String>, Vec<(String, Bytes)>) {
        let all = || {
            tree.iter()
                .map(|(path, content)| (path.as_str().to_owned(), content.bytes.clone()))
                .collect()
        };
        match self {
            Self::Empty => (Before::Keep, vec![], all()),
            Self::Unknown => (Before::Clear, vec![], all()),
            Self::Known { files, .. } => {
                let kept: BTreeSet<&str> = tree.iter().map(|(path, _)| path.as_str()).collect();
                let deletes = files
                    .keys()
                    .filter(|path| !kept.contains(path.as_str()))
                    .cloned()
                    .collect();
                let writes = tree
                    .iter()
                    .filter(|(path, content)| files.get(path.as_str()) != Some(&content.sha256))
                    .map(|(path, content)| (path.as_str().to_owned(), content.bytes.clone()))
                    .collect();
                (Before::Keep, deletes, writes)
            }
        }
    }
}

impl Held {
    /// A sandbox whose workspaces hold `contents`.
    pub(super) fn new(
        project: ProjectId,
        sandbox: SandboxId,
        container: ContainerId,
        supervisor: Supervisor,
        contents: &SlotContents,
    ) -> Self {
        Self {
            project,
            sandbox,
            container,
            supervisor,
            state: Mutex::new(State {
                shown: None,
                slots: [contents.clone(), contents.clone()],
            }),
        }
    }

    /// The connection.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The sandbox's id.
    pub(crate) fn sandbox(&self) -> SandboxId {
        self.sandbox
    }

    /// What the preview shows.
    pub(crate) fn shown(&self) -> Option<(Slot, RevisionId)> {
        self.state().shown
    }

    /// Flips the preview; gives what was shown before.
    pub(crate) fn show(&self, slot: Slot, revision: RevisionId) -> Option<(Slot, RevisionId)> {
        self.state().shown.replace((slot, revision))
    }

    /// The slot that is not shown.
    pub(crate) fn candidate_slot(&self) -> Slot {
        match self.shown() {
            Some((Slot::A, _)) => Slot::B,
            Some((Slot::B, _)) | None => Slot::A,
        }
    }

    /// What is in a slot.
    pub(crate) fn contents(&self, slot: Slot) -> SlotContents {
        self.state().slots[index(slot)].clone()
    }

    /// Notes what is in a slot now.
    pub(crate) fn set_contents(&self, slot: Slot, contents: SlotContents) {
        self.state().slots[index(slot)] = contents;
    }

    /// Notes what is installed in a slot now.
    pub(crate) fn set_installed(&self, slot: Slot, manifest: Vec<u8>) {
        if let SlotContents::Known { installed, .. } = &mut self.state().slots[index(slot)] {
            *installed = Some(manifest);
        }
    }

    /// Notes a file that was written in the sandbox itself.
    pub(crate) fn note_file(&self, slot: Slot, path: &str, content: &Bytes) {
        let sha256 = crate::domain::tree::FileContent::new(content.clone()).sha256;
        if let SlotContents::Known { files, .. } = &mut self.state().slots[index(slot)] {
            files.insert(path.to_owned(), sha256);
        }
    }

    /// The last lines that the dev servers wrote.
    pub(crate) async fn log_tail(&self, lines: u32) -> String {
        let Ok(stream) = self.supervisor.logs(lines, false).await else {
            return String::new();
        };
        let mut stream = std::pin::pin!(stream);
        let mut text = String::new();
        while let Some(Ok(batch)) = stream.next().await {
            for line in batch.lines {
                text.push_str(&line.text);
                text.push('\n');
            }
        }
        text.trim_end().to_owned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic elsewhere cannot leave it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn index(slot: Slot) -> usize {
    match slot {
        Slot::A => 0,
        Slot::B => 1,
    }
}
