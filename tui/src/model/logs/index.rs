//! Which entries are shown. Kept as entries come; made anew, from the newest
//! backwards and in portions, when what is shown changes.

use std::collections::VecDeque;

use super::store::{Entry, Kind, Store};
use crate::model::needle::Needle;

/// Which streams are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// The supervisor.
    pub system: bool,
    /// The steps of the gate.
    pub step: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            stdout: true,
            stderr: true,
            system: true,
            step: true,
        }
    }
}

impl Streams {
    /// What the steps wrote, and nothing else.
    pub(super) const STEPS: Self = Self {
        stdout: false,
        stderr: false,
        system: false,
        step: true,
    };

    fn has(self, kind: Kind) -> bool {
        match kind {
            Kind::Stdout => self.stdout,
            Kind::Stderr => self.stderr,
            Kind::System => self.system,
            Kind::Step => self.step,
            Kind::Restart | Kind::Dropped => true,
        }
    }
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) streams: Streams,
    /// The step whose lines alone are shown of all steps.
    pub(super) step: Option<String>,
    pub(super) needle: Needle,
    /// Whether lines without the needle are left out.
    pub(super) only_matching: bool,
}

impl Filter {
    fn is_open(&self) -> bool {
        self.streams == Streams::default() && self.step.is_none() && !self.narrows()
    }

    fn narrows(&self) -> bool {
        self.only_matching && !self.needle.is_empty()
    }

    /// A line of a step begins with the step.
    fn has_step(&self, text: &str) -> bool {
        self.step.as_ref().is_none_or(|step| {
            text.strip_prefix(step.as_str())
                .is_some_and(|rest| rest.starts_with(':'))
        })
    }

    pub(super) fn passes(&self, entry: &Entry<'_>) -> bool {
        self.streams.has(entry.kind)
            && (entry.kind != Kind::Step || self.has_step(entry.text))
            && (!self.narrows() || (is_line(entry.kind) && self.needle.is_in(entry.text)))
    }
}

/// Whether an entry is a line, and no remark about lines.
pub(super) fn is_line(kind: Kind) -> bool {
    match kind {
        Kind::Stdout | Kind::Stderr | Kind::System | Kind::Step => true,
        Kind::Restart | Kind::Dropped => false,
    }
}

/// The entries that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Index {
    /// All.
    #[default]
    All,
    /// These, in order, of those from `scanned` on.
    Some { ids: VecDeque<u64>, scanned: u64 },
}

impl Index {
    /// An index for a filter, of which nothing is made yet.
    pub(super) fn new(filter: &Filter, store: &Store) -> Self {
        if filter.is_open() {
            Self::All
        } else {
            Self::Some {
                ids: VecDeque::new(),
                scanned: store.next(),
            }
        }
    }

    /// Looks at so many older entries; says whether there are more to look at.
    pub(super) fn scan(&mut self, filter: &Filter, store: &Store, entries: u64) -> bool {
        let Self::Some { ids, scanned } = self else {
            return false;
        };
        let end = scanned.saturating_sub(entries).max(store.first());
        while *scanned > end {
            *scanned -= 1;
            if store
                .get(*scanned)
                .is_some_and(|entry| filter.passes(&entry))
            {
                ids.push_front(*scanned);
            }
        }
        *scanned > store.first()
    }

    /// Whether older entries are still to be looked at.
    pub(super) fn is_busy(&self, store: &Store) -> bool {
        match self {
            Self::All => false,
            Self::Some { scanned, .. } => *scanned > store.first(),
        }
    }

    /// An entry came.
    pub(super) fn push(&mut self, filter: &Filter, id: u64, entry: &Entry<'_>) {
        if let Self::Some { ids, .. } = self
            && filter.passes(entry)
        {
            ids.push_back(id);
        }
    }

    /// Entries before this one are gone.
    pub(super) fn forget(&mut self, first: u64) {
        if let Self::Some { ids, scanned } = self {
            while ids.front().is_some_and(|id| *id < first) {
                ids.pop_front();
            }
            *scanned = (*scanned).max(first);
        }
    }

    /// How many are shown.
    pub(super) fn len(&self, store: &Store) -> usize {
        match self {
            Self::All => usize::try_from(store.next() - store.first()).unwrap_or(usize::MAX),
            Self::Some { ids, .. } => ids.len(),
        }
    }

    /// The last one before an entry.
    pub(super) fn before(&self, store: &Store, id: u64) -> Option<u64> {
        match self {
            Self::All => id
                .min(store.next())
                .checked_sub(1)
                .filter(|id| *id >= store.first()),
            Self::Some { ids, .. } => {
                let at = ids.partition_point(|shown| *shown < id);
                ids.get(at.checked_sub(1)?).copied()
            }
        }
    }

    /// An entry, or the first one after it.
    pub(super) fn at_or_after(&self, store: &Store, id: u64) -> Option<u64> {
        match self {
            Self::All => Some(id.max(store.first())).filter(|id| *id < store.next()),
            Self::Some { ids, .. } => {
                let at = ids.partition_point(|shown| *shown < id);
                ids.get(at).copied()
            }
        }
    }
}
