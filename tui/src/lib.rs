//! `kiln`: the client of `kilnd`, for people and for scripts.
//!
//! A tour, from the outside in:
//!
//! - [`cli`] is the command line: arguments, commands, and what is printed.
//! - [`client`] talks to the daemon, and is the only place that names tonic.
//! - [`config`] reads the configuration file and the environment, once.
//! - [`sanitise`] takes the control characters out of text that others wrote.
//!
//! The full-screen client is one loop around plain data:
//!
//! - [`runtime`] turns what happens into a [`msg`], draws, and does each [`effect`].
//! - [`update`] changes the [`model`]; [`view`] draws it. Both are pure.
//! - [`ingest`] cleans what comes from the daemon, where it comes in.
//! - [`keymap`] says which key does what; [`text`] is what can be drawn.
//! - [`terminal`] takes the terminal and gives it back.
//!
//! What this crate refuses to do: it knows nothing of the daemon but its
//! schema, and it never lets a byte that somebody else chose steer the terminal.

pub mod cli;
pub mod client;
pub mod config;
pub mod effect;
pub mod failure;
pub mod ingest;
pub mod keymap;
pub mod model;
pub mod msg;
pub mod runtime;
pub mod sanitise;
pub mod terminal;
pub mod text;
pub mod update;
pub mod view;
