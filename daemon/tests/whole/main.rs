//! The whole: the real `kilnd` and `kiln` as processes, a real Postgres, a real
//! Docker engine, a real browser. What is missing fails a test; nothing is ever
//! skipped.
//!
//! Needed: `cargo build --workspace` (for `kiln`), the base image, Chromium, and
//! `KILN_TEST_SUPERVISOR` and `KILN_TEST_DATABASE_URL`; `scripts/test` sees to
//! all of it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod support;

mod browser;
mod cancelling;
mod cleaning_up;
mod client;
mod command_line;
mod database;
mod failing_model;
mod going_down;
mod killed;
mod main_job;
mod projects;
mod provider;
mod secrets;
