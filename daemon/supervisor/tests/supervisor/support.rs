//! A supervisor for one test, and verbs on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use kiln_proto::supervisor::v1::supervisor_service_client::SupervisorServiceClient;
use kiln_proto::supervisor::v1::{
    ApplyFilesHeader, ApplyFilesRequest, ApplyFilesResponse, Exit, GetStatusRequest, Line,
    ReadFileRequest, ReadFileResponse, RunStepRequest, RunStepResponse, StartServerRequest,
    StreamLogsRequest, StreamLogsResponse,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status, Streaming};

/// What anything in a test may take before it is called hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kiln-supervisor");

pub(crate) type Client = SupervisorServiceClient<Channel>;

/// A supervisor that runs until it is dropped.
pub(crate) struct Sandbox {
    directory: TempDir,
    process: Child,
    pub(crate) client: Client,
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("app")).unwrap();
        let process = Command::new(PROGRAM)
            .arg("init")
            .env("KILN_SUPERVISOR_SOCKET", directory.path().join("socket"))
            .env("KILN_WORKSPACE", directory.path().join("app"))
            .env("KILN_TEST_SECRET", "must not be passed on")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let client = connect(&directory.path().join("socket")).await;
        Self {
            directory,
            process,
            client,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// A place beside the workspace.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.directory.path().join("app")
    }

    /// A path in slot `a`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.workspace().join("a").join(path)
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), content).unwrap();
    }

    /// Every path of slot `a` with its content, `None` for what is no file.
    pub(crate) fn tree(&self) -> HashMap<String, Option<String>> {
        let mut tree = HashMap::new();
        let root = self.path("");
        let mut left = vec![root.clone()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                let name = entry.path();
                let name = name.strip_prefix(&root).unwrap().to_str().unwrap();
                if kind.is_dir() {
                    left.push(entry.path());
                }
                let content = kind
                    .is_file()
                    .then(|| std::fs::read_to_string(entry.path()).unwrap());
                tree.insert(name.to_owned(), content);
            }
        }
        tree
    }

    pub(crate) async fn upload(&self, archive: Vec<u8>) -> Result<ApplyFilesResponse, Status> {
        self.apply(&[], archive).await
    }

    pub(crate) async fn apply(
        &self,
        delete_paths: &[&str],
        archive: Vec<u8>,
    ) -> Result<ApplyFilesResponse, Status> {
        let header = ApplyFilesHeader {
            clear: false,
            slot: "a".to_owned(),
            delete_paths: delete_paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        self.send(header, archive).await
    }

    pub(crate) async fn clear_and_upload(
        &self,
        archive: Vec<u8>,
    ) -> Result<ApplyFilesResponse, Status> {
        let header = ApplyFilesHeader {
            clear: true,
            slot: "a".to_owned(),
            delete_paths: Vec::new(),
        };
        self.send(header, archive).await
    }

    async fn send(
        &self,
        header: ApplyFilesHeader,
        archive: Vec<u8>,
    ) -> Result<ApplyFilesResponse, Status> {
        let header = ApplyFilesRequest {
            header: Some(header),
            data: Vec::new().into(),
        };
        let mut messages = vec![header];
        messages.extend(archive.chunks(50_000).map(|piece| ApplyFilesRequest {
            header: None,
            data: piece.to_vec().into(),
        }));
        let mut client = self.client.clone();
        let response = client.apply_files(futures::stream::iter(messages));
        Ok(within(response).await?.into_inner())
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        max_bytes: i64,
    ) -> Result<ReadFileResponse, Status> {
        let request = ReadFileRequest {
            slot: "a".to_owned(),
            path: path.to_owned(),
            max_bytes,
        };
        Ok(within(self.client.clone().read_file(request))
            .await?
            .into_inner())
    }

    pub(crate) async fn step(&self, argv: &[&str]) -> StepOutcome {
        let stream = self.start_step(step(argv)).await.unwrap();
        within(StepOutcome::of(stream)).await
    }

    pub(crate) async fn start_step(
        &self,
        request: RunStepRequest,
    ) -> Result<Streaming<RunStepResponse>, Status> {
        Ok(within(self.client.clone().run_step(request))
            .await?
            .into_inner())
    }

    pub(crate) async fn start_server(&self, slot: &str, argv: &[&str]) -> i32 {
        let request = StartServerRequest {
            slot: slot.to_owned(),
            argv: argv.iter().map(|it| (*it).to_owned()).collect(),
            environment: HashMap::new(),
            port: 5173,
            revision_id: format!("revision-of-{slot}"),
        };
        within(self.client.clone().start_server(request))
            .await
            .unwrap()
            .into_inner()
            .pid
    }

    pub(crate) async fn logs(&self, tail: i32, follow: bool) -> Streaming<StreamLogsResponse> {
        let request = StreamLogsRequest {
            tail,
            follow,
            after_number: 0,
        };
        within(self.client.clone().stream_logs(request))
            .await
            .unwrap()
            .into_inner()
    }

    /// Fails if it does not answer.
    pub(crate) async fn boot_id(&self) -> String {
        within(self.client.clone().get_status(GetStatusRequest {}))
            .await
            .unwrap()
            .into_inner()
            .boot_id
    }

    /// Asks it to stop; gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its children are asked to end by it and have no reason to refuse.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

/// What a step wrote and how it ended.
#[derive(Debug)]
pub(crate) struct StepOutcome {
    pub(crate) lines: Vec<Line>,
    pub(crate) dropped_count: i64,
    pub(crate) exit: Exit,
}

impl StepOutcome {
    pub(crate) async fn of(mut stream: Streaming<RunStepResponse>) -> Self {
        let (mut lines, mut dropped_count) = (Vec::new(), 0);
        loop {
            let message = stream.message().await.unwrap().expect("an exit at the end");
            lines.extend(message.lines);
            dropped_count += message.dropped_count;
            if let Some(exit) = message.exit {
                assert!(stream.message().await.unwrap().is_none());
                return Self {
                    lines,
                    dropped_count,
                    exit,
                };
            }
        }
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }
}

pub(crate) fn step(argv: &[&str]) -> RunStepRequest {
    RunStepRequest {
        slot: "a".to_owned(),
        argv: argv.iter().map(|it| (*it).to_owned()).collect(),
        environment: HashMap::new(),
        timeout: None,
    }
}

/// Connects once it listens.
pub(crate) async fn connect(socket: &Path) -> Client {
    let socket = socket.to_owned();
    until("the supervisor listens", || socket.exists()).await;
    let connector = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // Generous, so that what is seen are the supervisor's own bounds. All
    // streams' windows must fit the connection's: what is not read of one would
    // keep the others waiting.
    let endpoint = Endpoint::from_static("http://supervisor")
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 30);
    loop {
        // The socket is there a moment before it listens.
        if let Ok(channel) = endpoint.connect_with_connector(connector.clone()).await {
            return Client::new(channel).max_decoding_message_size(8 << 20);
        }
        tokio::task::yield_now().await;
    }
}

/// An archive of regular files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, path, content.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

/// An archive of one entry that no honest tool would make.
pub(crate) fn odd_archive(path: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let bytes = header.as_old_mut();
    bytes.name[..path.len()].copy_from_slice(path.as_bytes());
    bytes.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend([0; 1024]);
    archive
}

pub(crate) fn assert_refused<T: std::fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
    message: &str,
) {
    let status = result.expect_err("it should be refused");
    assert_eq!((status.code(), status.message()), (code, message));
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it takes too long")
}

/// Waits until something has come true.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "not true in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
}

/// What a process holds in memory, in bytes.
pub(crate) fn resident_bytes(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes << 10
}
