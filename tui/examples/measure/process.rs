//! What the real program costs, beside the smallest one: time to the first
//! frame, memory, and what it does while nothing happens.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::daemon::Daemon;
use crate::stats::Times;
use crate::terminal::{Program, Terminal};

/// How often each program is started.
pub(crate) const STARTS: usize = 20;
/// How long nothing happens.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// Lines that the sandbox has written.
pub(crate) const LINES: u64 = 100_000;

const SIZE: (u16, u16) = (80, 24);
/// Large enough for everything to be seen at once.
const LARGE: (u16, u16) = (200, 50);
/// Nothing takes this long.
const LIMIT: Duration = Duration::from_secs(60);
/// After the first frame, until memory is read: connecting is over by then.
const SETTLES: Duration = Duration::from_millis(250);
/// Before the client is called idle: notices have gone by then.
const RESTS: Duration = Duration::from_secs(12);

const QUIT: &str = "\x11";

/// Where everything is.
pub(crate) struct Places {
    /// The real client.
    pub(crate) kiln: PathBuf,
    /// The smallest program.
    pub(crate) smallest: PathBuf,
    /// A directory of our own.
    pub(crate) dir: PathBuf,
}

/// What a program was started with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// The smallest program.
    Smallest,
    /// The client; nobody listens.
    NoDaemon,
    /// The client; a server that takes the connection and says nothing.
    Silent,
    /// The client; a daemon that answers.
    Online,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::Smallest, Self::NoDaemon, Self::Silent, Self::Online];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Smallest => "smallest ratatui program",
            Self::NoDaemon => "kiln, no daemon",
            Self::Silent => "kiln, KILN_SERVER does not answer",
            Self::Online => "kiln, a daemon answers",
        }
    }
}

/// Starts of one case.
pub(crate) struct Starts {
    pub(crate) case: Case,
    pub(crate) first_frame: Times,
    /// Bytes; the median after a start.
    pub(crate) memory: Memory,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// Of that, what is no file: heap and stacks.
    pub(crate) anonymous: u64,
}

/// What a program did while nothing happened.
pub(crate) struct Idle {
    pub(crate) what: &'static str,
    pub(crate) cpu: Duration,
    /// How often it was woken.
    pub(crate) wakes: u64,
    pub(crate) bytes: u64,
    pub(crate) memory: Memory,
}

/// Starts every case in turn, again and again.
pub(crate) fn starts(places: &Places) -> io::Result<Vec<Starts>> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let socket = places.dir.join("online.sock");
    let _daemon = Daemon::start(&socket, 0)?;
    let mut all: Vec<(Starts, Vec<Memory>)> = Case::ALL
        .map(|case| {
            let starts = Starts {
                case,
                first_frame: Times::default(),
                memory: Memory::default(),
            };
            (starts, Vec::new())
        })
        .into();
    for round in 0..=STARTS {
        // Each time another one is the first.
        all.rotate_left(1);
        for (starts, memories) in &mut all {
            let program = match starts.case {
                Case::Smallest => Program::new(&places.smallest, &places.dir, SIZE),
                Case::NoDaemon => client(places, SIZE, &nobody(places)),
                Case::Silent => client(places, SIZE, &format!("http://{}", silent.local_addr()?)),
                Case::Online => client(places, SIZE, &unix(&socket)),
            };
            let mut terminal = Terminal::start(&program)?;
            let first_frame = terminal.first_frame(LIMIT)?;
            std::thread::sleep(SETTLES);
            let memory = memory(terminal.pid()?)?;
            terminal.quit(QUIT)?;
            // The first round fills the caches of the system.
            if round > 0 {
                starts.first_frame.push(first_frame);
                memories.push(memory);
            }
        }
    }
    all.sort_by_key(|(starts, _)| starts.case);
    Ok(all
        .into_iter()
        .map(|(mut starts, mut memories)| {
            memories.sort_unstable();
            starts.memory = memories
                .get(memories.len() / 2)
                .copied()
                .unwrap_or_default();
            starts
        })
        .collect())
}

/// Leaves programs alone, all at the same time: the smallest, and the client with
/// a list, with a project and all its log lines, and without a daemon.
pub(crate) fn idle(places: &Places) -> io::Result<Vec<Idle>> {
    let socket = places.dir.join("lines.sock");
    let _daemon = Daemon::start(&socket, LINES)?;
    let online = unix(&socket);
    let mut programs = vec![
        (
            "smallest ratatui program",
            Program::new(&places.smallest, &places.dir, LARGE),
        ),
        ("kiln, the projects", client(places, LARGE, &online)),
        (
            "kiln, a project with 100,000 log lines",
            client(places, LARGE, &online),
        ),
        (
            "kiln, no daemon: it counts down to the next try",
            client(places, LARGE, &nobody(places)),
        ),
    ];
    let mut running = Vec::new();
    for (index, (what, program)) in programs.drain(..).enumerate() {
        let mut terminal = Terminal::start(&program)?;
        terminal.first_frame(LIMIT)?;
        if index == 1 || index == 2 {
            terminal.wait_for_text(LIMIT, "online")?;
            terminal.wait_for_text(LIMIT, "a todo list")?;
        }
        if index == 2 {
            terminal.send("\r")?;
            terminal.wait_for_text(LIMIT, "Logs 100,000")?;
        }
        running.push((what, terminal));
    }
    std::thread::sleep(RESTS);
    let before = running
        .iter()
        .map(|(_, terminal)| Ok((terminal.bytes(), used(terminal.pid()?)?)))
        .collect::<io::Result<Vec<_>>>()?;
    std::thread::sleep(IDLE);
    let mut all = Vec::new();
    for ((what, mut terminal), (bytes, (cpu, wakes))) in running.into_iter().zip(before) {
        let pid = terminal.pid()?;
        let now = used(pid)?;
        all.push(Idle {
            what,
            cpu: now.0.saturating_sub(cpu),
            wakes: now.1.saturating_sub(wakes),
            bytes: terminal.bytes() - bytes,
            memory: memory(pid)?,
        });
        terminal.quit(QUIT)?;
    }
    Ok(all)
}

fn client(places: &Places, size: (u16, u16), server: &str) -> Program {
    Program::new(&places.kiln, &places.dir, size).variable("KILN_SERVER", server)
}

fn unix(socket: &Path) -> String {
    format!("unix:{}", socket.display())
}

fn nobody(places: &Places) -> String {
    unix(&places.dir.join("nobody.sock"))
}

fn memory(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Memory {
        resident: field(&status, "VmRSS:")? * 1024,
        anonymous: field(&status, "RssAnon:")? * 1024,
    })
}

/// What all threads used of a processor, and how often they had waited.
fn used(pid: u32) -> io::Result<(Duration, u64)> {
    let (mut cpu, mut wakes) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let times = fs::read_to_string(task.join("schedstat"))?;
        let nanos = times.split_whitespace().next().unwrap_or_default();
        cpu += nanos.parse::<u64>().map_err(io::Error::other)?;
        let status = fs::read_to_string(task.join("status"))?;
        wakes += field(&status, "voluntary_ctxt_switches:")?;
    }
    Ok((Duration::from_nanos(cpu), wakes))
}

fn field(status: &str, name: &str) -> io::Result<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} in /proc")))
}
