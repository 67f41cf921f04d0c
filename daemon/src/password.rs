//! Password hashing: argon2id, bounded.
