//! Templates: what a new project starts from.
