//! The full-screen client in one process: keys and the daemon's own messages go
//! in, the bytes for the terminal come out. No IO, no network, no clock.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod support;

mod hostile;
mod navigation;
mod overlays;
mod prompt;
mod random;
mod snapshots;
mod streams;
