//! A data directory for one test, and daemons that can be killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kiln_daemon::postgres::{DataDir, ManagedPostgres, ManagedSettings, PostgresError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that takes a second at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A place for a data directory. Whatever server runs there ends with it.
pub(crate) struct Place {
    parent: TempDir,
    data_dir: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::named("data")
    }

    pub(crate) fn named(name: &str) -> Self {
        // As root, the server's user has to come through.
        let parent = tempfile::Builder::new()
            .prefix("kiln")
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let data_dir = parent.path().join(name);
        Self { parent, data_dir }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.data_dir.join("postgres/cluster")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    /// What the servers wrote.
    pub(crate) fn log(&self) -> PathBuf {
        self.cluster().with_file_name("server.log")
    }

    pub(crate) fn settings(&self) -> ManagedSettings {
        ManagedSettings {
            bin: None,
            runtime_dir: self.parent.path().to_owned(),
        }
    }

    pub(crate) async fn try_start(&self) -> Result<Daemon, PostgresError> {
        let data_dir = DataDir::open(&self.data_dir).unwrap();
        let (postgres, options) = ManagedPostgres::start(&data_dir, &self.settings()).await?;
        Ok(Daemon {
            postgres,
            options,
            _data_dir: data_dir,
        })
    }

    pub(crate) async fn start(&self) -> Daemon {
        self.try_start().await.unwrap()
    }

    /// Runs a daemon in a process of its own, until it has printed its server's pid
    /// or, when `until` says so, only until a file appears.
    pub(crate) fn spawn_daemon(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::a_daemon_to_kill"])
            .args(["--ignored", "--nocapture"])
            .env(DATA_DIR, &self.data_dir)
            .env(RUNTIME_DIR, self.parent.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn server(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        text.lines().next()?.parse().ok().map(Pid::from_raw)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.server()
            && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir == self.cluster())
        {
            let _ = kill(pid, Signal::SIGQUIT);
            until("the server ends", || {
                kill(pid, None).is_err() || state(pid.as_raw()) == Some('Z')
            });
        }
    }
}

/// A daemon in this process: the lock, the server and how to reach it.
/// Dropping it is what a killed daemon does: the server stays.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) postgres: ManagedPostgres,
    pub(crate) options: PgConnectOptions,
    _data_dir: DataDir,
}

impl Daemon {
    pub(crate) fn pid(&self) -> i32 {
        self.postgres.pid()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    pub(crate) async fn stop(self) {
        let cancel = CancellationToken::new();
        cancel.cancel();
        self.postgres.keep(cancel).await;
    }
}

pub(crate) async fn text(connection: &mut PgConnection, query: &'static str) -> String {
    sqlx::query(query)
        .fetch_one(connection)
        .await
        .unwrap()
        .get::<String, _>(0)
}

/// Commits a row that a later server has to have.
pub(crate) async fn remember(connection: &mut PgConnection) {
    sqlx::raw_sql("create table kept (what text); insert into kept values ('this')")
        .execute(connection)
        .await
        .unwrap();
}

pub(crate) async fn remembered(connection: &mut PgConnection) -> String {
    text(connection, "select what from kept").await
}

/// The state of a process in the kernel's words; `None` when there is none.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

/// Looks until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Waits for the server of a spawned daemon.
pub(crate) fn server_of(daemon: &mut Child) -> i32 {
    let lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    for line in lines {
        // The harness writes on the same line.
        if let Some((_, pid)) = line.unwrap().split_once("server ") {
            return pid.parse().unwrap();
        }
    }
    panic!("the daemon ended without a server");
}

const DATA_DIR: &str = "KILN_TEST_DATA_DIR";
const RUNTIME_DIR: &str = "KILN_TEST_RUNTIME_DIR";

#[tokio::test]
#[ignore = "not a test: the process that other tests start and kill"]
async fn a_daemon_to_kill() {
    let (Some(path), Some(runtime_dir)) =
        (std::env::var_os(DATA_DIR), std::env::var_os(RUNTIME_DIR))
    else {
        return;
    };
    let data_dir = DataDir::open(Path::new(&path)).unwrap();
    let settings = ManagedSettings {
        bin: None,
        runtime_dir: runtime_dir.into(),
    };
    let (postgres, _) = ManagedPostgres::start(&data_dir, &settings).await.unwrap();
    println!("server {}", postgres.pid());
    postgres.keep(CancellationToken::new()).await;
}
