//! A Postgres cluster of its own, durable, to be killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// The cluster; stopped and removed at the end.
pub(crate) struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let bin = binaries();
        let dir = tempfile::tempdir().unwrap();
        // Somebody else will live in it where the tests run as root.
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if nix::unistd::geteuid().is_root() {
            run(Command::new("chown")
                .arg("-R")
                .arg("postgres")
                .arg(dir.path()));
        }
        let port = {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            socket.local_addr().unwrap().port()
        };
        let cluster = Self { bin, dir, port };
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
            .arg(&data));
        cluster.boot().await;
        cluster
    }

    /// Starts the server, however long the dead one's processes take to go.
    pub(crate) async fn boot(&self) {
        let started = Instant::now();
        loop {
            let settings = format!(
                "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} \
                 -c shared_buffers=16MB -c max_connections=40",
                self.port,
                self.dir.path().display()
            );
            let outcome = self
                .tool("pg_ctl")
                .args(["start", "--wait", "--silent", "--timeout=20", "-D"])
                .arg(self.data())
                .arg("-l")
                .arg(self.dir.path().join("log"))
                .arg("-o")
                .arg(settings)
                .output()
                .unwrap();
            if outcome.status.success() {
                break;
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the cluster does not start: {}",
                std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut connection = PgConnection::connect_with(&self.options()).await.unwrap();
        connection.ping().await.unwrap();
    }

    /// Kills the postmaster with SIGKILL. Its children notice by themselves.
    pub(crate) fn kill(&self) {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid: i32 = text.lines().next().unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
    }

    /// Stops it as a crash would: no checkpoint, everybody thrown out.
    pub(crate) fn stop_immediately(&self) {
        let _ = self
            .tool("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.data())
            .output();
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
        .find(|bin: &PathBuf| Path::new(bin).join("initdb").exists())
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
