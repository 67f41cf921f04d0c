//! A terminal without a window: starts a program on a pty of its own, reads what
//! it writes into a screen, types what it is told, and ends it.
//!
//! Shared by the examples that drive the real client. It knows nothing of what
//! the program shows.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

/// How long a program may take to end after it was told to.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What to start.
pub(crate) struct Program {
    /// The binary.
    pub(crate) path: PathBuf,
    /// Everything in its environment.
    pub(crate) variables: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) dir: PathBuf,
    /// Columns and rows of its terminal.
    pub(crate) size: (u16, u16),
}

impl Program {
    /// A program in a home of its own, with nothing else of the environment.
    pub(crate) fn new(path: &Path, home: &Path, size: (u16, u16)) -> Self {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            path: path.to_owned(),
            variables: vec![
                variable("HOME", &home.display().to_string()),
                variable("LANG", "C.UTF-8"),
                variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
                variable("TERM", "xterm-256color"),
            ],
            dir: home.to_owned(),
            size,
        }
    }

    /// With one more variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A piece of output.
#[derive(Clone)]
pub(crate) struct Chunk {
    /// Since the start of the program.
    pub(crate) at: Duration,
    /// What was written.
    pub(crate) bytes: Vec<u8>,
}

/// What the reading thread knows.
struct Seen {
    screen: Parser,
    chunks: Vec<Chunk>,
    bytes: u64,
    /// When the last row of the screen had something on it for the first time.
    first_frame: Option<Duration>,
    ended: bool,
}

/// A program on a terminal. Dropping it kills the program.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Held so that the terminal stays until the program has ended.
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    started: Instant,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a program.
    pub(crate) fn start(program: &Program) -> io::Result<Self> {
        let (cols, rows) = program.size;
        let pty = native_pty_system()
            .openpty(PtySize {
                rows,
                cols,
                pixel_width: 0,
                pixel_height: 0,
            })
            .map_err(io::Error::other)?;
        let mut command = CommandBuilder::new(&program.path);
        command.env_clear();
        for (name, value) in &program.variables {
            command.env(name, value);
        }
        command.cwd(&program.dir);
        let input = pty.master.try_clone_reader().map_err(io::Error::other)?;
        let writer = pty.master.take_writer().map_err(io::Error::other)?;
        let seen = Arc::new((
            Mutex::new(Seen {
                screen: Parser::new(rows, cols, 0),
                chunks: Vec::new(),
                bytes: 0,
                first_frame: None,
                ended: false,
            }),
            Condvar::new(),
        ));
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).map_err(io::Error::other)?;
        // Only the program holds the terminal now: its end is the end of the text.
        drop(pty.slave);
        let shared = Arc::clone(&seen);
        let reader = std::thread::spawn(move || read(input, started, &shared));
        Ok(Self {
            child,
            _master: pty.master,
            writer,
            started,
            seen,
            reader: Some(reader),
        })
    }

    /// The process.
    pub(crate) fn pid(&self) -> io::Result<u32> {
        self.child
            .process_id()
            .ok_or_else(|| io::Error::other("the program has ended"))
    }

    /// Since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) -> io::Result<()> {
        self.writer.write_all(keys.as_bytes())?;
        self.writer.flush()
    }

    /// Waits until the whole first frame is there: its last row has something on
    /// it. Gives when that was.
    pub(crate) fn first_frame(&self, limit: Duration) -> io::Result<Duration> {
        self.wait(limit, "the first frame", |seen| seen.first_frame.is_some())?;
        self.lock()
            .first_frame
            .ok_or_else(|| io::Error::other("no first frame"))
    }

    /// Waits until the screen is as wanted; `what` says what that is.
    pub(crate) fn wait_for(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Screen) -> bool,
    ) -> io::Result<()> {
        self.wait(limit, what, |seen| wanted(seen.screen.screen()))
    }

    /// Waits until a text is on the screen.
    pub(crate) fn wait_for_text(&self, limit: Duration, text: &str) -> io::Result<()> {
        self.wait_for(limit, text, |screen| screen.contents().contains(text))
    }

    /// Bytes that were written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// The screen as it is.
    pub(crate) fn screen(&self) -> Screen {
        self.lock().screen.screen().clone()
    }

    /// Everything that was written so far.
    pub(crate) fn chunks(&self) -> Vec<Chunk> {
        self.lock().chunks.clone()
    }

    /// Types the keys that end the program, and waits for its end.
    pub(crate) fn quit(&mut self, keys: &str) -> io::Result<()> {
        self.send(keys)?;
        self.wait(ENDS_WITHIN, "the end of the program", |seen| seen.ended)?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the program ended with {status}")))
        }
    }

    fn wait(&self, limit: Duration, what: &str, wanted: impl Fn(&Seen) -> bool) -> io::Result<()> {
        let until = Instant::now() + limit;
        let mut seen = self.lock();
        loop {
            if wanted(&seen) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.ended {
                let screen = seen.screen.screen().contents();
                return Err(io::Error::other(format!(
                    "waited in vain for \"{what}\"; the screen:\n{screen}"
                )));
            }
            seen = self
                .seen
                .1
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(mut input: Box<dyn Read + Send>, started: Instant, shared: &(Mutex<Seen>, Condvar)) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let got = input.read(&mut buffer);
        let at = started.elapsed();
        let mut seen = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        match got {
            // The end of a terminal is an error on Linux.
            Ok(0) | Err(_) => {
                seen.ended = true;
                shared.1.notify_all();
                return;
            }
            Ok(count) => {
                seen.screen.process(&buffer[..count]);
                seen.bytes += count as u64;
                seen.chunks.push(Chunk {
                    at,
                    bytes: buffer[..count].to_vec(),
                });
                if seen.first_frame.is_none() && has_last_row(seen.screen.screen()) {
                    seen.first_frame = Some(at);
                }
            }
        }
        drop(seen);
        shared.1.notify_all();
    }
}

fn has_last_row(screen: &Screen) -> bool {
    let (rows, columns) = screen.size();
    screen
        .contents_between(rows - 1, 0, rows - 1, columns)
        .chars()
        .any(|c| !c.is_whitespace())
}
