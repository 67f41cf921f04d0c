//! The preview gateway: the daemon's own listener in front of each sandbox.
//!
//! Every project has one loopback address that stays the same. Behind it the
//! gateway asks at each request what there is to show ([`Targets`]) and passes
//! HTTP and WebSockets on, or shows the steps that are being taken.
//!
//! It refuses to listen beyond loopback, to answer to a host name that is not
//! its own (a web page elsewhere could otherwise read the app by DNS rebinding),
//! to hold bodies in memory, to read what it passes on, and to decide what is
//! shown or when: that is for whoever implements [`Targets`].

mod access;
mod gateway;
mod headers;
mod listener;
mod page;
mod pool;
mod proxy;
mod status;
mod target;
mod tunnel;

pub use gateway::{Gateway, Limits};
pub use target::{BoxedIo, Io, StepState, Target, Targets, WaitingPage, WaitingStep};

/// The address of a preview on this machine.
#[must_use]
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}
