//! The managed Postgres with the real binaries of this machine: fresh,
//! adopted, killed, interrupted, refused.

#![expect(clippy::unwrap_used, reason = "the support of tests is test code, too")]

mod lifecycle;
mod refusals;
mod support;
