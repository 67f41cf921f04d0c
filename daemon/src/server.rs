//! Builds everything once, top to bottom, and runs it.
