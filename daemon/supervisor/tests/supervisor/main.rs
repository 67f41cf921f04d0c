//! The real binary, over its real socket, with real processes in a temporary
//! directory. What only a container shows is tested with the daemon.
#![expect(clippy::unwrap_used, reason = "this is all tests")]

mod connecting;
mod copying;
mod logs;
mod planted;
mod processes;
mod steps;
mod support;
mod tcp;
mod uploads;
