//! Accounts against a real Postgres: use cases and the API in front of them.
//! Needs `KILN_TEST_DATABASE_URL`, a server where databases may be created.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what helpers of tests do when something fails"
)]

mod gate;
mod secrets;
mod sessions;
mod sign_in;
mod sign_up;
mod support;
mod throttle;
mod tokens;
