//! The command line as its users see it: the real binary, in a home of its own,
//! against a daemon that does what each test needs.

mod support;

mod auth;
mod files;
mod generate;
mod projects;
mod resume;
mod streams;
mod usage;
