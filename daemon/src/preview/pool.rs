//! Connections to a dev server that wait for their next request.

use std::sync::Mutex;
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::proxy::UpstreamBody;

/// How many wait at most; a browser opens six at a time.
const IDLE_MAX: usize = 16;

/// How long one waits at most: less than the 5 s after which Node closes them.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// The waiting connections of one project.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Held for moments only, by whoever takes or puts a connection.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Idle>,
    closed: bool,
}

#[derive(Debug)]
struct Idle {
    port: u16,
    since: Instant,
    sender: SendRequest<UpstreamBody>,
}

impl Pool {
    /// The connection to `port` that was used last. Whatever leads to other
    /// ports is closed: the preview has moved on.
    pub(super) fn take(&self, port: u16) -> Option<SendRequest<UpstreamBody>> {
        let mut state = self.lock();
        state.idle.retain(|idle| {
            idle.port == port && !idle.sender.is_closed() && idle.since.elapsed() < IDLE_TIME
        });
        let newest_ready = state.idle.iter().rposition(|idle| idle.sender.is_ready())?;
        Some(state.idle.remove(newest_ready).sender)
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, port: u16, sender: SendRequest<UpstreamBody>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.idle.len() >= IDLE_MAX {
            state.idle.remove(0);
        }
        state.idle.push(Idle {
            port,
            since: Instant::now(),
            sender,
        });
    }

    /// Closes the connections that do not lead to `port`.
    pub(super) fn keep_only(&self, port: Option<u16>) {
        self.lock().idle.retain(|idle| Some(idle.port) == port);
    }

    /// Closes all, and those that come back later.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
