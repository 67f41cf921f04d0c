//! The binary under test, in a home of its own.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;

/// Nothing here takes this long; a test that hangs says so.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer that is no text: the program is ended.
pub(crate) const SIGTERM: &str = "SIGTERM";

/// A home directory, and nothing else of the environment.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Every line of stdout, as JSON.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }

    /// The sequences of the events on stdout.
    pub(crate) fn sequences(&self) -> Vec<i64> {
        self.objects()
            .iter()
            .filter(|object| object["type"] == "event")
            .map(|object| object["sequence"].as_i64().unwrap())
            .collect()
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            variables: vec![
                ("LANG", "C.UTF-8".into()),
                ("TERM", "xterm-256color".into()),
            ],
        }
    }

    /// With a daemon at an address.
    pub(crate) fn with_server(address: &str) -> Self {
        Self::new().variable("KILN_SERVER", address)
    }

    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.path().join(".local/state/kiln/credentials.json")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that ends before it has read everything is as good.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        finish(child)
    }

    /// Through a shell, with `kiln` in `$KILN`.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        let mut command = Command::new("bash");
        command
            .args(["-c", script])
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .env("KILN", env!("CARGO_BIN_EXE_kiln"))
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        finish(command.spawn().unwrap())
    }

    /// On a terminal of 80 by 24: the exit code, and what was shown. Each answer
    /// is typed as soon as its question appears.
    pub(crate) fn on_terminal(
        &self,
        arguments: &[&str],
        answers: &[(&str, &str)],
    ) -> (u32, String) {
        let pty = native_pty_system()
            .openpty(PtySize {
                rows: 24,
                cols: 80,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", self.path());
        command.cwd(self.path());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        let before = pty.master.get_termios().unwrap();
        let mut child = pty.slave.spawn_command(command).unwrap();
        // Only the child holds the terminal now: its end is the end of the text.
        drop(pty.slave);
        // A program that waits for ever is ended, so that its test fails.
        let (ended, watchdog) = mpsc::channel::<()>();
        let mut killer = child.clone_killer();
        let guard = std::thread::spawn(move || {
            let late = watchdog.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                let _ = killer.kill();
            }
            late
        });
        let mut reader = pty.master.try_clone_reader().unwrap();
        let mut writer = pty.master.take_writer().unwrap();
        let mut shown = Vec::new();
        let mut answers = answers.iter();
        let mut next = answers.next();
        let mut from = 0;
        let mut buffer = [0; 4096];
        loop {
            match reader.read(&mut buffer) {
                // The end of a terminal is an error on Linux.
                Ok(0) | Err(_) => break,
                Ok(n) => shown.extend_from_slice(&buffer[..n]),
            }
            let text = String::from_utf8_lossy(&shown[from..]).into_owned();
            if let Some((asks, answer)) = next
                && text.contains(asks)
            {
                if *answer == SIGTERM {
                    let pid = i32::try_from(child.process_id().unwrap()).unwrap();
                    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
                } else {
                    writer.write_all(answer.as_bytes()).unwrap();
                }
                from = shown.len();
                next = answers.next();
            }
        }
        let status = child.wait().unwrap();
        assert!(
            pty.master.get_termios().unwrap() == before,
            "the terminal is not as before"
        );
        drop(ended);
        assert!(
            !guard.join().unwrap(),
            "kiln did not end within {LIMIT:?}: {:?}",
            String::from_utf8_lossy(&shown)
        );
        (
            status.exit_code(),
            String::from_utf8_lossy(&shown).into_owned(),
        )
    }
}

/// Waits for the end of a process, but not for ever.
pub(crate) fn finish(child: Child) -> Ran {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("kiln did not end within {LIMIT:?}");
    };
    let output = output.unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
