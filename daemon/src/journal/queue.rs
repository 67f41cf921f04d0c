//! What waits for the writer, by project. Pieces of text merge here while they
//! wait; nothing else ever does. Bounded by bytes, for each project and in all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::domain::event::Event;
use crate::domain::id::{GenerationId, ProjectId};
use crate::store::RowChange;

use super::append::{Append, AppendError, Committed, Fence, Receipt};

/// Bytes of one project that may wait.
const PROJECT_BYTES: usize = 1024 * 1024;
/// Bytes of all projects that may wait.
const TOTAL_BYTES: usize = 64 * 1024 * 1024;
/// Events and bytes of a batch, about: it ends with the entry that passes them.
const BATCH_EVENTS: usize = 4096;
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Events that one entry may grow to by joining.
const ENTRY_EVENTS: usize = 256;

/// One or more appends that are written together: all of it, or none.
pub(super) struct Entry {
    pub(super) project: ProjectId,
    pub(super) fence: Fence,
    pub(super) generation: Option<GenerationId>,
    pub(super) events: Vec<Event>,
    pub(super) changes: Vec<RowChange>,
    /// The events as JSON; made by the writer, once.
    pub(super) payloads: Vec<String>,
    bytes: usize,
    waiters: Vec<Waiter>,
}

/// Who waits for which events of an entry.
struct Waiter {
    answer: oneshot::Sender<Result<Committed, AppendError>>,
    /// Index of the first event of theirs.
    from: usize,
    /// One past the last.
    to: usize,
}

impl Entry {
    fn new(append: Append) -> (Self, Receipt) {
        let (answer, receipt) = oneshot::channel();
        let entry = Self {
            bytes: size(&append),
            project: append.project,
            fence: append.fence,
            generation: append.generation,
            waiters: vec![Waiter {
                answer,
                from: 0,
                to: append.events.len(),
            }],
            events: append.events,
            changes: append.changes,
            payloads: Vec::new(),
        };
        (entry, Receipt(receipt))
    }

    /// Whether an append may become part of this entry: same owner, same
    /// generation, and nothing but events on both sides.
    fn takes(&self, append: &Append) -> bool {
        self.fence == append.fence
            && self.generation == append.generation
            && self.changes.is_empty()
            && append.changes.is_empty()
            && self.events.len() + append.events.len() <= ENTRY_EVENTS
    }

    fn join(&mut self, append: Append) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        self.bytes += size(&append);
        let mut from = self.events.len();
        let mut events = append.events.into_iter();
        if let (Some(last), Some(first)) = (self.events.last_mut(), events.next()) {
            match last.merge(first) {
                Ok(()) => from -= 1,
                Err(first) => self.events.push(first),
            }
        }
        self.events.extend(events);
        self.waiters.push(Waiter {
            answer,
            from,
            to: self.events.len(),
        });
        Receipt(receipt)
    }

    /// Tells everybody that the first event stands at `first`.
    fn committed(self, first: i64) {
        for waiter in self.waiters {
            let at = |index: usize| first + i64::try_from(index).unwrap_or(0);
            // Nobody may be listening: then nobody wants to know.
            let _ = waiter.answer.send(Ok(Committed {
                first: at(waiter.from),
                last: at(waiter.to) - 1,
            }));
        }
    }

    /// Tells everybody that it failed, and says whether all of them heard.
    fn failed(self, error: &AppendError) -> bool {
        let mut heard = true;
        for waiter in self.waiters {
            heard &= waiter.answer.send(Err(error.clone())).is_ok();
        }
        heard
    }
}

/// What waits of one project.
#[derive(Default)]
struct Line {
    entries: VecDeque<Entry>,
    /// Bytes that wait or are being written.
    bytes: usize,
    /// A failure that nobody heard of, with the owner whose next append it is for.
    unheard: Option<(i64, AppendError)>,
}

#[derive(Default)]
struct State {
    lines: HashMap<ProjectId, Line>,
    /// Projects with entries that wait, each once, longest waiting first.
    ready: VecDeque<ProjectId>,
    bytes: usize,
    closed: bool,
}

impl State {
    /// A project may always have one append on its way, whatever its size.
    fn has_room(&self, project: ProjectId, bytes: usize) -> bool {
        let line = self.lines.get(&project).map_or(0, |line| line.bytes);
        let line_has = line == 0 || line + bytes <= PROJECT_BYTES;
        line_has && (self.bytes == 0 || self.bytes + bytes <= TOTAL_BYTES)
    }

    /// Takes out what waits of one owner.
    fn drain(&mut self, project: ProjectId, fence: Fence) -> Vec<Entry> {
        let Some(line) = self.lines.get_mut(&project) else {
            return Vec::new();
        };
        let (same, other): (Vec<_>, Vec<_>) = line
            .entries
            .drain(..)
            .partition(|entry| entry.fence == fence);
        line.entries = other.into();
        if line.entries.is_empty() {
            self.ready.retain(|ready| *ready != project);
        }
        same
    }

    /// Bytes of a project no longer wait.
    fn release(&mut self, project: ProjectId, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(line) = self.lines.get_mut(&project) {
            line.bytes = line.bytes.saturating_sub(bytes);
            if line.bytes == 0 && line.entries.is_empty() && line.unheard.is_none() {
                self.lines.remove(&project);
            }
        }
    }
}

/// The queue between producers and the one writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the writer.
    work: Notify,
    /// Wakes producers that wait for room.
    room: Notify,
}

/// Why the queue did not take an append.
pub(super) enum NotTaken {
    /// There is no room for it now; here it is back.
    Full(Box<Append>),
    /// It never will.
    Failed(AppendError),
}

impl Queue {
    pub(super) fn push(&self, append: Append) -> Result<Receipt, NotTaken> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.closed {
            return Err(NotTaken::Failed(AppendError::ShuttingDown));
        }
        let bytes = size(&append);
        if !state.has_room(append.project, bytes) {
            return Err(NotTaken::Full(Box::new(append)));
        }
        let line = state.lines.entry(append.project).or_default();
        if let (Fence::Epoch(epoch), Some((owner, _))) = (append.fence, &line.unheard)
            && epoch == *owner
            && let Some((_, error)) = line.unheard.take()
        {
            return Err(NotTaken::Failed(error));
        }
        line.bytes += bytes;
        state.bytes += bytes;
        let receipt = match line.entries.back_mut() {
            Some(last) if last.takes(&append) => last.join(append),
            last => {
                if last.is_none() {
                    state.ready.push_back(append.project);
                }
                let (entry, receipt) = Entry::new(append);
                line.entries.push_back(entry);
                receipt
            }
        };
        drop(guard);
        self.work.notify_one();
        Ok(receipt)
    }

    /// The same, waiting for room where there is none. Dropping the future
    /// before it is done leaves nothing behind.
    pub(super) async fn push_when_room(&self, append: Append) -> Result<Receipt, AppendError> {
        let mut append = append;
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            // From here on no release is missed.
            freed.as_mut().enable();
            match self.push(append) {
                Ok(receipt) => return Ok(receipt),
                Err(NotTaken::Failed(error)) => return Err(error),
                Err(NotTaken::Full(back)) => append = *back,
            }
            freed.await;
        }
    }

    /// Everything that waits, up to the size of a batch, the entries of a
    /// project next to each other and in order. Waits for something to come;
    /// `None` once the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Vec<Entry>> {
        loop {
            let pushed = self.work.notified();
            {
                let mut guard = self.lock();
                let taken = take(&mut guard);
                if !taken.is_empty() {
                    return Some(taken);
                }
                if guard.closed {
                    return None;
                }
            }
            pushed.await;
        }
    }

    /// Puts entries that could not be written yet back to where they were.
    pub(super) fn put_back(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        for entry in entries.into_iter().rev() {
            let line = state.lines.entry(entry.project).or_default();
            if line.entries.is_empty() {
                state.ready.push_back(entry.project);
            }
            line.entries.push_front(entry);
        }
        drop(guard);
        self.work.notify_one();
    }

    /// The entry was written; its first event stands at `first`.
    pub(super) fn committed(&self, entry: Entry, first: i64) {
        self.release(entry.project, entry.bytes);
        entry.committed(first);
    }

    /// The entry was not written. What waits of the same owner fails with it if
    /// the failure is not of the entry's own making: a text must have no hole.
    pub(super) fn failed(&self, entry: Entry, error: &AppendError) {
        let (project, fence) = (entry.project, entry.fence);
        let mut guard = self.lock();
        let mut entries = vec![entry];
        if matches!(error, AppendError::Unavailable | AppendError::StorageFull)
            && fence != Fence::None
        {
            entries.extend(guard.drain(project, fence));
        }
        // Answered under the lock: whoever hears of it and goes on comes after.
        let mut heard = true;
        for entry in entries {
            guard.release(project, entry.bytes);
            heard &= entry.failed(error);
        }
        let owner_goes_on = !matches!(error, AppendError::Fenced | AppendError::ProjectGone);
        if let Fence::Epoch(epoch) = fence
            && !heard
            && owner_goes_on
        {
            let line = guard.lines.entry(project).or_default();
            line.unheard = Some((epoch, error.clone()));
        }
        drop(guard);
        self.room.notify_waiters();
    }

    /// Forgets failures that nobody asked for: the owner is gone.
    pub(super) fn forget_unheard(&self, project: ProjectId) {
        let mut state = self.lock();
        if let Some(line) = state.lines.get_mut(&project) {
            line.unheard = None;
        }
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// Refuses everything that still waits: the writer is gone.
    pub(super) fn abandon(&self) {
        self.close();
        let entries: Vec<Entry> = {
            let mut state = self.lock();
            state.ready.clear();
            state
                .lines
                .drain()
                .flat_map(|(_, line)| line.entries)
                .collect()
        };
        for entry in entries {
            entry.failed(&AppendError::ShuttingDown);
        }
    }

    fn release(&self, project: ProjectId, bytes: usize) {
        self.lock().release(project, bytes);
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(state: &mut State) -> Vec<Entry> {
    let mut taken = Vec::new();
    let (mut events, mut bytes) = (0, 0);
    while events < BATCH_EVENTS && bytes < BATCH_BYTES {
        let Some(project) = state.ready.pop_front() else {
            break;
        };
        let Some(line) = state.lines.get_mut(&project) else {
            continue;
        };
        while events < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Some(entry) = line.entries.pop_front() else {
                break;
            };
            events += entry.events.len().max(1);
            bytes += entry.bytes;
            taken.push(entry);
        }
        if !line.entries.is_empty() {
            state.ready.push_front(project);
        }
    }
    taken
}

/// About how many bytes an append takes while it waits.
fn size(append: &Append) -> usize {
    let events: usize = append.events.iter().map(event_size).sum();
    let changes: usize = append.changes.iter().map(change_size).sum();
    128 + events + changes
}

fn event_size(event: &Event) -> usize {
    match event {
        Event::TextDelta { text } | Event::FileDelta { text, .. } => 64 + text.len(),
        Event::StepOutput { text, .. } => 64 + text.len(),
        Event::GenerationStarted { prompt, .. } => 128 + prompt.len(),
        Event::RevisionCreated { changes, .. } => {
            128 + changes.iter().map(|c| 32 + c.path.len()).sum::<usize>()
        }
        Event::ProjectCreated { .. }
        | Event::ProjectUpdated { .. }
        | Event::ProjectDeleted
        | Event::GenerationStateChanged { .. }
        | Event::AttemptStarted { .. }
        | Event::FileStarted { .. }
        | Event::FileFinished { .. }
        | Event::OperationReceived { .. }
        | Event::AttemptFinished { .. }
        | Event::StepStarted { .. }
        | Event::StepFinished { .. }
        | Event::GenerationFinished(_)
        | Event::SandboxStateChanged { .. }
        | Event::PreviewChanged { .. } => 256,
    }
}

fn change_size(change: &RowChange) -> usize {
    match change {
        RowChange::FinishAttempt(end) => 256 + end.answer.len(),
        RowChange::InsertGeneration(new) => 256 + new.prompt.len(),
        RowChange::AmendRevision { content, .. } => 256 + content.len(),
        RowChange::InsertRevision(new) => {
            256 + new.files.iter().map(|f| 64 + f.path.len()).sum::<usize>()
        }
        RowChange::SetGenerationOmitted { omitted, .. } => {
            64 + omitted.iter().map(|path| 24 + path.len()).sum::<usize>()
        }
        RowChange::RecordRequestId(_)
        | RowChange::InsertProject(_)
        | RowChange::UpdateProject(_)
        | RowChange::SetGenerationState { .. }
        | RowChange::FinishGeneration { .. }
        | RowChange::InsertAttempt { .. }
        | RowChange::SetRevisionHealth { .. }
        | RowChange::UpsertSandbox(_)
        | RowChange::SetSandboxState(_)
        | RowChange::SetSandboxShown { .. } => 256,
    }
}
