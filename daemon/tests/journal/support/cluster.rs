//! A Postgres cluster of its own, durable, to be killed.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// The cluster; stopped and removed at the end.
pub(crate) struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    /// A child of ours, so that it is gone for good once it was waited for.
    postmaster: Option<Child>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let bin = binaries();
        let dir = tempfile::tempdir().unwrap();
        // Somebody else will live in it where the tests run as root.
        if nix::unistd::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(dir.path()));
        }
        let port = {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            socket.local_addr().unwrap().port()
        };
        let mut cluster = Self {
            bin,
            dir,
            port,
            postmaster: None,
        };
        run(cluster
            .tool("initdb")
            .args([
                "--auth=trust",
                "--username=kiln",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
                "-D",
            ])
            .arg(cluster.data()));
        cluster.boot().await;
        cluster
    }

    /// Starts the server and waits until it answers. After a crash its orphans
    /// may hold the shared memory for a moment; then it is started again.
    pub(crate) async fn boot(&mut self) {
        let started = Instant::now();
        let log = self.dir.path().join("log");
        loop {
            let running = match &mut self.postmaster {
                Some(child) => child.try_wait().unwrap().is_none(),
                None => false,
            };
            if !running {
                let output = File::options()
                    .create(true)
                    .append(true)
                    .open(&log)
                    .unwrap();
                let mut command = self.tool("postgres");
                command.arg("-D").arg(self.data());
                for setting in [
                    format!("port={}", self.port),
                    "listen_addresses=127.0.0.1".into(),
                    format!("unix_socket_directories={}", self.dir.path().display()),
                    "shared_buffers=16MB".into(),
                    "max_connections=40".into(),
                ] {
                    command.arg("-c").arg(setting);
                }
                let child = command.stdin(Stdio::null()).stderr(output).spawn();
                self.postmaster = Some(child.unwrap());
            }
            if PgConnection::connect_with(&self.options()).await.is_ok() {
                return;
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the cluster does not start: {}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the postmaster with SIGKILL. Its children notice by themselves.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Stops it at once: no checkpoint, everybody thrown out.
    pub(crate) fn stop_immediately(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut postmaster) = self.postmaster.take() {
            let pid = i32::try_from(postmaster.id()).unwrap();
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
            let _ = postmaster.wait();
        }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("kiln")
            .database("postgres")
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// One of Postgres's programs, which refuse to run as root.
    fn tool(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if nix::unistd::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command
                .args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--init-groups",
                    "--",
                ])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}

/// Where the server's programs are: on Debian not in the path.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    if let Some(bin) = found.pop() {
        return bin;
    }
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .find(|bin: &PathBuf| bin.join("initdb").exists())
        .expect("initdb is needed: install the Postgres server (Debian: postgresql)")
}

fn run(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(
        status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
}
