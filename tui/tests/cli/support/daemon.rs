//! The daemon of the tests: its state, and its life on a socket.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use kiln_proto::v1 as pb;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::services::Services;

/// What one opening of a watch does before it breaks.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Sends this many events, then this status.
    Fail(usize, Code),
    /// Sends this many events, then ends as if all had been sent.
    End(usize),
    /// Sends everything twice.
    Repeat,
    /// Leaves this sequence out.
    Skip(i64),
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) projects: Vec<pb::Project>,
    pub(crate) log: Vec<pb::Event>,
    /// Appended to the log when a generation starts.
    pub(crate) answer: Vec<pb::Event>,
    /// Whether CancelGeneration ends the generation.
    pub(crate) cancel_ends: bool,
    pub(crate) plans: VecDeque<Plan>,
    /// Errors of methods, once each, in order.
    pub(crate) errors: HashMap<&'static str, VecDeque<Status>>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) log_lines: Vec<pb::LogLine>,
    pub(crate) revisions: Vec<pb::Revision>,
    pub(crate) models: Vec<pb::Model>,
    pub(crate) archive: Vec<u8>,
    /// Credentials that are taken.
    pub(crate) tokens: Vec<String>,
    /// Whether SignInLocal works.
    pub(crate) local: bool,
    pub(crate) passwords: HashMap<String, String>,
    /// Names of the methods that were called, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) started: Vec<pb::StartGenerationRequest>,
    pub(crate) watched: Vec<pb::WatchProjectRequest>,
    pub(crate) sign_ups: Vec<pb::SignUpRequest>,
    pub(crate) local_endpoints: Vec<pb::LocalEndpoint>,
    pub(crate) providers_set: Vec<pb::SetProviderRequest>,
}

/// What every service sees.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) changed: Arc<tokio::sync::watch::Sender<u64>>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn append(&self, events: impl IntoIterator<Item = pb::Event>) {
        {
            let mut state = self.lock();
            for mut event in events {
                event.sequence = i64::try_from(state.log.len()).unwrap() + 1;
                state.log.push(event);
            }
        }
        self.changed.send_modify(|n| *n += 1);
    }
}

enum Listen {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A daemon on a unix socket or a port. Dropping it is `kill -9`.
pub(crate) struct Daemon {
    pub(crate) shared: Shared,
    listen: Listen,
    runtime: Option<Runtime>,
}

impl Daemon {
    /// On a socket in a directory.
    pub(crate) fn unix(dir: &Path) -> Self {
        Self::start(Listen::Unix(dir.join("kilnd.sock")))
    }

    /// On a loopback port.
    pub(crate) fn tcp() -> Self {
        Self::start(Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    fn start(listen: Listen) -> Self {
        let (changed, _) = tokio::sync::watch::channel(0);
        let state = State {
            local: true,
            cancel_ends: true,
            tokens: vec!["kiln_s_good".into()],
            ..State::default()
        };
        let mut daemon = Self {
            shared: Shared {
                state: Arc::new(Mutex::new(state)),
                changed: Arc::new(changed),
            },
            listen,
            runtime: None,
        };
        daemon.restart();
        daemon
    }

    /// Kills it, with every connection.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Starts it where it was; it listens when this returns.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router = Services::router(Server::builder(), &self.shared);
        match &mut self.listen {
            Listen::Unix(path) => {
                let _ = std::fs::remove_file(&path);
                let listener = runtime
                    .block_on(async { UnixListener::bind(&path) })
                    .unwrap();
                let incoming = UnixListenerStream::new(listener);
                runtime.spawn(router.serve_with_incoming(incoming));
            }
            Listen::Tcp(address) => {
                let listener = runtime.block_on(TcpListener::bind(*address)).unwrap();
                *address = listener.local_addr().unwrap();
                let incoming = TcpListenerStream::new(listener);
                runtime.spawn(router.serve_with_incoming(incoming));
            }
        }
        self.runtime = Some(runtime);
    }

    /// What goes after `--server`.
    pub(crate) fn address(&self) -> String {
        match &self.listen {
            Listen::Unix(path) => format!("unix:{}", path.display()),
            Listen::Tcp(address) => format!("http://{address}"),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// The next call of a method fails like this.
    pub(crate) fn fail(&self, method: &'static str, status: Status) {
        self.state()
            .errors
            .entry(method)
            .or_default()
            .push_back(status);
    }

    /// A project that is there from the start.
    pub(crate) fn project(&self, name: &str) -> pb::Project {
        let mut state = self.state();
        let project = pb::Project {
            id: format!("0193a7c2-0000-7000-8000-{:012}", state.projects.len() + 1),
            name: name.into(),
            ..pb::Project::default()
        };
        state.projects.push(project.clone());
        project
    }

    /// Names of the methods that were called.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A status as the daemon makes them.
pub(crate) fn refusal(code: Code, reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "kiln", []);
    Status::with_error_details(code, message, details)
}
