//! The model edge: bytes to typed chunks to operations.

pub mod parser;
