//! Waits for every child there is, ours and the orphans that the first process
//! inherits. Nothing else in this process may wait for a child, and children are
//! only made here: the lock that is held meanwhile is what makes sure that no
//! child is collected before its number is known.

use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::sync::oneshot;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus {
    /// Its exit code; 128 + signal if one ended it.
    pub code: i32,
    /// The signal that ended it; 0 if none.
    pub signal: i32,
}

/// A child, and how to learn of its end.
#[derive(Debug)]
pub struct Spawned {
    /// The child; only its pipes are of use.
    pub child: Child,
    /// Its number.
    pub pid: Pid,
    /// Resolves when it was collected.
    pub exit: oneshot::Receiver<ExitStatus>,
}

/// Collects children.
#[derive(Debug, Default)]
pub struct Reaper {
    /// Our own children that run. Written by `spawn` and `reap`.
    awaited: Mutex<Awaited>,
}

type Awaited = HashMap<Pid, oneshot::Sender<ExitStatus>>;

impl Reaper {
    /// Starts a child.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Spawned> {
        let mut awaited = self.lock();
        let child = command.spawn()?;
        let number = i32::try_from(child.id()).map_err(io::Error::other)?;
        let pid = Pid::from_raw(number);
        let (sender, exit) = oneshot::channel();
        awaited.insert(pid, sender);
        Ok(Spawned { child, pid, exit })
    }

    /// Collects all children that have ended. To be called on every `SIGCHLD`.
    pub fn reap(&self) {
        let mut awaited = self.lock();
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus { code, signal: 0 }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    let signal = signal as i32;
                    let code = 128 + signal;
                    (pid, ExitStatus { code, signal })
                }
                // Stopped or traced: still there.
                Ok(
                    WaitStatus::Stopped(..)
                    | WaitStatus::PtraceEvent(..)
                    | WaitStatus::PtraceSyscall(..)
                    | WaitStatus::Continued(..),
                )
                | Err(Errno::EINTR) => continue,
                // Collected, but a real-time signal ended it, which nix cannot
                // name: it took the number with it.
                Err(Errno::EINVAL) => {
                    resolve_missing(&mut awaited);
                    continue;
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
            };
            if let Some(waiter) = awaited.remove(&pid) {
                // Whoever asked may have stopped caring.
                let _ = waiter.send(status);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the waiters of children that are neither running nor waiting to be collected.
fn resolve_missing(awaited: &mut Awaited) {
    let missing: Vec<Pid> = awaited
        .keys()
        .copied()
        .filter(|pid| kill(*pid, None) == Err(Errno::ESRCH))
        .collect();
    for pid in missing {
        if let Some(waiter) = awaited.remove(&pid) {
            let _ = waiter.send(ExitStatus {
                code: 128,
                signal: 0,
            });
        }
    }
}
