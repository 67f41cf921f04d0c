//! The command line as its users see it: the real binary, in a home of its own,
//! against a daemon that does what each test needs.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod support;

mod auth;
mod files;
mod generate;
mod link;
mod projects;
mod provider;
mod resume;
mod streams;
mod usage;
