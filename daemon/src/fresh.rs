//! New ids and secrets: the one source of randomness.

use uuid::Uuid;

/// A new id, ordered by time (UUID version 7).
#[must_use]
pub fn id<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}

/// Thirty-two bytes from the operating system's generator.
#[must_use]
pub fn secret() -> [u8; 32] {
    rand::random()
}
