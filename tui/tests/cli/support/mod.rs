//! A daemon that does what a test needs, and the binary under test.

pub(crate) mod daemon;
pub(crate) mod events;
pub(crate) mod kiln;
mod services;

pub(crate) use daemon::{Daemon, Plan};
pub(crate) use kiln::Home;
