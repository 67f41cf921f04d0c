//! What a sandbox writes, and what the steps of the gate write: kept, filtered,
//! searched, and the part of it that a pane shows.
//!
//! Lines come in clean (`ingest::log`). Drawing costs the rows that are seen,
//! whatever the number of lines. Nothing is lost silently: what the daemon left
//! out, and what had to make room here, is counted and shown where it is missing.

mod index;
mod layout;
mod life;
mod moves;
mod pane;
mod save;
mod store;
#[cfg(test)]
mod tests;

pub use self::index::Streams;
use self::index::{Filter, Index};
use self::life::{Lives, Verdict};
pub use self::save::Extent;
use self::store::Store;
pub use self::store::{Entry, Kind};
use super::needle::Needle;
use super::pager::Place;

/// The most lines that are kept.
pub const MOST_LINES: usize = 100_000;

/// The most bytes that they may take.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Lines that are looked at in one go after a filter has changed.
const PORTION: u64 = 20_000;

/// Entries that one that came late may pass, to stand where its time is.
const LATE: u64 = 2_000;

/// Steps that can be shown alone, at most. There are six.
const STEPS: usize = 12;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The supervisor.
    System,
    /// A step of the gate.
    Step,
}

/// A line that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1, in the life of the sandbox.
    pub number: i64,
    /// When it was read, in nanoseconds since 1970; 0 if that is not known.
    pub nanos: i64,
    /// Where it came from.
    pub stream: Stream,
    /// What it says, clean.
    pub text: String,
}

/// Lines that came together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub lines: Vec<Line>,
    /// Lines that the daemon left out before them.
    pub dropped: u64,
}

/// The lines, and what is shown of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    store: Store,
    lives: Lives,
    /// Lines that are missing before the first entry.
    gone: u64,
    /// Lines that are missing in all.
    missing: u64,
    filter: Filter,
    index: Index,
    view: View,
    /// Steps that wrote something, in the order of their first line.
    steps: Vec<String>,
}

/// What the user sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    width: usize,
    height: usize,
    wrap: bool,
    times: bool,
    follow: bool,
    /// The first column that is seen where lines are not wrapped.
    column: usize,
    /// The row at the top, unless it follows.
    top: Place,
    /// The line that the search stands at.
    found: Option<u64>,
    /// Seconds to add to UTC.
    offset: i64,
}

/// What the title of the pane may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Entries that are shown, of those that were looked at.
    pub shown: usize,
    /// Entries that are kept.
    pub kept: usize,
    /// Lines that are missing: left out by the daemon, or pushed out here.
    pub missing: u64,
    /// Whether older lines are still to be looked at: call [`Logs::work`].
    pub is_busy: bool,
    /// Whether the newest line is always shown.
    pub follows: bool,
    /// Whether long lines are wrapped.
    pub wraps: bool,
    /// Whether times are shown.
    pub times: bool,
    /// Whether only lines that match are shown.
    pub only_matching: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Self::with_limits(MOST_LINES, MOST_BYTES)
    }
}

impl Logs {
    /// No lines, and at most so many, of so many bytes.
    #[must_use]
    pub fn with_limits(lines: usize, bytes: usize) -> Self {
        Self {
            store: Store::new(lines, bytes),
            lives: Lives::default(),
            gone: 0,
            missing: 0,
            filter: Filter::default(),
            index: Index::All,
            view: View {
                width: 80,
                height: 24,
                wrap: true,
                times: false,
                follow: true,
                column: 0,
                top: Place::default(),
                found: None,
                offset: 0,
            },
            steps: Vec::new(),
        }
    }

    /// Lines came. Those that came before are left out, as after a reconnect.
    pub fn apply(&mut self, batch: &Batch) {
        let mut dropped = batch.dropped;
        for line in &batch.lines {
            let judged = self.lives.judge(line.number, line.nanos, dropped);
            match judged {
                Verdict::Repeated => continue,
                Verdict::Next { missing } => self.push_missing(missing, line.nanos),
                Verdict::Restarted { missing } => {
                    self.push(Entry {
                        kind: Kind::Restart,
                        number: 0,
                        nanos: line.nanos,
                        text: "the sandbox started again",
                    });
                    self.push_missing(missing, line.nanos);
                }
            }
            dropped = 0;
            self.push(Entry {
                kind: line.stream.into(),
                number: line.number,
                nanos: line.nanos,
                text: &line.text,
            });
        }
        if batch.lines.is_empty() {
            let news = self.lives.missing(dropped);
            self.push_missing(news, 0);
        }
    }

    /// The sandbox is another one: the next line begins its life, whatever its
    /// number.
    pub fn restarted(&mut self) {
        self.lives.begin();
    }

    /// A step of the gate wrote output: one or more lines, clean.
    pub fn push_step_output(&mut self, step: &str, text: &str, nanos: i64) {
        if self.steps.len() < STEPS && !self.steps.iter().any(|known| known == step) {
            self.steps.push(step.to_owned());
        }
        for line in text.lines() {
            let line = format!("{step}: {line}");
            self.push(Entry {
                kind: Kind::Step,
                number: 0,
                nanos,
                text: &crate::sanitise::line(&line),
            });
        }
    }

    /// Forgets everything that was written; what is shown stays as it is set.
    pub fn clear(&mut self) {
        while let Some((kind, number)) = self.store.pop() {
            self.count_gone(kind, number);
        }
        self.gone = 0;
        self.index.forget(self.store.first());
    }

    /// How it is.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            shown: self.index.len(&self.store),
            kept: Index::All.len(&self.store),
            missing: self.missing,
            is_busy: self.index.is_busy(&self.store),
            follows: self.view.follow,
            wraps: self.view.wrap,
            times: self.view.times,
            only_matching: self.filter.only_matching,
        }
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.first() == self.store.next()
    }

    /// Bytes that the lines take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }

    /// Which streams are shown.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.filter.streams
    }

    /// Shows these streams.
    pub fn show_streams(&mut self, streams: Streams) {
        self.change(|filter| {
            filter.streams = streams;
            filter.step = None;
        });
    }

    /// Shows the lines of one step, and no others.
    pub fn show_step(&mut self, step: &str) {
        self.change(|filter| {
            filter.streams = Streams::STEPS;
            filter.step = Some(step.to_owned());
        });
    }

    /// What is looked for.
    #[must_use]
    pub fn query(&self) -> &str {
        self.filter.needle.text()
    }

    /// Looks for a text, whatever its case; an empty one ends the search.
    pub fn search(&mut self, text: &str) {
        self.view.found = None;
        self.change(|filter| filter.needle = Needle::new(text));
    }

    /// Shows only lines with what is looked for, or all.
    pub fn show_only_matching(&mut self, only: bool) {
        self.change(|filter| filter.only_matching = only);
    }

    /// Looks at older lines after a filter has changed; says whether there is
    /// more to do. It takes little time, so that keys are not kept waiting.
    pub fn work(&mut self) -> bool {
        self.index.scan(&self.filter, &self.store, PORTION)
    }

    fn change(&mut self, change: impl FnOnce(&mut Filter)) {
        let before = self.filter.clone();
        change(&mut self.filter);
        if self.filter == before {
            return;
        }
        let is_wider = |filter: &Filter| !filter.only_matching || filter.needle.is_empty();
        if before.streams == self.filter.streams
            && before.step == self.filter.step
            && is_wider(&before)
            && is_wider(&self.filter)
        {
            // Only what is highlighted is another.
            return;
        }
        self.index = Index::new(&self.filter, &self.store);
        self.work();
    }

    fn push_missing(&mut self, count: u64, nanos: i64) {
        if count == 0 {
            return;
        }
        self.missing = self.missing.saturating_add(count);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(number) = self.store.last_number(Kind::Dropped) {
            *number = number.saturating_add(count);
            return;
        }
        self.push(Entry {
            kind: Kind::Dropped,
            number: count,
            nanos,
            text: "",
        });
    }

    fn push(&mut self, entry: Entry<'_>) {
        let place = self.place(&entry);
        if place < self.store.next() {
            self.insert(place, entry);
        } else {
            self.index.push(&self.filter, place, &entry);
            self.store.push(entry);
        }
        while let Some((kind, number)) = self.store.pop_excess() {
            self.count_gone(kind, number);
            self.index.forget(self.store.first());
        }
    }

    /// Where an entry belongs by its time. What the steps wrote and what the sandbox
    /// wrote come by different ways; each of the two stays in its own order.
    fn place(&self, entry: &Entry<'_>) -> u64 {
        let end = self.store.next();
        let mut place = end;
        while end - place < LATE {
            let Some(before) = place.checked_sub(1).and_then(|id| self.store.get(id)) else {
                break;
            };
            let is_of_its_kind = (before.kind == Kind::Step) == (entry.kind == Kind::Step);
            if is_of_its_kind || entry.nanos == 0 || before.nanos <= entry.nanos {
                return place;
            }
            place -= 1;
        }
        // Later than anybody waits for, or before everything.
        if end - place < LATE { place } else { end }
    }

    fn insert(&mut self, place: u64, entry: Entry<'_>) {
        self.store.insert(place, entry);
        // What is read stays where it is.
        if self.view.top.id >= place {
            self.view.top.id += 1;
        }
        self.view.found = self.view.found.map(|id| id + u64::from(id >= place));
        self.index = Index::new(&self.filter, &self.store);
        self.work();
    }

    /// An entry had to make room.
    fn count_gone(&mut self, kind: Kind, number: i64) {
        match kind {
            Kind::Stdout | Kind::Stderr | Kind::System | Kind::Step => {
                self.gone += 1;
                self.missing += 1;
            }
            // Missing already; now they are missing at the front.
            Kind::Dropped => self.gone += u64::try_from(number).unwrap_or(0),
            Kind::Restart => {}
        }
    }
}

impl From<Stream> for Kind {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Stdout,
            Stream::Stderr => Self::Stderr,
            Stream::System => Self::System,
            Stream::Step => Self::Step,
        }
    }
}
