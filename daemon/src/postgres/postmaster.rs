//! The running server: its pid file, starting it, waiting for it, stopping it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::layout::Layout;
use super::process::{self, Identity};
use super::socket;

/// How often files and processes are looked at that announce nothing.
const LOOK: Duration = Duration::from_millis(10);

/// How often an adopted server, which is not our child, is looked at.
const LOOK_AT_ADOPTED: Duration = Duration::from_millis(250);

/// Until a server is ready; replaying the log after a crash may take a while.
const READY: Duration = Duration::from_secs(120);

/// Until a fast stop is done, after which it is made an immediate one.
const FAST_STOP: Duration = Duration::from_secs(10);

/// Until an immediate stop is done.
const IMMEDIATE_STOP: Duration = Duration::from_secs(5);

/// Until what a dead server left behind is made to go.
const ORPHANS: Duration = Duration::from_secs(1);

/// Settings of the server, on its command line so that nothing in the cluster
/// can override them. The first three are what "durable" rests on. It is a small
/// server for one client: no replication, no parallel workers, no compiler.
const SETTINGS: &[&str] = &[
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=100",
    "shared_buffers=64MB",
    "max_wal_size=512MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_logical_replication_workers=0",
    "max_parallel_workers_per_gather=0",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_destination=stderr",
    "log_min_messages=warning",
    // Statements hold what users wrote: they do not belong in a log.
    "log_min_error_statement=panic",
    "log_checkpoints=off",
];

/// A server that runs.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: i32,
    /// `None` for a server that another daemon started.
    child: Option<Child>,
}

impl Postmaster {
    /// A server that runs already.
    pub(super) const fn adopt(pid: i32) -> Self {
        Self { pid, child: None }
    }

    /// Starts the server of `layout`. It gets a process group of its own and no
    /// death signal: it outlives this daemon, whichever way that ends.
    pub(super) fn launch(
        layout: &Layout,
        account: &Account,
        binaries: &Binaries,
        socket_dir: &Path,
    ) -> Result<Self, PostgresError> {
        let program = binaries.postgres();
        let mut command = Command::new(&program);
        account.run_as(&mut command).arg("-D").arg(layout.cluster());
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        for (name, path) in [
            ("unix_socket_directories", quoted(socket_dir)),
            ("hba_file", layout.hba().display().to_string()),
            ("ident_file", layout.ident().display().to_string()),
        ] {
            command.arg("-c").arg(format!("{name}={path}"));
        }
        let child = command
            .arg("-p")
            .arg(socket::PORT.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(layout.open_log()?)
            .process_group(0)
            .spawn()
            .map_err(PostgresError::io("run", &program))?;
        let pid = child.id().expect("nobody has waited for it yet");
        Ok(Self {
            pid: i32::try_from(pid).expect("the kernel's pids are positive 32-bit integers"),
            child: Some(child),
        })
    }

    /// Its pid.
    pub(super) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether another daemon started it.
    pub(super) const fn is_adopted(&self) -> bool {
        self.child.is_none()
    }

    /// Waits until it takes connections. Its log is read from `log_from` on when
    /// it ends instead.
    pub(super) async fn ready(
        &mut self,
        layout: &Layout,
        account: &Account,
        log_from: u64,
    ) -> Result<(), PostgresError> {
        let deadline = Instant::now() + READY;
        loop {
            let file = PidFile::read(&layout.pid_file());
            if file.is_some_and(|file| file.pid == self.pid && file.status == Status::Ready) {
                return Ok(());
            }
            if self.is_dead(layout, account) {
                return Err(PostgresError::Exited {
                    log: layout.log_since(log_from),
                });
            }
            if Instant::now() > deadline {
                return Err(PostgresError::NotReady {
                    seconds: READY.as_secs(),
                });
            }
            sleep(LOOK).await;
        }
    }

    /// Returns when it has died.
    pub(super) async fn died(&mut self, layout: &Layout, account: &Account) {
        if let Some(child) = &mut self.child
            && child.wait().await.is_ok()
        {
            return;
        }
        while !self.is_dead(layout, account) {
            sleep(LOOK_AT_ADOPTED).await;
        }
    }

    /// Stops it: connections are cut, what was committed is written out.
    pub(super) async fn stop(mut self, layout: &Layout, account: &Account) {
        for (signal, patience) in [
            (Signal::SIGINT, FAST_STOP),
            (Signal::SIGQUIT, IMMEDIATE_STOP),
            (Signal::SIGKILL, IMMEDIATE_STOP),
        ] {
            if self.is_dead(layout, account) {
                return;
            }
            process::send(self.pid, signal);
            // It may be suspended, and then it has to run in order to end.
            process::send(self.pid, Signal::SIGCONT);
            if timeout(patience, self.gone(layout, account)).await.is_ok() {
                return;
            }
            tracing::warn!(pid = self.pid, %signal, "Postgres takes long to stop");
        }
    }

    /// Asks it to read its access files again.
    pub(super) fn reload(&self) {
        process::send(self.pid, Signal::SIGHUP);
    }

    async fn gone(&mut self, layout: &Layout, account: &Account) {
        while !self.is_dead(layout, account) {
            sleep(LOOK).await;
        }
    }

    fn is_dead(&mut self, layout: &Layout, account: &Account) -> bool {
        match &mut self.child {
            // Collects the child, too.
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => match process::identify(self.pid, &layout.cluster(), account.uid) {
                Identity::Postmaster => false,
                Identity::Nothing | Identity::Zombie | Identity::Stranger | Identity::Unclear => {
                    true
                }
            },
        }
    }
}

/// What was found where a server may run already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A server of this cluster, with the directory of its socket.
    Running {
        /// Its pid.
        pid: i32,
        /// Where it listens.
        socket_dir: PathBuf,
        /// Whether it is on its way down.
        stopping: bool,
    },
    /// None.
    Nothing,
}

/// Looks for the server of `layout`. Waits a moment for one that is writing its
/// pid file, and removes a pid file that would stop Postgres from starting
/// although it is certain that nothing of that server is left.
pub(super) async fn look(layout: &Layout, account: &Account) -> Found {
    let path = layout.pid_file();
    let cluster = layout.cluster();
    let Some(file) = PidFile::read(&path) else {
        if path.exists() && process::working_in(&cluster, account.uid) == Some(vec![]) {
            remove_stale(&path, "it is not whole");
        }
        return Found::Nothing;
    };
    match process::identify(file.pid, &cluster, account.uid) {
        Identity::Postmaster => Found::Running {
            pid: file.pid,
            stopping: file.status == Status::Stopping,
            socket_dir: file.socket_dir,
        },
        // Postgres sees for itself that the pid is free, and looks at the shared
        // memory named in the file for survivors: that needs the file.
        Identity::Nothing => {
            end_orphans(&cluster, account.uid).await;
            Found::Nothing
        }
        // Postgres would take either for a server, and refuse to start.
        Identity::Zombie | Identity::Stranger => {
            if end_orphans(&cluster, account.uid).await {
                remove_stale(&path, "its pid stands for no server");
            }
            Found::Nothing
        }
        // Postgres decides, and says so in its log.
        Identity::Unclear => Found::Nothing,
    }
}

/// The children of a server that was killed end by themselves; one that is busy
/// may need telling. Says whether it is certain that none is left.
async fn end_orphans(cluster: &Path, uid: u32) -> bool {
    let started = Instant::now();
    loop {
        let Some(orphans) = process::working_in(cluster, uid) else {
            return false;
        };
        if orphans.is_empty() {
            return true;
        }
        let waited = started.elapsed();
        if waited > ORPHANS * 4 {
            tracing::warn!(?orphans, "processes of an earlier Postgres stay");
            return false;
        }
        if waited > ORPHANS {
            let signal = if waited > ORPHANS * 2 {
                Signal::SIGKILL
            } else {
                Signal::SIGQUIT
            };
            for orphan in orphans {
                process::send(orphan, signal);
            }
        }
        sleep(LOOK * 5).await;
    }
}

fn remove_stale(path: &Path, reason: &str) {
    tracing::info!(path = %path.display(), reason, "removing a stale pid file");
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "could not remove a stale pid file");
    }
}

/// A directory in the list that `unix_socket_directories` is.
fn quoted(dir: &Path) -> String {
    format!("\"{}\"", dir.display().to_string().replace('"', "\"\""))
}

/// What a running server says of itself.
#[derive(Debug, PartialEq, Eq)]
struct PidFile {
    pid: i32,
    socket_dir: PathBuf,
    status: Status,
}

#[derive(Debug, PartialEq, Eq)]
enum Status {
    Starting,
    Ready,
    Stopping,
}

impl PidFile {
    /// `None` where there is no whole one.
    fn read(path: &Path) -> Option<Self> {
        use std::io::Read;

        let mut text = String::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(16 * 1024).read_to_string(&mut text).ok()?;
        Self::parse(&text)
    }

    /// Line 1 is the pid, 5 the socket directory, 8 the status; the later lines
    /// appear while the server starts.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok().filter(|pid| *pid > 1)?;
        let status = match lines.get(7).map(|line| line.trim()) {
            Some("ready") => Status::Ready,
            Some("stopping") => Status::Stopping,
            _ => Status::Starting,
        };
        Some(Self {
            pid,
            socket_dir: PathBuf::from(lines.get(4).copied().unwrap_or_default()),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read_at_every_stage_of_a_start() {
        let whole =
            "4242\n/data/cluster\n1763800000\n5432\n/data/socket\n\n  5432001    0\nready   \n";
        let file = |socket_dir: &str, status| {
            Some(PidFile {
                pid: 4242,
                socket_dir: PathBuf::from(socket_dir),
                status,
            })
        };
        assert_eq!(PidFile::parse(whole), file("/data/socket", Status::Ready));
        assert_eq!(
            PidFile::parse(&whole.replace("ready   ", "stopping")),
            file("/data/socket", Status::Stopping)
        );
        assert_eq!(
            PidFile::parse("4242\n/data/cluster\n1763800000\n5432\n"),
            file("", Status::Starting)
        );
        for broken in ["", "\n", "x\n", "0\n", "1\n", "-5\n"] {
            assert_eq!(PidFile::parse(broken), None, "{broken:?}");
        }
    }
}
