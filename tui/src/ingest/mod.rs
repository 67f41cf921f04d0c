//! What comes from the daemon, made into what the model keeps: converted, and
//! cleaned of everything that could steer the terminal.
//!
//! - [`log`]: lines of a sandbox and of the steps.

pub mod log;
