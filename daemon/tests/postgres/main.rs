//! The managed Postgres with the real binaries of this machine: fresh,
//! adopted, killed, interrupted, refused.

mod lifecycle;
mod refusals;
mod support;
