//! The last lines of output, bounded in bytes and in number. Lines are numbered
//! from 1, the dropped ones too, so a gap in the numbers is the exact number of
//! lines that are missing: dropped before they got in, or pushed out since.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::watch;

use crate::lines::{Budget, LINE_COST, LineCutter, LineSink, Rate};

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// The supervisor itself.
    Supervisor,
}

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingLine {
    /// Its number.
    pub number: u64,
    /// When it was read.
    pub time: SystemTime,
    /// Where it came from.
    pub origin: Origin,
    /// The slot whose server wrote it; empty for others.
    pub slot: &'static str,
    /// Its text.
    pub text: String,
}

/// Bounds of a ring.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most bytes, [`LINE_COST`] a line included.
    pub bytes: usize,
    /// Most lines.
    pub lines: usize,
    /// How much may get in.
    pub rate: Rate,
}

/// The rate of everything that is passed on.
pub const RATE: Rate = Rate {
    bytes_per_second: 80 << 10,
    burst_bytes: 256 << 10,
    resume_bytes: 8 << 10,
};

/// The dev servers' output.
pub const SERVER_LOG: Bounds = Bounds {
    bytes: 1 << 20,
    lines: 10_000,
    rate: RATE,
};

/// A step's output, which its caller reads at once.
pub const STEP_OUTPUT: Bounds = Bounds {
    bytes: 384 << 10,
    lines: 4_000,
    rate: RATE,
};

/// The last lines of output. Written by the readers of pipes, read by followers.
#[derive(Debug)]
pub struct Ring {
    state: Mutex<State>,
    /// Counts changes, to wake followers.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    bounds: Bounds,
    pub(crate) lines: VecDeque<RingLine>,
    bytes: usize,
    /// The number that the next line gets.
    pub(crate) next_number: u64,
    budget: Budget,
    pub(crate) is_closed: bool,
}

impl Ring {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            state: Mutex::new(State {
                bounds,
                lines: VecDeque::new(),
                bytes: 0,
                next_number: 1,
                budget: Budget::new(bounds.rate, Instant::now()),
                is_closed: false,
            }),
            changes: watch::Sender::new(0),
        }
    }

    /// Takes the next bytes of a stream. Says whether the budget still has room.
    pub fn feed(
        &self,
        cutter: &mut LineCutter,
        bytes: &[u8],
        origin: Origin,
        slot: &'static str,
    ) -> bool {
        self.write(origin, slot, |budget, writer| {
            cutter.feed(bytes, budget, writer);
        })
    }

    /// Takes the end of a stream.
    pub fn finish(&self, cutter: &mut LineCutter, origin: Origin, slot: &'static str) {
        self.write(origin, slot, |budget, writer| cutter.finish(budget, writer));
    }

    /// Adds a line of the supervisor's own, which no budget holds back.
    pub fn say(&self, slot: &'static str, text: String) {
        self.write(Origin::Supervisor, slot, |_, writer| writer.line(text));
    }

    /// Nothing will be added any more; followers end when they have read all.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.announce();
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        origin: Origin,
        slot: &'static str,
        add: impl FnOnce(&mut Budget, &mut Writer<'_>),
    ) -> bool {
        let mut state = self.lock();
        let State {
            bounds,
            lines,
            bytes,
            next_number,
            budget,
            is_closed: _,
        } = &mut *state;
        budget.fill(Instant::now());
        let mut writer = Writer {
            bounds: *bounds,
            lines,
            bytes,
            next_number,
            time: SystemTime::now(),
            origin,
            slot,
        };
        add(budget, &mut writer);
        let is_open = budget.is_open();
        drop(state);
        self.announce();
        is_open
    }

    fn announce(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The parts of a ring that a line changes.
struct Writer<'a> {
    bounds: Bounds,
    lines: &'a mut VecDeque<RingLine>,
    bytes: &'a mut usize,
    next_number: &'a mut u64,
    time: SystemTime,
    origin: Origin,
    slot: &'static str,
}

impl LineSink for Writer<'_> {
    fn line(&mut self, text: String) {
        *self.bytes += text.len() + LINE_COST;
        self.lines.push_back(RingLine {
            number: *self.next_number,
            time: self.time,
            origin: self.origin,
            slot: self.slot,
            text,
        });
        *self.next_number += 1;
        while *self.bytes > self.bounds.bytes || self.lines.len() > self.bounds.lines {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            *self.bytes -= oldest.text.len() + LINE_COST;
        }
    }

    fn dropped(&mut self, count: u64) {
        *self.next_number += count;
    }
}
