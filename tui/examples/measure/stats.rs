//! Times, and what is said of many of them.

use std::time::Duration;

/// Times of the same thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Half of them are shorter.
    pub(crate) fn median(&self) -> Duration {
        self.of_hundred(50)
    }

    /// One of a hundred is longer.
    pub(crate) fn p99(&self) -> Duration {
        self.of_hundred(99)
    }

    /// The longest.
    pub(crate) fn worst(&self) -> Duration {
        self.of_hundred(100)
    }

    /// So many of a hundred are not longer; zero where there are none.
    fn of_hundred(&self, rank: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * rank).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// The same thing, in several turns. What else goes on in a machine spoils a turn
/// or two: the turn in the middle counts, and the others say how far it is off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<Times>);

impl Rounds {
    pub(crate) fn push(&mut self, times: Times) {
        self.0.push(times);
    }

    /// The median of the turn in the middle.
    pub(crate) fn median(&self) -> Duration {
        self.each(Times::median).median()
    }

    /// One of a hundred is longer, in the turn in the middle.
    pub(crate) fn p99(&self) -> Duration {
        self.each(Times::p99).median()
    }

    /// The same in the turn where it is longest.
    pub(crate) fn worst_p99(&self) -> Duration {
        self.each(Times::p99).worst()
    }

    fn each(&self, of: impl Fn(&Times) -> Duration) -> Times {
        Times(self.0.iter().map(of).collect())
    }
}

/// In milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
