//! Sandboxes on a real Docker engine. Without an engine, the base image or the
//! supervisor's binary these tests fail; they are never skipped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod adoption;
mod containment;
mod engine_down;
mod events;
mod image;
mod links;
mod removal;
mod round_trip;
mod support;
