//! Measures the client: how it starts, what it takes, what it does while nothing
//! happens, and how long a frame takes. `scripts/bench client` builds and runs
//! it.
//!
//! - `process`: the real program on a terminal, beside the smallest one.
//! - `frames`: frames in this process. `scene`: what is on them.
//! - `daemon`: whom the client talks to meanwhile. `report`: what is printed.
//!
//! Numbers are reported, never asserted: it ends well whatever they are.

mod daemon;
mod frames;
mod process;
mod report;
mod scene;
mod stats;
#[path = "../terminal/mod.rs"]
#[allow(dead_code, reason = "shared: each example uses its part")]
mod terminal;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::process::{Case, Idle, Places, Starts};
use self::report::{Amount, Bar, Figure, Section};
use self::stats::ms;

/// Where the bars are: milliseconds to the first frame, bytes resident,
/// milliseconds a frame, and how much longer a frame may take with a thousand
/// times the lines.
const FIRST_FRAME_MS: f64 = 30.0;
const RESIDENT_MB: f64 = 15.0;
const FRAME_MS: f64 = 0.5;
const FLAT: f64 = 1.25;
/// A client that draws 60 frames a second has this long for one.
const WHOLE_FRAME_MS: f64 = 16.0;
/// Less than this is nothing: ten thousandths of a core.
const IDLE_PERCENT: f64 = 0.05;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 50);
/// Lines of an answer that is being written: a long one, and one as long as no
/// model of today writes.
const ANSWERS: [usize; 2] = [200, 1_000];
const LINES: [u64; 3] = [1_000, 100_000, 1_000_000];

const USAGE: &str =
    "usage: measure [--json] [--frames WORDS] KILN SMALLEST; scripts/bench client does it";

fn main() -> Result<(), Box<dyn Error>> {
    let mut json = false;
    let mut only = None;
    let mut programs = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--frames" => only = arguments.next(),
            _ => programs.push(PathBuf::from(argument)),
        }
    }
    let [kiln, smallest] = programs.as_slice() else {
        return Err(USAGE.into());
    };
    let sections = match only {
        Some(words) => vec![drawn(SMALL, &words)?, drawn(LARGE, &words)?],
        None => everything(kiln, smallest)?,
    };
    let mut out = io::stdout();
    if json {
        report::print_json(&mut out, &sections)?;
    } else {
        report::print(&mut out, &sections)?;
    }
    Ok(())
}

fn everything(kiln: &Path, smallest: &Path) -> Result<Vec<Section>, Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let places = Places {
        kiln: kiln.canonicalize()?,
        smallest: smallest.canonicalize()?,
        dir: home.path().to_owned(),
    };
    let mut words = io::stderr();
    writeln!(words, "  starts…")?;
    let starts = process::starts(&places)?;
    writeln!(words, "  idle…")?;
    let idle = process::idle(&places)?;
    writeln!(words, "  frames…")?;
    Ok(vec![
        started(&starts),
        resident(&starts, &idle),
        rested(&idle),
        drawn(SMALL, "")?,
        drawn(LARGE, "")?,
    ])
}

fn started(all: &[Starts]) -> Section {
    let floor = all.first().map(|starts| ms(starts.first_frame.median()));
    let figures = all
        .iter()
        .map(|starts| {
            let median = ms(starts.first_frame.median());
            let worst = ms(starts.first_frame.worst());
            Figure {
                subject: starts.case.words().to_owned(),
                values: vec![("median", Amount::Ms(median)), ("worst", Amount::Ms(worst))],
                ratio: floor.map(|floor| median / floor),
                bar: (starts.case != Case::Smallest)
                    .then(|| at_most(median, FIRST_FRAME_MS, "ms, median")),
            }
        })
        .collect();
    Section {
        title: format!("Start to first frame, {} in turn, 80x24", process::STARTS),
        figures,
    }
}

fn resident(starts: &[Starts], idle: &[Idle]) -> Section {
    let after_start = starts
        .iter()
        .map(|starts| (starts.case.words(), starts.memory));
    let after_rest = idle
        .iter()
        .skip(1)
        .take(2)
        .map(|idle| (idle.what, idle.memory));
    let floor = starts.first().map(|starts| mb(starts.memory.resident));
    let figures = after_start
        .chain(after_rest)
        .enumerate()
        .map(|(index, (what, memory))| {
            let resident = mb(memory.resident);
            let size = if index < starts.len() {
                "80x24"
            } else {
                "200x50"
            };
            Figure {
                subject: format!("{what}, {size}"),
                values: vec![
                    ("resident", Amount::Mb(resident)),
                    ("of that, no file", Amount::Mb(mb(memory.anonymous))),
                ],
                ratio: floor.map(|floor| resident / floor),
                bar: (index > 0).then(|| at_most(resident, RESIDENT_MB, "MB")),
            }
        })
        .collect();
    Section {
        title: "Memory".to_owned(),
        figures,
    }
}

fn rested(all: &[Idle]) -> Section {
    let figures = all
        .iter()
        .enumerate()
        .map(|(index, idle)| {
            let percent = 100.0 * idle.cpu.as_secs_f64() / process::IDLE.as_secs_f64();
            // Without a daemon it is not idle: something on the screen changes.
            let is_idle = index == 1 || index == 2;
            Figure {
                subject: idle.what.to_owned(),
                values: vec![
                    ("of a core", Amount::Percent(percent)),
                    ("woken", Amount::Count(idle.wakes)),
                    ("bytes written", Amount::Count(idle.bytes)),
                ],
                ratio: None,
                bar: is_idle.then(|| Bar {
                    words: "0.0 %, 0 bytes".to_owned(),
                    held: percent < IDLE_PERCENT && idle.bytes == 0,
                }),
            }
        })
        .collect();
    Section {
        title: format!("Idle for {} s, 200x50", process::IDLE.as_secs()),
        figures,
    }
}

/// What is asked of a kind of frame.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// Nothing: it is what others are compared with.
    Floor,
    /// Bar 14, and no longer than with few lines.
    Flat,
    /// Bar 14.
    Short,
    /// That 60 a second can be drawn.
    Smooth,
}

/// Frames of all kinds, or of those with some words in their name.
fn drawn(size: (u16, u16), words: &str) -> Result<Section, Box<dyn Error>> {
    let mut kinds = vec![(Asked::Floor, frames::floor(size, LINES[1])?)];
    for lines in LINES {
        kinds.push((Asked::Flat, frames::scroll_logs(size, lines)?));
    }
    kinds.push((Asked::Short, frames::scroll_conversation(size, 10_000)?));
    for lines in ANSWERS {
        kinds.push((Asked::Smooth, frames::grow(size, lines)?));
    }
    kinds.push((Asked::Smooth, frames::flood(size, LINES[1])?));
    kinds.retain(|(asked, kind)| *asked == Asked::Floor || kind.what.contains(words));

    let (asked, mut kinds): (Vec<_>, Vec<_>) = kinds.into_iter().unzip();
    let all = frames::measure(&mut kinds)?;
    let median = |wanted| {
        let at = asked.iter().position(|asked| *asked == wanted)?;
        all.get(at).map(|frames| ms(frames.whole.median()))
    };
    let (floor, shortest) = (median(Asked::Floor), median(Asked::Flat));
    let figures = asked
        .iter()
        .zip(kinds)
        .zip(&all)
        .map(|((asked, kind), frames)| {
            let (median, p99) = (ms(frames.whole.median()), ms(frames.whole.p99()));
            let bar = match asked {
                Asked::Floor => None,
                Asked::Flat => Some(Bar {
                    words: format!("p99 {FRAME_MS} ms, and flat"),
                    held: p99 <= FRAME_MS
                        && shortest.is_none_or(|shortest| median <= FLAT * shortest),
                }),
                Asked::Short => Some(at_most(p99, FRAME_MS, "ms, p99")),
                Asked::Smooth => Some(at_most(p99, WHOLE_FRAME_MS, "ms, p99: 60 a second")),
            };
            Figure {
                subject: kind.what,
                values: vec![
                    ("median", Amount::Ms(median)),
                    ("p99", Amount::Ms(p99)),
                    ("worst p99", Amount::Ms(ms(frames.whole.worst_p99()))),
                    ("drawing, median", Amount::Ms(ms(frames.drawing.median()))),
                    ("drawing, p99", Amount::Ms(ms(frames.drawing.p99()))),
                    ("bytes", Amount::Count(frames.bytes())),
                ],
                ratio: floor.map(|floor| median / floor),
                bar,
            }
        })
        .collect();
    Ok(Section {
        title: format!(
            "A frame at {}x{}, {} turns of {}",
            size.0,
            size.1,
            frames::ROUNDS,
            frames::FRAMES
        ),
        figures,
    })
}

fn at_most(value: f64, most: f64, unit: &str) -> Bar {
    Bar {
        words: format!("{most} {unit}"),
        held: value <= most,
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
