//! Directories, ports and variables of one deployment, its daemon, and the
//! command line against it. Everything is taken away at the end, however a test
//! ends, by the deployment's own `kilnd stop` and `kilnd purge`.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use rand::RngExt;
use serde_json::Value;

use super::database::Database;
use super::{Daemon, Ran, docker};

/// Preview ports of a deployment; the last is never given out, but held.
const PORTS: u16 = 10;

/// A deployment, empty at first.
pub(crate) struct Deployment {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
    daemon: Option<Daemon>,
    /// Held so that no other test takes the same preview ports.
    _guard: TcpListener,
    database: Option<Database>,
}

/// A project whose app is shown.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) project: String,
    pub(crate) revision: String,
    pub(crate) url: String,
}

impl Deployment {
    /// With a Postgres of its own, which the daemon keeps.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("kiln-whole-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let (guard, first) = preview_ports();
        let mut this = Self {
            dir,
            variables: Vec::new(),
            daemon: None,
            _guard: guard,
            database: None,
        };
        for name in ["PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"] {
            if let Ok(value) = std::env::var(name) {
                this.set(name, value);
            }
        }
        let path = |name: &str| this.dir.path().join(name).display().to_string();
        let own = [
            ("HOME", path("home")),
            ("KILN_DATA_DIR", path("data")),
            ("KILN_RUNTIME_DIR", path("run")),
            ("KILN_LISTEN_TCP", "127.0.0.1:0".into()),
            ("KILN_LOG_FORMAT", "json".into()),
            ("KILN_LOG_LEVEL", "info".into()),
            ("KILN_MODEL_DEMO_SPEED", "0".into()),
            ("KILN_PREVIEW_PORT_FIRST", first.to_string()),
            ("KILN_PREVIEW_PORT_LAST", (first + PORTS - 2).to_string()),
            ("KILN_SANDBOX_SUPERVISOR", supervisor()),
        ];
        for (name, value) in own {
            this.set(name, value);
        }
        this
    }

    /// On a fresh database of the server that the tests are given.
    pub(crate) async fn on_a_server() -> Self {
        let mut this = Self::new();
        let database = Database::new().await;
        this.set("DATABASE_URL", &database.url);
        // That server may be one that forgets what it was told.
        this.set("KILN_TEST_UNSAFE_DURABILITY", "1");
        this.database = Some(database);
        this
    }

    /// Sets a variable for everything that is started from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// What a variable is set to.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(known, _)| known == name);
        &found.expect("it is set").1
    }

    /// The database of a deployment on a server.
    pub(crate) fn database_url(&self) -> &str {
        &self.database.as_ref().expect("it has one").url
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/kilnd.sock")
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon was started")
    }

    /// Starts the daemon and waits until it serves.
    pub(crate) async fn start(&mut self) {
        assert!(self.daemon.is_none(), "one is enough");
        self.daemon = Some(Daemon::start(self.kilnd(&[])).await);
        docker::note_deployment(&self.label());
    }

    /// Takes the daemon for a test that ends it itself.
    pub(crate) fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("the daemon was started")
    }

    /// Ends the daemon as nothing should be ended.
    pub(crate) async fn kill(&mut self) {
        let mut daemon = self.take_daemon();
        daemon.signal(Signal::SIGKILL);
        daemon.ended().await;
    }

    /// Ends the daemon as it wants to be ended; its sandboxes go on.
    pub(crate) async fn terminate(&mut self) {
        let mut daemon = self.take_daemon();
        daemon.signal(Signal::SIGTERM);
        let ended = daemon.ended().await;
        assert_eq!(ended.code(), Some(0), "{}", daemon.log());
    }

    /// `kilnd` with these arguments, not started.
    pub(crate) fn kilnd(&self, arguments: &[&str]) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_kilnd")), arguments)
    }

    /// `kiln` with these arguments, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(&kiln(), arguments)
    }

    /// Runs `kilnd` to its end.
    pub(crate) async fn run_kilnd(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.kilnd(arguments).into()).await
    }

    /// Runs `kiln` to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).into()).await
    }

    /// Any other program with the variables of this deployment.
    pub(crate) fn program(&self, path: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path().join("home"));
        command
    }

    /// Carries a prompt to an app by `kiln new`.
    pub(crate) async fn app(&self, prompt: &str, model: &str) -> App {
        let ran = self.run(&["new", prompt, "--model", model, "--json"]).await;
        ready(&ran.ended(0).last())
    }

    /// The deployment's id: the label of all that it makes.
    pub(crate) fn label(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("data/deployment")).unwrap()
    }

    /// Files of the newest revision of the newest project: path and SHA-256.
    pub(crate) async fn files(&self) -> Vec<(String, String)> {
        let ran = self.run(&["files", "--json"]).await.ended(0);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ran.objects()
            .iter()
            .filter(|object| object["type"] == "file")
            .map(|file| (text(&file["path"]), text(&file["sha256"])))
            .collect()
    }

    /// Programs that run and name a path of this deployment.
    pub(crate) fn processes(&self) -> Vec<String> {
        let dir = self.dir.path().display().to_string();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&dir))
            .collect()
    }
}

/// What a result says of an app that is ready.
#[track_caller]
pub(crate) fn ready(result: &Value) -> App {
    assert_eq!(result["type"], "result", "{result}");
    assert_eq!(result["outcome"], "READY", "{result}");
    let text = |key: &str| result[key].as_str().unwrap().to_owned();
    App {
        project: text("project_id"),
        revision: text("revision_id"),
        url: text("preview_url"),
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let daemon = self.daemon.take();
        if failed && let Some(daemon) = &daemon {
            eprintln!("kilnd said:\n{}", daemon.log());
        }
        let label = std::fs::read_to_string(self.dir.path().join("data/deployment"));
        if !self.dir.path().join("data").exists() {
            // No daemon came as far as that.
            return;
        }
        // If the daemon still runs, it does no longer.
        let stopped = self.kilnd(&["stop"]).output().unwrap();
        let purged = self.kilnd(&["purge"]).output().unwrap();
        drop(daemon);
        if failed {
            return;
        }
        let said = String::from_utf8_lossy(&stopped.stderr);
        assert!(stopped.status.success(), "stop: {said}");
        let said = String::from_utf8_lossy(&purged.stderr);
        assert!(purged.status.success(), "purge: {said}");
        if let Ok(label) = label {
            assert_eq!(docker::labelled(&label), Vec::<String>::new(), "{said}");
        }
        assert_eq!(self.processes(), Vec::<String>::new(), "{said}");
    }
}

/// `kiln` is a program of another crate: cargo does not build it for these tests.
fn kiln() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_kilnd")).with_file_name("kiln");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace` first, as scripts/test does",
        path.display()
    );
    path
}

fn supervisor() -> String {
    let path = std::env::var("KILN_TEST_SUPERVISOR").expect(
        "KILN_TEST_SUPERVISOR names the static kiln-supervisor binary; scripts/test sets it",
    );
    assert!(
        Path::new(&path).is_file(),
        "KILN_TEST_SUPERVISOR: no file at {path}"
    );
    path
}

/// A block of ports below those that the system gives out, and what holds it.
fn preview_ports() -> (TcpListener, u16) {
    for _ in 0..100 {
        let first = 20_000 + PORTS * rand::rng().random_range(0..1_000);
        if let Ok(guard) = TcpListener::bind(("127.0.0.1", first + PORTS - 1)) {
            return (guard, first);
        }
    }
    panic!("no block of {PORTS} ports is free");
}
