//! Anything in any order: 100,000 keys, clicks, pastes, sizes and messages of the
//! daemon. Nothing panics, every state draws, and only own bytes are written.
//!
//! A failure says its seed; `KILN_TEST_SEED=1234 cargo nextest run -p kiln-tui
//! screen::random` runs that one too, and says what was done last.

mod anything;
mod drawn;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::anything::Run;
use self::drawn::Drawn;

/// Steps of one run; ten runs are 100,000.
const STEPS: usize = 10_000;

#[allow(clippy::print_stderr, reason = "a failure says how to do it again")]
fn run(seed: u64, drawn: &mut Drawn) {
    let mut run = Run::new(seed);
    let mut at = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for step in 0..STEPS {
            at = step;
            run.step();
            run.draw(drawn);
        }
    }));
    if let Err(panic) = outcome {
        eprintln!("KILN_TEST_SEED={seed} failed at step {at}, after:");
        for what in &run.last {
            eprintln!("  {what}");
        }
        eprintln!("at {:?}", run.client.model.size);
        resume_unwind(panic);
    }
}

fn runs(seeds: std::ops::Range<u64>) {
    let mut drawn = Drawn::default();
    for seed in seeds {
        run(seed, &mut drawn);
    }
    let never = drawn.never();
    assert!(never.is_empty(), "never drawn: {never:?}");
}

#[test]
fn anything_in_any_order() {
    runs(0..5);
}

#[test]
fn anything_in_another_order() {
    runs(5..10);
}

/// The seed of the environment, for looking for more and for looking again.
#[test]
fn anything_in_the_order_that_is_asked_for() {
    let seed = std::env::var("KILN_TEST_SEED").map_or(10, |seed| seed.parse().unwrap());
    run(seed, &mut Drawn::default());
}
