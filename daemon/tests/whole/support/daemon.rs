//! A `kilnd` that runs, and its log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Child;
use tokio::sync::watch;

use super::PATIENCE;

/// A process that serves.
pub(crate) struct Daemon {
    pub(crate) tcp: SocketAddr,
    /// When its process was made.
    pub(crate) began: Instant,
    child: Child,
    log: Log,
}

impl Daemon {
    /// Starts a daemon that logs JSON, and waits until it serves.
    pub(crate) async fn start(command: Command) -> Self {
        let began = Instant::now();
        let mut command = tokio::process::Command::from(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kilnd can be run");
        let stderr = child.stderr.take().expect("it is a pipe");
        let log = Log::read(ChildStderr::from(stderr.into_owned_fd().unwrap()));
        let tcp = tokio::select! {
            tcp = log.serving() => tcp,
            ended = child.wait() => panic!("kilnd ended: {ended:?}\n{}", log.text()),
            () = tokio::time::sleep(PATIENCE) => panic!("kilnd does not serve:\n{}", log.text()),
        };
        Self {
            tcp,
            began,
            child,
            log,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("kilnd does not end:\n{}", self.log.text()))
            .unwrap()
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }
}

/// What a daemon writes to standard error.
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Log {
    fn read(stderr: ChildStderr) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let kept = Arc::clone(&lines);
        // Ends when the last process that has the pipe is gone.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { lines, count }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The address in the line that says that calls are answered.
    async fn serving(&self) -> SocketAddr {
        let mut count = self.count.clone();
        loop {
            let found = self.lines.lock().unwrap().iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                (line["message"] == "serving").then(|| line["tcp"].as_str().unwrap().parse())
            });
            if let Some(address) = found {
                return address.unwrap();
            }
            if count.changed().await.is_err() {
                // No more lines: whoever waits for the end of the process says so.
                std::future::pending::<()>().await;
            }
        }
    }
}
