//! A deployment of its own for each test, taken away at its end, however it ends.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use kiln_daemon::config::{SandboxConfig, SandboxNetwork};
use kiln_daemon::domain::id::{RevisionId, SandboxId};
use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::{
    Before, ContainerId, Engine, LogBatch, OutputStream, PreparedImage, SandboxError, StepExit,
    Supervisor, TcpTunnel, TemplateImage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use uuid::Uuid;

/// Nothing in these tests takes longer, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Deployment {
    pub(crate) engine: Engine,
    pub(crate) label: String,
    pub(crate) config: SandboxConfig,
    image: tokio::sync::OnceCell<PreparedImage>,
}

/// A sandbox that runs.
pub(crate) struct Running {
    pub(crate) id: SandboxId,
    pub(crate) container: ContainerId,
    pub(crate) supervisor: Supervisor,
}

/// What a step said and how it ended.
pub(crate) struct Ran {
    pub(crate) exit: StepExit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn config() -> SandboxConfig {
    SandboxConfig {
        image: "kiln-sandbox-base:latest".to_owned(),
        supervisor: None,
        docker_host: None,
        memory_bytes: 512 << 20,
        workspace_bytes: 64 << 20,
        cpus: 1.0,
        pids: 128,
        limit: 4,
        network: SandboxNetwork::Bridge,
        runtime: None,
    }
}

pub(crate) fn supervisor_binary() -> PathBuf {
    let path = std::env::var_os("KILN_TEST_SUPERVISOR").expect(
        "KILN_TEST_SUPERVISOR names the static kiln-supervisor binary; scripts/test sets it",
    );
    let path = PathBuf::from(path);
    assert!(path.is_file(), "KILN_TEST_SUPERVISOR: no file at {path:?}");
    path
}

/// A template without dependencies: its image is made in a moment.
pub(crate) fn bare_template() -> TemplateImage {
    TemplateImage {
        name: "bare".to_owned(),
        files: vec![("package.json".to_owned(), Bytes::from_static(b"{}\n"))],
        install: Vec::new(),
    }
}

impl Deployment {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: SandboxConfig) -> Self {
        let label = Uuid::now_v7().to_string();
        note_deployment(&label);
        let engine = Engine::new(&config, label.clone(), supervisor_binary()).unwrap();
        Self {
            engine,
            label,
            config,
            image: tokio::sync::OnceCell::new(),
        }
    }

    /// What the next daemon of the same deployment would use.
    pub(crate) fn another_engine(&self) -> Engine {
        Engine::new(&self.config, self.label.clone(), supervisor_binary()).unwrap()
    }

    pub(crate) async fn image(&self) -> &PreparedImage {
        self.image
            .get_or_init(|| async {
                self.engine
                    .prepare_image(&bare_template(), |_| {})
                    .await
                    .unwrap_or_else(|error| panic!("no prepared image: {error}"))
            })
            .await
    }

    pub(crate) async fn sandbox(&self) -> Running {
        self.sandbox_named(SandboxId::from(Uuid::now_v7())).await
    }

    pub(crate) async fn sandbox_named(&self, id: SandboxId) -> Running {
        let container = self.engine.create(id, self.image().await).await.unwrap();
        let supervisor = self.engine.supervisor(&container).await.unwrap();
        Running {
            id,
            container,
            supervisor,
        }
    }

    /// Everything at the engine with this deployment's label, seen by the docker
    /// command: containers, volumes and networks.
    pub(crate) fn left(&self) -> Vec<String> {
        left(&self.label)
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let engine = self.another_engine();
        let cleaned = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(engine.remove_deployment())
        })
        .join();
        if !std::thread::panicking() {
            // A test that points at a dead engine has nothing to clean.
            match cleaned.unwrap() {
                Ok(_) | Err(SandboxError::Unavailable(_)) => {}
                Err(error) => panic!("clean up: {error}"),
            }
        }
    }
}

impl Running {
    pub(crate) async fn run(&self, argv: &[&str]) -> Ran {
        self.run_for(argv, PATIENCE).await
    }

    pub(crate) async fn run_for(&self, argv: &[&str], limit: Duration) -> Ran {
        let argv: Vec<String> = argv.iter().map(|part| (*part).to_owned()).collect();
        let (sender, mut receiver) = mpsc::channel::<LogBatch>(16);
        let collect = async {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            while let Some(batch) = receiver.recv().await {
                for line in batch.lines {
                    match line.stream {
                        OutputStream::Stdout => stdout.push(line.text),
                        OutputStream::Stderr | OutputStream::Supervisor => stderr.push(line.text),
                    }
                }
            }
            (stdout.join("\n"), stderr.join("\n"))
        };
        let run = async {
            let exit = self
                .supervisor
                .run_step(Slot::A, &argv, &[], limit, &sender)
                .await;
            drop(sender);
            exit
        };
        let (exit, (stdout, stderr)) = tokio::join!(run, collect);
        Ran {
            exit: exit.unwrap(),
            stdout,
            stderr,
        }
    }

    /// Runs a line of shell and expects it to end well.
    pub(crate) async fn shell(&self, script: &str) -> String {
        let ran = self.run(&["sh", "-c", script]).await;
        assert!(
            ran.exit.is_success(),
            "{script}: {:?} {} {}",
            ran.exit,
            ran.stdout,
            ran.stderr
        );
        ran.stdout
    }

    pub(crate) async fn write(&self, files: &[(&str, &str)]) -> Result<(), SandboxError> {
        let files: Vec<(String, Bytes)> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Bytes::copy_from_slice(text.as_bytes())))
            .collect();
        self.supervisor
            .apply(Slot::A, Before::Keep, &[], files)
            .await
            .map(|_| ())
    }

    /// Starts `server.js` in slot A and waits until it listens.
    pub(crate) async fn serve(&self) -> TcpTunnel {
        let argv = ["bun", "server.js"].map(str::to_owned);
        self.supervisor
            .start_server(Slot::A, &argv, &[], RevisionId::from(Uuid::now_v7()))
            .await
            .unwrap();
        self.connect().await
    }

    /// Connects to the server of slot A as soon as it listens.
    pub(crate) async fn connect(&self) -> TcpTunnel {
        let port = Slot::A.port();
        timeout(PATIENCE, async {
            loop {
                match self.supervisor.open_tcp(port).await {
                    Ok(tunnel) => return tunnel,
                    Err(SandboxError::NotListening(_)) => tokio::task::yield_now().await,
                    Err(error) => panic!("open_tcp: {error}"),
                }
            }
        })
        .await
        .expect("the server listens in time")
    }
}

/// One HTTP request over a tunnel; the whole answer.
pub(crate) async fn get(mut tunnel: TcpTunnel, path: &str) -> Vec<u8> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    tunnel.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, tunnel.read_to_end(&mut answer))
        .await
        .expect("an answer in time")
        .unwrap();
    answer
}

/// Runs the docker command: a view of the engine that shares no code with ours.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn left(label: &str) -> Vec<String> {
    let filter = format!("label=kiln.deployment={label}");
    let lists: [&[&str]; 3] = [
        &["ps", "-aq", "--filter", &filter],
        &["volume", "ls", "-q", "--filter", &filter],
        &["network", "ls", "-q", "--filter", &filter],
    ];
    lists
        .iter()
        .flat_map(|list| docker(list).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The names in a list of `NAME=value`.
pub(crate) fn names<'a>(variables: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    variables
        .into_iter()
        .filter_map(|variable| variable.split('=').next())
        .map(str::to_owned)
        .collect()
}

/// Notes a deployment in the list that `scripts/test` goes through at the end: by
/// then nothing of it may be left.
fn note_deployment(label: &str) {
    use std::io::Write;

    if let Ok(path) = std::env::var("KILN_TEST_DEPLOYMENTS") {
        let mut list = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        list.write_all(format!("{label}\n").as_bytes()).unwrap();
    }
}
