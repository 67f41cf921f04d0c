//! `kiln`: the client of `kilnd`, for people and for scripts.
//!
//! A tour, from the outside in:
//!
//! - [`cli`] is the command line: arguments, commands, and what is printed.
//! - [`client`] talks to the daemon, and is the only place that names tonic.
//! - [`config`] reads the configuration file and the environment, once.
//! - [`ingest`] makes what the daemon sends into what the model keeps, clean.
//! - [`model`] is what the full-screen client knows, and what changes it.
//! - [`text`] is text that is ready to be drawn: rows of pieces with a meaning.
//! - [`sanitise`] takes the control characters out of text that others wrote.
//!
//! What this crate refuses to do: it knows nothing of the daemon but its
//! schema, and it never lets a byte that somebody else chose steer the terminal.

pub mod cli;
pub mod client;
pub mod config;
pub mod ingest;
pub mod model;
pub mod sanitise;
pub mod text;
