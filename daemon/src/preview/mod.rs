//! The preview gateway: the daemon's own listener in front of each sandbox.
