//! The preview gateway between real sockets and apps made for the purpose.

#![expect(clippy::unwrap_used, reason = "the support of tests is test code, too")]

mod flip;
mod limits;
mod pass;
mod sockets;
mod support;
mod waiting;
