//! Tells lines that are new from lines that came before, and the lives of a
//! sandbox apart. Numbers begin anew with each life; times do not.

/// What is known of the output so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lives {
    current: Option<Life>,
    /// The next line begins a life, whatever its number.
    begins: bool,
    /// Missing lines that were told of since the last line.
    told: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Life {
    first_nanos: i64,
    last_nanos: i64,
    last_number: i64,
}

/// What a line is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It came before.
    Repeated,
    /// It is the next one; so many are missing before it that nobody told of.
    Next { missing: u64 },
    /// The sandbox started again; so many are missing before it.
    Restarted { missing: u64 },
}

impl Lives {
    /// The next line begins a life.
    pub(super) fn begin(&mut self) {
        self.begins = self.current.is_some();
    }

    /// Lines are missing after the last one; gives those that are news.
    pub(super) fn missing(&mut self, count: u64) -> u64 {
        self.told += count;
        count
    }

    /// Judges a line; `dropped` says how many the daemon left out before it.
    pub(super) fn judge(&mut self, number: i64, nanos: i64, dropped: u64) -> Verdict {
        let first_of_life = Life {
            first_nanos: nanos,
            last_nanos: nanos,
            last_number: number,
        };
        let Some(life) = &mut self.current else {
            self.current = Some(first_of_life);
            let missing = dropped.saturating_sub(std::mem::take(&mut self.told));
            return Verdict::Next { missing };
        };
        if nanos < life.first_nanos && !self.begins {
            return Verdict::Repeated;
        }
        if self.begins || (number <= life.last_number && nanos > life.last_nanos) {
            self.begins = false;
            self.told = 0;
            self.current = Some(first_of_life);
            return Verdict::Restarted {
                missing: dropped.max(between(0, number)),
            };
        }
        if number <= life.last_number {
            return Verdict::Repeated;
        }
        // Lines are numbered before they are dropped: the gap is exact.
        let gap = between(life.last_number, number);
        life.last_number = number;
        life.last_nanos = life.last_nanos.max(nanos);
        let told = std::mem::take(&mut self.told);
        Verdict::Next {
            missing: gap.saturating_sub(told),
        }
    }
}

/// How many numbers are between two.
fn between(low: i64, high: i64) -> u64 {
    u64::try_from(high.saturating_sub(low).saturating_sub(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[(i64, i64)]) -> Lives {
        let mut lives = Lives::default();
        for &(number, nanos) in lines {
            lives.judge(number, nanos, 0);
        }
        lives
    }

    #[test]
    fn a_repeated_tail_is_told_from_a_new_life() {
        let mut lives = after(&[(7, 50), (8, 60)]);
        assert_eq!(lives.judge(7, 50, 0), Verdict::Repeated);
        assert_eq!(lives.judge(9, 61, 0), Verdict::Next { missing: 0 });
        assert_eq!(lives.judge(1, 70, 0), Verdict::Restarted { missing: 0 });
        assert_eq!(
            lives.judge(9, 61, 0),
            Verdict::Repeated,
            "of the life before"
        );
        assert_eq!(lives.judge(2, 70, 0), Verdict::Next { missing: 0 });
        assert_eq!(lives.judge(1, 70, 0), Verdict::Repeated);
    }

    #[test]
    fn a_gap_counts_once_however_it_is_told() {
        let mut lives = after(&[(1, 10)]);
        assert_eq!(lives.judge(5, 20, 3), Verdict::Next { missing: 3 });
        assert_eq!(lives.missing(2), 2);
        assert_eq!(lives.judge(9, 30, 0), Verdict::Next { missing: 1 });
        assert_eq!(lives.judge(4, 40, 0), Verdict::Restarted { missing: 3 });
    }

    #[test]
    fn the_tail_that_was_asked_for_is_no_gap() {
        let mut lives = Lives::default();
        assert_eq!(lives.judge(801, 10, 0), Verdict::Next { missing: 0 });
        let mut lives = Lives::default();
        assert_eq!(lives.judge(801, 10, 4), Verdict::Next { missing: 4 });
    }

    #[test]
    fn a_clock_that_goes_back_loses_no_line_of_a_life_that_was_announced() {
        let mut lives = after(&[(7, 50)]);
        lives.begin();
        assert_eq!(lives.judge(1, 20, 0), Verdict::Restarted { missing: 0 });
    }
}
