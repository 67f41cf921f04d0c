//! Going down: refuse, finish, end, close, within a grace period.
