//! The preview gateway: the daemon's own listener in front of each sandbox.

/// The address of a preview on this machine.
#[must_use]
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}
