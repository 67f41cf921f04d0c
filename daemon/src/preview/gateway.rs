//! The listeners of all projects: opened, moved on, closed.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listener;
use super::pool::Pool;
use super::target::{Target, Targets};
use super::tunnel::Tunnels;
use crate::domain::id::ProjectId;

/// How much the gateway takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections from browsers to one project; more are turned away with 503.
    pub connections_per_project: usize,
    /// Connections from browsers to all projects.
    pub connections: usize,
    /// Until the headers of a request have come. A connection that waits for
    /// its next request is closed after the same time.
    pub header_time: Duration,
    /// Bytes of the headers of a request, or of an answer.
    pub header_bytes: usize,
    /// Until a connection to the app is open.
    pub connect_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_project: 256,
            connections: 2048,
            header_time: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            connect_time: Duration::from_secs(10),
        }
    }
}

/// The gateway. Dropping it leaves its listeners running; [`Gateway::shutdown`]
/// ends them.
pub struct Gateway<T> {
    shared: Arc<Shared<T>>,
    /// The open listeners. Held while one is opened, so that two never race for
    /// one port.
    projects: Mutex<HashMap<ProjectId, Arc<Project>>>,
}

/// What every connection needs.
pub(super) struct Shared<T> {
    pub(super) targets: T,
    pub(super) limits: Limits,
    /// A permit for every connection from a browser, tunnels included.
    pub(super) connections: Arc<Semaphore>,
    /// Everything that runs here.
    pub(super) tasks: TaskTracker,
    /// No new work: listeners close, connections end after their request.
    stop: CancellationToken,
    /// Now.
    pub(super) kill: CancellationToken,
}

/// One project's listener and what goes through it.
pub(super) struct Project {
    pub(super) id: ProjectId,
    pub(super) address: SocketAddr,
    pub(super) pool: Pool,
    pub(super) tunnels: Tunnels,
    pub(super) connections: Arc<Semaphore>,
    /// The project's own part of the gateway's `stop`.
    pub(super) stop: CancellationToken,
}

impl<T: Targets> Gateway<T> {
    /// A gateway without listeners.
    pub fn new(targets: T, limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                targets,
                limits,
                connections: Arc::new(Semaphore::new(limits.connections)),
                tasks: TaskTracker::new(),
                stop: CancellationToken::new(),
                kill: CancellationToken::new(),
            }),
            projects: Mutex::new(HashMap::new()),
        }
    }

    /// Makes sure that the project's listener is open on `port`, or with 0 on
    /// any, and says where. The same port also answers on `[::1]` where that is
    /// free. A listener of the project on another port is closed.
    ///
    /// # Errors
    /// `AddrInUse` when another program has the port, others when the system has
    /// no more to give; `ConnectionAborted` after [`Gateway::shutdown`].
    pub async fn ensure(&self, project: ProjectId, port: u16) -> io::Result<SocketAddr> {
        let mut projects = self.projects.lock().await;
        if self.shared.stop.is_cancelled() {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the preview gateway is shutting down",
            ));
        }
        if let Some(open) = projects.get(&project)
            && (port == 0 || open.address.port() == port)
        {
            return Ok(open.address);
        }
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = first.local_addr()?;
        let second = match TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await {
            Ok(second) => Some(second),
            Err(error) => {
                tracing::debug!(%address, %error, "no preview on [::1]");
                None
            }
        };
        let opened = Arc::new(Project {
            id: project,
            address,
            pool: Pool::default(),
            tunnels: Tunnels::default(),
            connections: Arc::new(Semaphore::new(self.shared.limits.connections_per_project)),
            stop: self.shared.stop.child_token(),
        });
        for socket in [Some(first), second].into_iter().flatten() {
            let accepting = listener::accept(Arc::clone(&self.shared), Arc::clone(&opened), socket);
            self.shared.tasks.spawn(accepting);
        }
        if let Some(moved) = projects.insert(project, opened) {
            moved.close();
        }
        Ok(address)
    }

    /// Closes the project's listener and its sockets; requests that are being
    /// answered end as they would.
    pub async fn remove(&self, project: ProjectId) {
        if let Some(removed) = self.projects.lock().await.remove(&project) {
            removed.close();
        }
    }

    /// Says that the project shows something else now. Its WebSockets to what it
    /// showed before are cut, which makes pages with hot reload load anew.
    pub async fn preview_changed(&self, project: ProjectId) {
        let Some(open) = self.projects.lock().await.get(&project).cloned() else {
            return;
        };
        let port = match self.shared.targets.target(project).await {
            Target::Ready { port, .. } => Some(port),
            Target::Waiting(_) => None,
        };
        open.pool.keep_only(port);
        open.tunnels.keep_only(port);
    }

    /// Closes all listeners and sockets at once, lets answers go on for `grace`,
    /// and cuts what is left.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stop.cancel();
        for (_, project) in self.projects.lock().await.drain() {
            project.close();
        }
        self.shared.tasks.close();
        if tokio::time::timeout(grace, self.shared.tasks.wait())
            .await
            .is_err()
        {
            let left = self.shared.tasks.len();
            tracing::info!(left, "cutting previews that did not end");
            self.shared.kill.cancel();
            self.shared.tasks.wait().await;
        }
    }
}

impl Project {
    fn close(&self) {
        self.stop.cancel();
        self.pool.close();
    }
}
