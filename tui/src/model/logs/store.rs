//! Log lines in the order in which they came, bounded in number and in bytes.
//!
//! Lines lie in blocks of one text each, so that a line costs what it says and
//! a few bytes more. An entry keeps its number for ever: the first one ever has
//! 0, and those that were pushed out are gone from the front.

use std::collections::VecDeque;

/// Lines of a block.
const BLOCK: u64 = 256;

/// The most of a line that is kept, in bytes. What is sent is shorter.
const LINE: usize = 32 * 1024;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line on standard output.
    Stdout,
    /// A line on standard error.
    Stderr,
    /// A line of the supervisor.
    System,
    /// A line of a step of the gate.
    Step,
    /// Not a line: the sandbox started again here.
    Restart,
    /// Not a line: lines are missing here.
    Dropped,
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// The number of the line; of [`Kind::Dropped`], how many are missing.
    pub number: i64,
    /// When it was read, in nanoseconds since 1970; 0 if that is not known.
    pub nanos: i64,
    /// What it says.
    pub text: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fixed {
    end: u32,
    kind: Kind,
    number: i64,
    nanos: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Block {
    text: String,
    entries: Vec<Fixed>,
}

/// The entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    blocks: VecDeque<Block>,
    /// The entry with which the first block begins.
    start: u64,
    first: u64,
    next: u64,
    bytes: usize,
    most_entries: u64,
    most_bytes: usize,
}

impl Store {
    pub(super) fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            blocks: VecDeque::new(),
            start: 0,
            first: 0,
            next: 0,
            bytes: 0,
            most_entries: (most_entries as u64).max(1),
            most_bytes,
        }
    }

    /// The first entry that is there.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The entry that comes next; all before it, from the first, are there.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Bytes that the entries take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an entry at the end.
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        let mut end = entry.text.len().min(LINE);
        while !entry.text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &entry.text[..end];
        if (self.next - self.start).is_multiple_of(BLOCK) {
            if let Some(full) = self.blocks.back_mut() {
                full.text.shrink_to_fit();
            }
            self.blocks.push_back(Block::default());
        }
        let Some(block) = self.blocks.back_mut() else {
            return;
        };
        block.text.push_str(text);
        block.entries.push(Fixed {
            // A block is no longer than its lines: 8 MiB.
            end: u32::try_from(block.text.len()).unwrap_or(u32::MAX),
            kind: entry.kind,
            number: entry.number,
            nanos: entry.nanos,
        });
        self.bytes += cost(text);
        self.next += 1;
    }

    /// Puts an entry before another one; those after it move up by one.
    pub(super) fn insert(&mut self, id: u64, entry: Entry<'_>) {
        let mut after = Vec::new();
        while self.next > id.max(self.first) {
            after.extend(self.take_last());
        }
        self.push(entry);
        for (fixed, text) in after.iter().rev() {
            self.push(Entry {
                kind: fixed.kind,
                number: fixed.number,
                nanos: fixed.nanos,
                text,
            });
        }
    }

    fn take_last(&mut self) -> Option<(Fixed, String)> {
        let text = self.get(self.next.checked_sub(1)?)?.text.to_owned();
        let block = self.blocks.back_mut()?;
        let fixed = block.entries.pop()?;
        block.text.truncate(block.text.len() - text.len());
        if block.entries.is_empty() {
            self.blocks.pop_back();
        }
        self.bytes -= cost(&text);
        self.next -= 1;
        Some((fixed, text))
    }

    /// Takes the first entry out if there are too many; says what it was.
    pub(super) fn pop_excess(&mut self) -> Option<(Kind, i64)> {
        let is_over = self.next - self.first > self.most_entries || self.bytes > self.most_bytes;
        if !is_over || self.first + 1 >= self.next {
            return None;
        }
        self.pop()
    }

    /// Takes the first entry out; says what it was.
    pub(super) fn pop(&mut self) -> Option<(Kind, i64)> {
        let entry = self.get(self.first)?;
        let popped = (entry.kind, entry.number);
        self.bytes -= cost(entry.text);
        self.first += 1;
        if self.first - self.start == BLOCK {
            self.blocks.pop_front();
            self.start = self.first;
        }
        Some(popped)
    }

    /// The number of the last entry, to be changed, if it is of a kind.
    pub(super) fn last_number(&mut self, kind: Kind) -> Option<&mut i64> {
        let last = self.blocks.back_mut()?.entries.last_mut()?;
        (last.kind == kind).then_some(&mut last.number)
    }

    /// An entry.
    pub(super) fn get(&self, id: u64) -> Option<Entry<'_>> {
        if !(self.first..self.next).contains(&id) {
            return None;
        }
        let offset = id - self.start;
        let block = self.blocks.get(usize::try_from(offset / BLOCK).ok()?)?;
        let at = usize::try_from(offset % BLOCK).ok()?;
        let fixed = block.entries.get(at)?;
        let begin = match at.checked_sub(1) {
            Some(before) => block.entries[before].end as usize,
            None => 0,
        };
        Some(Entry {
            kind: fixed.kind,
            number: fixed.number,
            nanos: fixed.nanos,
            text: &block.text[begin..fixed.end as usize],
        })
    }
}

fn cost(text: &str) -> usize {
    text.len() + size_of::<Fixed>()
}
