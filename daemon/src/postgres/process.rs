//! Whether a process is the server of a cluster. A pid alone proves nothing:
//! after a crash or a reboot it may belong to anybody.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a pid stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The server of the cluster.
    Postmaster,
    /// Nothing; a process that died and was not yet collected counts as nothing.
    Gone,
    /// Some other program, certainly.
    Stranger,
    /// Something that could not be looked at closely enough.
    Unclear,
}

/// What `pid` is to the server of `cluster` that runs as `uid`.
#[cfg(target_os = "linux")]
pub(super) fn identify(pid: i32, cluster: &Path, uid: u32) -> Identity {
    use std::os::unix::fs::MetadataExt;

    let proc = Path::new("/proc").join(pid.to_string());
    let Ok(metadata) = std::fs::metadata(&proc) else {
        return Identity::Gone;
    };
    let stat = std::fs::read_to_string(proc.join("stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    if matches!(state, None | Some('Z' | 'X')) {
        return Identity::Gone;
    }
    // Empty for a thread of the kernel, and for a moment while a program is loaded.
    let command_line = std::fs::read(proc.join("cmdline")).unwrap_or_default();
    if command_line.is_empty() {
        return Identity::Unclear;
    }
    // The children of the server call themselves `postgres: something`.
    let mut arguments = command_line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let is_server = program.rsplit(|byte| *byte == b'/').next() == Some(b"postgres");
    if !is_server || metadata.uid() != uid {
        return Identity::Stranger;
    }
    match std::fs::read_link(proc.join("cwd")) {
        Ok(dir) if dir == cluster => Identity::Postmaster,
        Ok(_) => Identity::Stranger,
        // Root in a container may not look into the processes of others.
        Err(_) => {
            let named = arguments.skip_while(|argument| *argument != b"-D").nth(1);
            let cluster = cluster.as_os_str().as_encoded_bytes();
            if named == Some(cluster) {
                Identity::Postmaster
            } else {
                Identity::Unclear
            }
        }
    }
}

/// What `pid` is to the server of `cluster`; without `/proc` a living process
/// is taken for the server, as Postgres itself does.
#[cfg(not(target_os = "linux"))]
pub(super) fn identify(pid: i32, _cluster: &Path, _uid: u32) -> Identity {
    match kill(Pid::from_raw(pid), None) {
        Ok(()) => Identity::Postmaster,
        Err(Errno::EPERM) => Identity::Stranger,
        Err(_) => Identity::Gone,
    }
}

/// The processes that work in `cluster`: a server and its children. Empty where
/// the system does not tell.
pub(super) fn working_in(cluster: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|dir| dir == cluster) {
            pids.push(pid);
        }
    }
    pids
}

/// Sends a signal; a process that is gone already needs none.
pub(super) fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => tracing::warn!(pid, %signal, %error, "could not signal Postgres"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    fn uid() -> u32 {
        nix::unistd::Uid::effective().as_raw()
    }

    fn pid(child: &std::process::Child) -> i32 {
        i32::try_from(child.id()).unwrap()
    }

    #[test]
    fn another_program_under_the_same_pid_is_a_stranger() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = dir.path().canonicalize().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(&cluster)
            .spawn()
            .unwrap();
        let found = (identify(pid(&child), &cluster, uid()), working_in(&cluster));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, (Identity::Stranger, vec![pid(&child)]));
    }

    #[test]
    fn a_dead_process_is_gone_even_before_it_was_collected() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = pid(&child);
        while identify(pid, Path::new("/"), uid()) != Identity::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(identify(pid, Path::new("/"), uid()), Identity::Gone);
    }
}
