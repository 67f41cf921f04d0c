//! A terminal with the client in it: a pty, an emulator that reads what the
//! client writes, and hands that press keys.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::{PATIENCE, until};

/// Keys that are more than a letter.
pub(crate) const ENTER: &str = "\r";
pub(crate) const ESC: &str = "\x1b";
pub(crate) const TAB: &str = "\t";

/// A key with Ctrl.
pub(crate) fn ctrl(letter: char) -> String {
    char::from(u8::try_from(letter).unwrap() & 0x1f).to_string()
}

/// A key with Alt.
pub(crate) fn alt(letter: char) -> String {
    format!("\x1b{letter}")
}

/// What came out of the pty.
struct Output {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

/// The terminal.
pub(crate) struct Terminal {
    output: Arc<Mutex<Output>>,
    master: Box<dyn MasterPty + Send>,
    hands: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    before: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// Starts a program in a terminal of so many columns and rows. It gets the
    /// variables of `command` and no others, but for what a terminal says.
    pub(crate) fn start(command: &Command, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env_clear();
        let defaults = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
        for (name, value) in defaults {
            builder.env(name, value);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        builder.cwd(command.get_current_dir().unwrap());
        let before = settings(&*pair.master);
        let child = pair.slave.spawn_command(builder).unwrap();
        // The last slave end is the client's: the reader ends with it.
        drop(pair.slave);
        let output = Arc::new(Mutex::new(Output {
            emulator: vt100::Parser::new(rows, columns, 0),
            bytes: Vec::new(),
        }));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let written = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut output = written.lock().unwrap();
                output.emulator.process(&buffer[..count]);
                output.bytes.extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            output,
            hands: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            before,
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.hands.write_all(keys.as_bytes()).unwrap();
        self.hands.flush().unwrap();
    }

    /// What is on the screen, line by line. Spaces at the end of a line, written or
    /// not, look the same.
    pub(crate) fn screen(&self) -> String {
        let contents = self.output.lock().unwrap().emulator.screen().contents();
        let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Every byte that was written so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.output.lock().unwrap().bytes.clone()
    }

    /// What was put on the clipboard, oldest first: the terminal's own sequence for
    /// that is `OSC 52`.
    pub(crate) fn clipboard(&self) -> Vec<String> {
        let written = String::from_utf8_lossy(&self.bytes()).into_owned();
        written
            .split("\x1b]52;c;")
            .skip(1)
            .filter_map(|rest| rest.split(['\x1b', '\x07']).next())
            .map(|coded| String::from_utf8(from_base64(coded)).unwrap())
            .collect()
    }

    /// Whether the program has the whole screen.
    pub(crate) fn is_full_screen(&self) -> bool {
        self.output
            .lock()
            .unwrap()
            .emulator
            .screen()
            .alternate_screen()
    }

    /// Waits until the screen says something.
    pub(crate) async fn sees(&self, words: &str) {
        self.sees_within(words, PATIENCE).await;
    }

    /// Waits until the screen says something, not longer than `limit`.
    pub(crate) async fn sees_within(&self, words: &str, limit: Duration) {
        self.shows(words, limit, |screen| screen.contains(words))
            .await;
    }

    /// Waits until the screen does not say something any more.
    pub(crate) async fn sees_no_more(&self, words: &str) {
        self.shows(words, PATIENCE, |screen| !screen.contains(words))
            .await;
    }

    /// Waits until the screen is as it should be.
    pub(crate) async fn shows(&self, what: &str, limit: Duration, is_so: impl Fn(&str) -> bool) {
        let look = async {
            while !is_so(&self.screen()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, look).await.is_err() {
            panic!(
                "{what:?}: not within {limit:?}; the screen is\n{}",
                self.screen()
            );
        }
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.output
            .lock()
            .unwrap()
            .emulator
            .screen_mut()
            .set_size(rows, columns);
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// The process in it.
    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        let pid = self.child.process_id().expect("it runs");
        nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap())
    }

    /// Waits for the end: the exit code, and the terminal as it was.
    pub(crate) async fn ended(&mut self) -> u32 {
        let child = &mut self.child;
        let status = until("the client ends", PATIENCE, || {
            let status = child.try_wait().unwrap();
            async { status }
        })
        .await;
        assert_eq!(settings(&*self.master), self.before, "termios as before");
        // What was written last may still be on its way.
        let output = Arc::clone(&self.output);
        until("the ordinary screen is back", PATIENCE, || {
            let output = output.lock().unwrap();
            let screen = output.emulator.screen();
            let is_back = !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && !screen.bracketed_paste();
            async move { is_back.then_some(()) }
        })
        .await;
        status.exit_code()
    }

    /// Kills the program as nothing should be killed.
    pub(crate) fn kill_hard(&mut self) {
        nix::sys::signal::kill(self.pid(), nix::sys::signal::Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
    }

    /// The time that its processor spent on it so far.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // After the name, which may hold anything, the fields from the third on.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<u64>().unwrap();
        // A hundred a second, on every Linux.
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }
}

fn from_base64(coded: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for c in coded.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == c).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    bytes
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// The settings of a terminal, all of them, as text that can be compared.
fn settings(master: &(dyn MasterPty + Send)) -> String {
    let settings = master.get_termios().expect("a pty has settings");
    format!("{settings:?}")
}
