//! Use cases: what happens, in which order. Nothing here names tonic.

pub mod context;
