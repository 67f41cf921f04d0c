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
    /// Nothing.
    Nothing,
    /// A process that died and was not collected. Postgres takes it for alive.
    Zombie,
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
    let (Ok(metadata), Ok(stat)) = (
        std::fs::metadata(&proc),
        std::fs::read_to_string(proc.join("stat")),
    ) else {
        return Identity::Nothing;
    };
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    if state.starts_with(['Z', 'X']) {
        return Identity::Zombie;
    }
    // The children of the server call themselves `postgres: something`.
    match program(&proc).as_slice() {
        // A thread of the kernel, or for a moment a program that is being loaded.
        b"" => return Identity::Unclear,
        b"postgres" if metadata.uid() == uid => {}
        _ => return Identity::Stranger,
    }
    match std::fs::read_link(proc.join("cwd")) {
        Ok(dir) if dir == cluster => Identity::Postmaster,
        Ok(_) => Identity::Stranger,
        // Root in a container may not look into the processes of others.
        Err(_) => {
            let command_line = std::fs::read(proc.join("cmdline")).unwrap_or_default();
            let mut arguments = command_line.split(|byte| *byte == 0);
            let named = arguments.by_ref().find(|argument| *argument == b"-D");
            let named = named.and_then(|_| arguments.next());
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
        Err(_) => Identity::Nothing,
    }
}

/// The processes of `uid` that work in `cluster`: a server and its children.
/// `None` where that cannot be told.
pub(super) fn working_in(cluster: &Path, uid: u32) -> Option<Vec<i32>> {
    use std::os::unix::fs::MetadataExt;

    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if !entry.metadata().is_ok_and(|metadata| metadata.uid() == uid) {
            continue;
        }
        match std::fs::read_link(entry.path().join("cwd")) {
            Ok(dir) if dir == cluster => pids.push(pid),
            Ok(_) => {}
            // It may not be looked at; what is not called Postgres is not meant.
            Err(error)
                if error.kind() == std::io::ErrorKind::PermissionDenied
                    && program(&entry.path()).starts_with(b"postgres") =>
            {
                return None;
            }
            Err(_) => {}
        }
    }
    Some(pids)
}

/// What a process calls itself, without directories; empty if it does not say.
fn program(proc: &Path) -> Vec<u8> {
    let command_line = std::fs::read(proc.join("cmdline")).unwrap_or_default();
    let first = command_line
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    first
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default()
        .to_vec()
}

/// Sends a signal; a process that is gone already needs none.
pub(super) fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => tracing::warn!(pid, %signal, %error, "could not signal Postgres"),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
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
        while identify(pid(&child), &cluster, uid()) == Identity::Unclear {
            std::thread::yield_now();
        }
        let found = (
            identify(pid(&child), &cluster, uid()),
            working_in(&cluster, uid()),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, (Identity::Stranger, Some(vec![pid(&child)])));
    }

    #[test]
    fn a_dead_process_is_told_from_none() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = pid(&child);
        while identify(pid, Path::new("/"), uid()) != Identity::Zombie {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(identify(pid, Path::new("/"), uid()), Identity::Nothing);
    }
}
