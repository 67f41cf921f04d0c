//! A reader of a ring: a place in it, not a queue. One that is slow holds
//! nothing back and is told how much it missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::ring::{Ring, RingLine};

/// Most lines at once.
const MAX_BATCH_LINES: usize = 512;
/// Most bytes of text at once, but for the last line.
const MAX_BATCH_BYTES: usize = 64 << 10;
/// Between two batches: many lines in one message are cheaper than many messages.
const BATCH_EVERY: Duration = Duration::from_millis(25);

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the last so many lines.
    Tail(usize),
    /// After the line of this number.
    After(u64),
}

/// What to do at the end of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Wait for more, until the ring is closed.
    Follow,
    /// Stop.
    Stop,
}

/// The next lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// In order; may be empty if some were dropped.
    pub lines: Vec<RingLine>,
    /// Lines that are missing before or between these.
    pub dropped_count: u64,
}

/// A reader of a ring.
#[derive(Debug)]
pub struct Follower {
    ring: Arc<Ring>,
    changes: watch::Receiver<u64>,
    /// The number of the line that comes next.
    next_number: u64,
    at_end: AtEnd,
    /// No batch before that.
    not_before: Instant,
}

impl Follower {
    /// Begins to read.
    #[must_use]
    pub fn new(ring: Arc<Ring>, start: Start, at_end: AtEnd) -> Self {
        let changes = ring.subscribe();
        let state = ring.lock();
        let next_number = match start {
            Start::Tail(count) => {
                let first = state.lines.len().saturating_sub(count);
                let line = state.lines.get(first);
                line.map_or(state.next_number, |line| line.number)
            }
            Start::After(number) => number.saturating_add(1).min(state.next_number),
        };
        drop(state);
        Self {
            ring,
            changes,
            next_number,
            at_end,
            not_before: Instant::now(),
        }
    }

    /// Waits for the next lines; none at the end. May be dropped and asked again.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            tokio::time::sleep_until(self.not_before).await;
            self.changes.mark_unchanged();
            let (batch, is_closed) = self.take();
            if batch != Batch::default() {
                self.not_before = Instant::now() + BATCH_EVERY;
                return Some(batch);
            }
            if is_closed || self.at_end == AtEnd::Stop {
                return None;
            }
            // The ring is ours too, so its end of the channel is there.
            self.changes.changed().await.ok()?;
        }
    }

    fn take(&mut self) -> (Batch, bool) {
        let state = self.ring.lock();
        // Numbers only grow, but with gaps.
        let first = state
            .lines
            .partition_point(|line| line.number < self.next_number);
        let mut batch = Batch::default();
        let mut bytes = 0;
        for line in state.lines.range(first..) {
            if batch.lines.len() == MAX_BATCH_LINES || bytes >= MAX_BATCH_BYTES {
                break;
            }
            bytes += line.text.len();
            batch.lines.push(line.clone());
        }
        let reached_end = first + batch.lines.len() == state.lines.len();
        let until = match batch.lines.last() {
            Some(last) if !reached_end => last.number + 1,
            Some(_) | None => state.next_number,
        };
        let passed = until.saturating_sub(self.next_number);
        batch.dropped_count = passed - batch.lines.len() as u64;
        self.next_number = until;
        (batch, state.is_closed && reached_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::{LineCutter, Rate};
    use crate::ring::{Bounds, Origin};

    const OPEN: Rate = Rate {
        bytes_per_second: 0,
        burst_bytes: u32::MAX,
        resume_bytes: 0,
    };

    fn ring(bytes: usize, lines: usize, rate: Rate) -> Arc<Ring> {
        Arc::new(Ring::new(Bounds { bytes, lines, rate }))
    }

    fn write(ring: &Ring, text: &str) {
        ring.feed(
            &mut LineCutter::default(),
            text.as_bytes(),
            Origin::Output,
            "a",
        );
    }

    fn numbers(batch: &Batch) -> Vec<u64> {
        batch.lines.iter().map(|line| line.number).collect()
    }

    #[tokio::test]
    async fn a_ring_is_bounded_in_lines_and_in_bytes() {
        let by_lines = ring(1 << 20, 10, OPEN);
        write(&by_lines, &"x\n".repeat(100));
        assert_eq!(by_lines.lock().lines.len(), 10);
        assert_eq!(by_lines.lock().lines[0].number, 91);
        let by_bytes = ring(1000, 1000, OPEN);
        write(&by_bytes, &"x\n".repeat(100));
        assert_eq!(by_bytes.lock().lines.len(), 1000 / 65);
    }

    #[tokio::test]
    async fn a_slow_follower_is_told_what_fell_out() {
        let ring = ring(1 << 20, 10, OPEN);
        let mut follower = Follower::new(Arc::clone(&ring), Start::Tail(5), AtEnd::Follow);
        write(&ring, "1\n2\n");
        assert_eq!(numbers(&follower.next().await.unwrap()), [1, 2]);
        write(&ring, &"x\n".repeat(50));
        let batch = follower.next().await.unwrap();
        assert_eq!(batch.dropped_count, 40);
        assert_eq!(numbers(&batch), (43..=52).collect::<Vec<_>>());
        ring.close();
        assert_eq!(follower.next().await, None);
    }

    #[tokio::test]
    async fn dropped_lines_are_reported_even_if_none_follows() {
        let rate = Rate {
            bytes_per_second: 0,
            burst_bytes: 130,
            resume_bytes: 1000,
        };
        let ring = ring(1 << 20, 1000, rate);
        let mut follower = Follower::new(Arc::clone(&ring), Start::Tail(0), AtEnd::Follow);
        write(&ring, &"x\n".repeat(7));
        let batch = follower.next().await.unwrap();
        assert_eq!((numbers(&batch), batch.dropped_count), (vec![1, 2], 5));
        write(&ring, &"x\n".repeat(3));
        let batch = follower.next().await.unwrap();
        assert_eq!((numbers(&batch), batch.dropped_count), (vec![], 3));
        ring.say("a", "server exited".to_owned());
        let batch = follower.next().await.unwrap();
        assert_eq!((numbers(&batch), batch.dropped_count), (vec![11], 0));
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_misses_and_doubles_nothing() {
        let ring = ring(1 << 20, 10, OPEN);
        write(&ring, &"x\n".repeat(12));
        let read = |start| {
            let mut follower = Follower::new(Arc::clone(&ring), start, AtEnd::Stop);
            async move { follower.next().await.unwrap_or_default() }
        };
        assert_eq!(numbers(&read(Start::After(10)).await), [11, 12]);
        assert_eq!(read(Start::After(1)).await.dropped_count, 1);
        assert_eq!(read(Start::After(12)).await, Batch::default());
        assert_eq!(read(Start::After(u64::MAX)).await, Batch::default());
        assert_eq!(numbers(&read(Start::Tail(2)).await), [11, 12]);
        assert_eq!(read(Start::Tail(usize::MAX)).await.dropped_count, 0);
    }

    #[tokio::test]
    async fn batches_are_bounded() {
        let ring = ring(1 << 24, 10_000, OPEN);
        write(&ring, &format!("{}\n", "x".repeat(16_000)).repeat(20));
        let mut follower = Follower::new(Arc::clone(&ring), Start::Tail(100), AtEnd::Stop);
        let mut total = 0;
        while let Some(batch) = follower.next().await {
            assert!(batch.lines.len() <= 5);
            assert_eq!(batch.dropped_count, 0);
            total += batch.lines.len();
        }
        assert_eq!(total, 20);
    }
}
