//! Cuts bytes into lines and lets no more through than a budget allows. What is
//! beyond it is counted, exactly, and costs no allocation.

use std::time::{Duration, Instant};

/// Longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 16 << 10;
/// What a line costs beside its text, in bytes: about what it takes in memory
/// and in a message. Without it a flood of empty lines would be free.
pub const LINE_COST: usize = 64;

/// How much may pass: so many bytes a second, and some more at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes_per_second: u32,
    /// Bytes at once after a quiet time.
    pub burst_bytes: u32,
    /// After it ran out, nothing passes until so many bytes are there again: what
    /// is read should be stretches of lines rather than single ones.
    pub resume_bytes: u32,
}

/// A budget of bytes. The clock comes from outside.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    /// May go below nothing by one line.
    tokens: f64,
    filled_at: Instant,
    is_open: bool,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: f64::from(rate.burst_bytes),
            filled_at: now,
            is_open: true,
        }
    }

    /// Adds what has come in since the last time.
    pub fn fill(&mut self, now: Instant) {
        let elapsed = now
            .checked_duration_since(self.filled_at)
            .unwrap_or(Duration::ZERO);
        self.filled_at = now;
        self.tokens += elapsed.as_secs_f64() * f64::from(self.rate.bytes_per_second);
        self.tokens = self.tokens.min(f64::from(self.rate.burst_bytes));
        if self.tokens >= f64::from(self.rate.resume_bytes) {
            self.is_open = true;
        }
    }

    /// Whether a line may pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    fn spend(&mut self, line_bytes: usize) {
        let cost = u32::try_from(line_bytes + LINE_COST).unwrap_or(u32::MAX);
        self.tokens -= f64::from(cost);
        if self.tokens <= 0.0 {
            self.is_open = false;
        }
    }
}

/// Takes lines and the number of those that were dropped, in order.
pub trait LineSink {
    /// A line, without its end.
    fn line(&mut self, text: String);
    /// So many lines were dropped here.
    fn dropped(&mut self, count: u64);
}

/// Cuts one stream of bytes into lines.
#[derive(Debug, Default)]
pub struct LineCutter {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// Whether the line that is being read began when nothing could pass.
    skips: bool,
}

impl LineCutter {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8], budget: &mut Budget, sink: &mut impl LineSink) {
        while !bytes.is_empty() {
            if !budget.is_open() {
                self.skip_all(bytes, sink);
                return;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = match end {
                Some(end) => (&bytes[..end], &bytes[end + 1..]),
                None => (bytes, &bytes[..0]),
            };
            bytes = rest;
            if self.skips {
                if end.is_some() {
                    sink.dropped(1);
                    self.skips = false;
                }
                continue;
            }
            // One byte more than fits, so that the cut shows.
            let room = (MAX_LINE_BYTES + 1).saturating_sub(self.partial.len());
            self.partial
                .extend_from_slice(&line[..line.len().min(room)]);
            if end.is_some() {
                self.pass(budget, sink);
            }
        }
    }

    /// Takes the end of the stream.
    pub fn finish(&mut self, budget: &mut Budget, sink: &mut impl LineSink) {
        if self.skips {
            self.skips = false;
            sink.dropped(1);
        } else if !self.partial.is_empty() {
            self.pass(budget, sink);
        }
    }

    fn pass(&mut self, budget: &mut Budget, sink: &mut impl LineSink) {
        let line = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        let mut text = String::from_utf8_lossy(line).into_owned();
        if text.len() > MAX_LINE_BYTES {
            text.truncate(text.floor_char_boundary(MAX_LINE_BYTES));
        }
        self.partial.clear();
        budget.spend(text.len());
        sink.line(text);
    }

    fn skip_all(&mut self, bytes: &[u8], sink: &mut impl LineSink) {
        let count = bytes.iter().filter(|byte| **byte == b'\n').count();
        // The first of them ends what was begun before.
        self.partial.clear();
        self.skips = match bytes.last() {
            Some(last) => *last != b'\n',
            None => self.skips,
        };
        if count > 0 {
            sink.dropped(count as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        bytes_per_second: 1000,
        burst_bytes: 2000,
        resume_bytes: 500,
    };

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        lines: Vec<String>,
        dropped: u64,
    }

    impl LineSink for Seen {
        fn line(&mut self, text: String) {
            self.lines.push(text);
        }
        fn dropped(&mut self, count: u64) {
            self.dropped += count;
        }
    }

    fn cut(input: &[u8], piece: usize, rate: Rate) -> Seen {
        let (mut cutter, mut seen) = (LineCutter::default(), Seen::default());
        let mut budget = Budget::new(rate, Instant::now());
        for bytes in input.chunks(piece) {
            cutter.feed(bytes, &mut budget, &mut seen);
        }
        cutter.finish(&mut budget, &mut seen);
        seen
    }

    const WIDE: Rate = Rate {
        bytes_per_second: 0,
        burst_bytes: u32::MAX,
        resume_bytes: u32::MAX,
    };

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let input = "one\ntwo\r\n\nünïcode \u{1f600}\nlast".as_bytes();
        let expected = ["one", "two", "", "ünïcode \u{1f600}", "last"];
        for piece in 1..=input.len() {
            assert_eq!(cut(input, piece, WIDE).lines, expected, "{piece}");
        }
    }

    #[test]
    fn long_lines_are_cut_and_wrong_bytes_replaced() {
        let mut input = vec![0xff; 3 * MAX_LINE_BYTES];
        input.push(b'\n');
        input.extend(vec![b'x'; MAX_LINE_BYTES + 1]);
        input.push(b'\n');
        input.extend(b"a\xffb");
        let seen = cut(&input, 1000, WIDE);
        assert_eq!(seen.lines.len(), 3);
        assert_eq!(seen.dropped, 0);
        assert!(seen.lines[0].len() <= MAX_LINE_BYTES);
        assert_eq!(seen.lines[1], "x".repeat(MAX_LINE_BYTES));
        assert_eq!(seen.lines[2], "a\u{fffd}b");
    }

    #[test]
    fn every_line_is_either_passed_or_counted() {
        for total in [1, 26, 27, 100, 5000] {
            for piece in [1, 3, 64, 65536] {
                for ending in ["", "tail"] {
                    let input = "0123456789\n".repeat(total) + ending;
                    let seen = cut(input.as_bytes(), piece, RATE);
                    let lines = seen.lines.len() as u64 + seen.dropped;
                    let expected = total as u64 + u64::from(!ending.is_empty());
                    assert_eq!(lines, expected, "{total} {piece} {ending}");
                    // 2000 bytes are 27 lines of 10 and 64.
                    assert!(seen.lines.len() <= 28, "{}", seen.lines.len());
                }
            }
        }
    }

    #[test]
    fn a_budget_opens_again_when_there_is_enough() {
        let start = Instant::now();
        let mut budget = Budget::new(RATE, start);
        budget.spend(5000);
        assert!(!budget.is_open());
        budget.fill(start + Duration::from_millis(3000));
        assert!(!budget.is_open());
        budget.fill(start + Duration::from_millis(3600));
        assert!(budget.is_open());
        budget.fill(start + Duration::from_secs(1000));
        assert!(budget.tokens <= 2000.0);
    }
}
