//! A command with everything that it starts: how it is started, how it ends,
//! and that nothing of it is left. Knows nothing of slots' meaning or of output.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{base_environment, variables};
use crate::error::Error;
use crate::process_table;
use crate::reap::{ExitStatus, Reaper};

/// Most arguments, the command included.
const MAX_ARGUMENTS: usize = 256;
/// Most variables of a request.
const MAX_VARIABLES: usize = 256;
/// Most bytes of arguments and variables.
const MAX_BYTES: usize = 256 << 10;
/// How long what was killed may take to be gone, and how often that is looked at.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What to run. Checked.
#[derive(Debug)]
pub struct Invocation {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// Starts commands.
#[derive(Debug)]
pub struct Launcher {
    reaper: Arc<Reaper>,
    /// This very program.
    program: PathBuf,
    /// Identity of this start of the supervisor.
    boot_id: String,
    base_environment: Vec<(String, String)>,
    next_run: AtomicU64,
}

/// A command that was started. Its end is seen to by [`Ending::run_to_end`].
#[derive(Debug)]
pub struct Process {
    /// Its number, which is its session's too.
    pub pid: Pid,
    /// Its standard output and standard error.
    pub outputs: [OwnedFd; 2],
    ending: Ending,
}

/// What is needed to see a command to its end.
#[derive(Debug)]
pub struct Ending {
    pid: Pid,
    mark: String,
    exit: oneshot::Receiver<ExitStatus>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its code and signal.
    pub status: ExitStatus,
    /// Whether its time was up.
    pub timed_out: bool,
}

impl Invocation {
    /// Checks what a request wants to run.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty command, NUL, odd names of variables, or
    /// too much of anything.
    pub fn new(
        arguments: Vec<String>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let environment: Vec<_> = environment.into_iter().collect();
        let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
        if arguments.first().is_none_or(String::is_empty) {
            return invalid("argv: must name a command");
        }
        if arguments.len() > MAX_ARGUMENTS || environment.len() > MAX_VARIABLES {
            return invalid("argv, environment: too many");
        }
        let variables = environment.iter().flat_map(|(name, value)| [name, value]);
        let texts: Vec<&String> = arguments.iter().chain(variables).collect();
        if texts.iter().map(|text| text.len()).sum::<usize>() > MAX_BYTES {
            return invalid("argv, environment: too large");
        }
        if texts.iter().any(|text| text.contains('\0')) {
            return invalid("argv, environment: must not contain NUL");
        }
        if environment
            .iter()
            .any(|(name, _)| name.is_empty() || name.contains('=') || name == variables::RUN)
        {
            return invalid("environment: a name is not allowed");
        }
        Ok(Self {
            arguments,
            environment,
        })
    }
}

impl Launcher {
    /// Makes a launcher.
    #[must_use]
    pub fn new(reaper: Arc<Reaper>, program: PathBuf, boot_id: String) -> Self {
        Self {
            reaper,
            program,
            boot_id,
            base_environment: base_environment(),
            next_run: AtomicU64::new(1),
        }
    }

    /// Starts a command in a directory, in a session of its own, without input.
    ///
    /// # Errors
    /// [`Error::TooManyProcesses`], or whatever the system says. That there is no
    /// such command shows as its exit code 127.
    pub fn spawn(&self, invocation: &Invocation, directory: PathBuf) -> Result<Process, Error> {
        let run = self.next_run.fetch_add(1, Ordering::Relaxed);
        let run = format!("{}:{run}", self.boot_id);
        let mut command = Command::new(&self.program);
        command
            .arg("launch")
            .args(&invocation.arguments)
            .env_clear()
            .envs(
                self.base_environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .envs(
                invocation
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .env(variables::RUN, &run)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut spawned = self.reaper.spawn(&mut command).map_err(|error| {
            if error.kind() == std::io::ErrorKind::WouldBlock {
                Error::TooManyProcesses
            } else {
                Error::system("start a process")(error)
            }
        })?;
        let (Some(stdout), Some(stderr)) =
            (spawned.child.stdout.take(), spawned.child.stderr.take())
        else {
            return Err(Error::system("start a process")(std::io::Error::other(
                "no pipes",
            )));
        };
        Ok(Process {
            pid: spawned.pid,
            outputs: [stdout.into(), stderr.into()],
            ending: Ending {
                pid: spawned.pid,
                mark: format!("{}={run}", variables::RUN),
                exit: spawned.exit,
            },
        })
    }
}

impl Process {
    /// Takes it apart: its outputs are for one task, its end is for another.
    #[must_use]
    pub fn into_parts(self) -> ([OwnedFd; 2], Ending) {
        (self.outputs, self.ending)
    }
}

impl Ending {
    /// Waits for the end. Ends it before: politely when the token says so or the
    /// time is up, and after `grace` for good. When this returns, everything that
    /// the command started and that can be found is gone.
    pub async fn run_to_end(
        mut self,
        stop: CancellationToken,
        deadline: Option<Instant>,
        grace: Duration,
    ) -> Ended {
        let time_is_up = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let mut timed_out = false;
        let natural = tokio::select! {
            status = &mut self.exit => Some(status),
            () = stop.cancelled() => None,
            () = time_is_up => {
                timed_out = true;
                None
            }
        };
        let status = match natural {
            Some(status) => status,
            None => self.end(grace).await,
        };
        self.sweep().await;
        // The reaper never drops a waiter that it has not told.
        let status = status.unwrap_or(ExitStatus {
            code: 128,
            signal: 0,
        });
        Ended { status, timed_out }
    }

    async fn end(&mut self, grace: Duration) -> Result<ExitStatus, oneshot::error::RecvError> {
        self.signal(Signal::SIGTERM);
        if let Ok(status) = tokio::time::timeout(grace, &mut self.exit).await {
            return status;
        }
        self.signal(Signal::SIGKILL);
        (&mut self.exit).await
    }

    /// To the whole session and to those who left it. The leader has not been
    /// collected, so its number is still its own.
    fn signal(&self, signal: Signal) {
        let _ = killpg(self.pid, signal);
        for member in process_table::members(self.pid, self.mark.as_bytes()) {
            let _ = kill(member, signal);
        }
    }

    /// Kills what the command left behind, until nothing is left.
    async fn sweep(&self) {
        let give_up = Instant::now() + GONE_WITHIN;
        loop {
            let members = process_table::members(self.pid, self.mark.as_bytes());
            if members.is_empty() || Instant::now() > give_up {
                return;
            }
            for member in members {
                let _ = kill(member, Signal::SIGKILL);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
