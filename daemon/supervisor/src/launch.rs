//! `kiln-supervisor launch COMMAND ...`: the short-lived step between the first
//! process and everything else. Gives the command a session of its own and makes
//! it the one to end when memory runs out; then becomes the command.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::sys::signal::SigSet;

/// As shells say it: there is no such command.
const NOT_FOUND: u8 = 127;
/// As shells say it: it cannot be run.
const NOT_RUNNABLE: u8 = 126;
/// Of -1000 to 1000; the first process keeps 0.
const OUT_OF_MEMORY_SCORE: &[u8] = b"500";

/// Becomes the command; returns only if that fails.
pub fn run(mut command: impl Iterator<Item = OsString>) -> ExitCode {
    // Without a session of its own it could not be told from its siblings; it
    // is no leader of a group yet, so this cannot fail.
    let _ = nix::unistd::setsid();
    // Not everywhere, and nothing depends on it.
    let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
    let Some(program) = command.next() else {
        return ExitCode::from(NOT_FOUND);
    };
    // The first process blocks what it listens to, and that is inherited.
    let _ = SigSet::empty().thread_set_mask();
    // Gives back SIGPIPE by itself.
    let error = Command::new(&program).args(command).exec();
    let _ = writeln!(
        std::io::stderr(),
        "cannot run {}: {error}",
        program.display()
    );
    match error.kind() {
        std::io::ErrorKind::NotFound => ExitCode::from(NOT_FOUND),
        _ => ExitCode::from(NOT_RUNNABLE),
    }
}
