//! The words of Kiln and the rules that hold between them.
//!
//! Nothing here does IO, reads a clock or draws a random number, and nothing
//! names a framework: values come in as arguments.

pub mod account;
pub mod credential;
pub mod error;
pub mod event;
pub mod generation;
pub mod id;
pub mod operation;
pub mod path;
pub mod project;
pub mod revision;
pub mod sandbox;
pub mod text;
pub mod tree;

pub use error::{Error, Result};
