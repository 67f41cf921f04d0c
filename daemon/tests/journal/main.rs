//! The journal and the store against a real Postgres.
//!
//! `KILN_TEST_DATABASE_URL` names a server on which databases may be made: each
//! test makes one of its own and drops it. The crash test makes a cluster of
//! its own from the Postgres binaries of the machine.

#![expect(clippy::unwrap_used, reason = "this is a test, helpers included")]

mod support;

mod ambiguity;
mod changed;
mod connect;
mod crash;
mod fencing;
mod merging;
mod recovery;
mod refusals;
mod resume;
mod store;
mod two_daemons;
mod watching;
