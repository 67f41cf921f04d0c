//! How long to wait before the next try: a pure function. It keeps no state,
//! reads no clock and draws no random number.

use std::time::Duration;

/// The shortest wait.
pub const FLOOR: Duration = Duration::from_millis(250);

/// The longest wait.
pub const CEILING: Duration = Duration::from_secs(5);

/// The wait before try number `attempt` (0 is the first try after a failure).
///
/// The upper bound doubles from 0.5 s to [`CEILING`]; the wait lies in its
/// upper half, so that clients that lost the same daemon come back spread out.
/// `random` is uniform in 0..1; what lies outside is taken to the nearest bound.
#[must_use]
pub fn delay(attempt: u32, random: f64) -> Duration {
    let doubled = FLOOR.saturating_mul(2u32.saturating_pow(attempt.saturating_add(1)));
    let upper = doubled.min(CEILING);
    let lower = upper / 2;
    let random = if random.is_finite() {
        random.clamp(0.0, 1.0)
    } else {
        0.0
    };
    lower + (upper - lower).mul_f64(random)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grows_from_the_floor_to_the_ceiling_and_stays() {
        let lowest: Vec<_> = (0..6).map(|n| delay(n, 0.0).as_millis()).collect();
        let highest: Vec<_> = (0..6).map(|n| delay(n, 1.0).as_millis()).collect();
        assert_eq!(lowest, [250, 500, 1000, 2000, 2500, 2500]);
        assert_eq!(highest, [500, 1000, 2000, 4000, 5000, 5000]);
    }

    proptest! {
        #[test]
        fn never_outside_its_bounds(attempt in any::<u32>(), random in any::<f64>()) {
            let wait = delay(attempt, random);
            prop_assert!(wait >= FLOOR && wait <= CEILING, "{wait:?}");
        }

        #[test]
        fn never_shorter_for_a_later_try(attempt in 0u32..64, random in 0.0f64..1.0) {
            prop_assert!(delay(attempt + 1, random) >= delay(attempt, random));
        }
    }
}
