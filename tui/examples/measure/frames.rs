//! How long a frame takes, in this process and through the library: a message
//! changes the model, the model is drawn, and what differs from the frame before
//! is written to a terminal that only counts.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kiln_proto::v1 as pb;
use kiln_tui::client::link::{Hello, Report, State};
use kiln_tui::client::logs::LogBatch;
use kiln_tui::client::watch::Batch;
use kiln_tui::ingest::report;
use kiln_tui::keymap::Keymap;
use kiln_tui::model::logs::{Logs, MOST_BYTES, MOST_LINES};
use kiln_tui::model::settings::Settings;
use kiln_tui::model::{Model, Start};
use kiln_tui::msg::{Input, Msg};
use kiln_tui::view::theme::Depth;
use kiln_tui::{update, view};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::scene;
use crate::stats::{Rounds, Times};

/// Every kind has its turn this often.
pub(crate) const ROUNDS: usize = 9;
/// Frames of a turn that are measured, after those that are not.
pub(crate) const FRAMES: usize = 600;
const WARM_UP: usize = 50;
/// Frames in one direction before the other one.
const SWING: usize = 20;
/// After so many frames a jump: to the beginning, or to the end.
const JUMP: usize = 100;
/// Lines that come between two frames when an app writes 50,000 a second.
const FLOOD: u64 = 833;
/// Some time; the model is told it and never asks.
const NOW_MS: i64 = 1_700_000_100_000;

/// A kind of frame that can be measured.
pub(crate) struct Kind {
    /// What is shown and what happens.
    pub(crate) what: String,
    /// Makes a frame, by its number.
    step: Box<dyn FnMut(usize) -> io::Result<Took>>,
    written: Rc<Cell<u64>>,
    number: usize,
}

/// How long a frame took.
struct Took {
    /// From the message to the end.
    whole: Duration,
    /// Drawing and writing alone.
    drawing: Duration,
}

/// Frames of one kind, turn by turn.
#[derive(Default)]
pub(crate) struct Frames {
    /// From the message to the end of the frame.
    pub(crate) whole: Rounds,
    /// Drawing and writing alone.
    pub(crate) drawing: Rounds,
    /// Bytes to the terminal, in all.
    bytes: u64,
}

impl Frames {
    /// Bytes to the terminal, for a frame.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes / (ROUNDS * FRAMES) as u64
    }
}

/// Measures all kinds in turn, so that what else goes on meets them all alike.
pub(crate) fn measure(kinds: &mut [Kind]) -> io::Result<Vec<Frames>> {
    let mut all: Vec<Frames> = kinds.iter().map(|_| Frames::default()).collect();
    for _ in 0..ROUNDS {
        for (kind, frames) in kinds.iter_mut().zip(&mut all) {
            let (mut whole, mut drawing) = (Times::default(), Times::default());
            for _ in 0..WARM_UP {
                kind.frame()?;
            }
            let before = kind.written.get();
            for _ in 0..FRAMES {
                let took = kind.frame()?;
                whole.push(took.whole);
                drawing.push(took.drawing);
            }
            frames.bytes += kind.written.get() - before;
            frames.whole.push(whole);
            frames.drawing.push(drawing);
        }
    }
    Ok(all)
}

impl Kind {
    fn frame(&mut self) -> io::Result<Took> {
        self.number += 1;
        (self.step)(self.number)
    }
}

/// A terminal that counts what is written.
struct Sink(Rc<Cell<u64>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client without a network.
struct Stage {
    model: Model,
    terminal: Terminal<CrosstermBackend<Sink>>,
    written: Rc<Cell<u64>>,
    sequence: i64,
}

/// Scrolling in log lines that are all kept.
pub(crate) fn scroll_logs(size: (u16, u16), lines: u64) -> io::Result<Kind> {
    let stage = Stage::with_logs(size, lines)?;
    let what = format!("scroll, {} log lines", count(lines));
    Ok(stage.kind(what, |_, frame| Some(key(swing(frame)))))
}

/// An app that floods a pane which follows it.
pub(crate) fn flood(size: (u16, u16), lines: u64) -> io::Result<Kind> {
    let stage = Stage::with_logs(size, lines)?;
    let what = format!("{FLOOD} lines come, {} log lines", count(lines));
    let mut next = lines;
    Ok(stage.kind(what, move |_, _| {
        next += FLOOD;
        logs(next - FLOOD, FLOOD)
    }))
}

/// Scrolling in a conversation of so many rows.
pub(crate) fn scroll_conversation(size: (u16, u16), rows: usize) -> io::Result<Kind> {
    let mut stage = Stage::new(size)?;
    let mut number = 0;
    while stage.rows() < rows {
        number += 1;
        let events = scene::turn(stage.sequence + 1, number, 60);
        stage.happen(events);
    }
    stage.press(KeyCode::F(5));
    let what = format!(
        "scroll, conversation of {} rows",
        count(stage.rows() as u64)
    );
    Ok(stage.kind(what, |_, frame| Some(key(swing(frame)))))
}

/// An answer of so many lines that grows by a line a frame. It begins again
/// before it is another answer.
pub(crate) fn grow(size: (u16, u16), lines: usize) -> io::Result<Kind> {
    let mut stage = Stage::new(size)?;
    let events = scene::growing(1, lines);
    stage.happen(events);
    let what = format!("a line more, one answer of {} lines", count(lines as u64));
    let (model, sequence) = (stage.model.clone(), stage.sequence);
    Ok(stage.kind(what, move |stage, frame| {
        if frame.is_multiple_of(JUMP) {
            stage.model = model.clone();
            stage.sequence = sequence;
        }
        stage.sequence += 1;
        happened(vec![scene::next_line(stage.sequence, lines + frame % JUMP)])
    }))
}

/// The floor: the same lines, those that are seen cut at the right edge and put
/// into a buffer by ratatui alone, over the same area as the client's.
pub(crate) fn floor(size: (u16, u16), lines: u64) -> io::Result<Kind> {
    let texts: Vec<String> = (0..lines).map(|line| scene::log_line(line).text).collect();
    let written = Rc::new(Cell::new(0));
    let mut terminal = terminal(size, &written)?;
    let height = usize::from(size.1);
    let mut top = texts.len().saturating_sub(height);
    let step = move |frame: usize| {
        let from = Instant::now();
        let last = texts.len().saturating_sub(height);
        top = match swing(frame) {
            KeyCode::Home => 0,
            KeyCode::End => last,
            KeyCode::PageUp => top.saturating_sub(height),
            _ => (top + height).min(last),
        };
        terminal.draw(|frame| {
            let width = usize::from(frame.area().width);
            for (row, text) in frame.area().rows().zip(&texts[top..]) {
                let buffer = frame.buffer_mut();
                buffer.set_stringn(row.x, row.y, text, width, Style::default());
            }
        })?;
        let whole = from.elapsed();
        Ok(Took {
            whole,
            drawing: whole,
        })
    };
    Ok(Kind {
        what: format!("floor: a bare window of {} lines", count(lines)),
        step: Box::new(step),
        written,
        number: 0,
    })
}

impl Stage {
    /// The client with one project open.
    fn new(size: (u16, u16)) -> io::Result<Self> {
        let mut model = Model::new(Start {
            address: "unix:/run/kiln/kilnd.sock".into(),
            security: "unix socket: stays on this machine",
            settings: Settings::default(),
            keymap: Keymap::default(),
            drafts: BTreeMap::new(),
            ascii: false,
            no_color: false,
            depth: Depth::True,
            run: "measured".into(),
        });
        take(&mut model, Msg::Input(Input::Resize(size.0, size.1)));
        let hello = Hello {
            server: pb::GetServerInfoResponse::default(),
            user: pb::User::default(),
        };
        let reports = [
            Report::State(State::Online(Box::new(hello))),
            Report::Projects {
                fresh: true,
                change: pb::WatchProjectsResponse {
                    projects: vec![scene::project()],
                    initial_list_complete: true,
                    ..pb::WatchProjectsResponse::default()
                },
            },
        ];
        for report in reports {
            if let Some(news) = report::news(report, NOW_MS) {
                take(&mut model, Msg::News(news));
            }
        }
        take(&mut model, key(KeyCode::Enter));
        let written = Rc::new(Cell::new(0));
        Ok(Self {
            model,
            terminal: terminal(size, &written)?,
            written,
            sequence: 0,
        })
    }

    /// With so many log lines, all of them kept, and the pane of the logs open.
    fn with_logs(size: (u16, u16), lines: u64) -> io::Result<Self> {
        let mut stage = Self::new(size)?;
        let wanted = usize::try_from(lines).map_err(io::Error::other)?;
        if let Some(workspace) = stage.model.workspace_mut() {
            // The client keeps 100,000; more than that only to be measured.
            let bytes = MOST_BYTES * wanted.div_ceil(MOST_LINES).max(1);
            workspace.logs = Logs::with_limits(wanted.max(MOST_LINES), bytes);
        }
        let events = scene::turn(1, 1, 60);
        stage.happen(events);
        let mut first = 0;
        while first < lines {
            let some = (lines - first).min(1_000);
            if let Some(msg) = logs(first, some) {
                take(&mut stage.model, msg);
            }
            first += some;
        }
        stage.press(KeyCode::F(7));
        let kept = stage
            .model
            .workspace()
            .map_or(0, |workspace| workspace.logs.summary().kept);
        if kept != wanted {
            let text = format!("{kept} lines are kept, not {wanted}");
            return Err(io::Error::other(text));
        }
        Ok(stage)
    }

    fn happen(&mut self, events: Vec<pb::Event>) {
        self.sequence = events.last().map_or(self.sequence, |event| event.sequence);
        if let Some(msg) = happened(events) {
            take(&mut self.model, msg);
        }
    }

    fn press(&mut self, code: KeyCode) {
        take(&mut self.model, key(code));
    }

    fn rows(&self) -> usize {
        self.model
            .workspace()
            .map_or(0, |workspace| workspace.conversation.extent().1)
    }

    /// Frames, each after the message that `next` gives.
    fn kind(
        mut self,
        what: String,
        mut next: impl FnMut(&mut Self, usize) -> Option<Msg> + 'static,
    ) -> Kind {
        let written = Rc::clone(&self.written);
        let step = move |frame| {
            // What the daemon sends is there already: only the client is measured.
            let msg = next(&mut self, frame);
            let from = Instant::now();
            if let Some(msg) = msg {
                take(&mut self.model, msg);
            }
            let changed = from.elapsed();
            let model = &self.model;
            self.terminal.draw(|frame| view::draw(model, frame))?;
            let whole = from.elapsed();
            Ok(Took {
                whole,
                drawing: whole.saturating_sub(changed),
            })
        };
        Kind {
            what,
            step: Box::new(step),
            written,
            number: 0,
        }
    }
}

fn terminal(
    (columns, rows): (u16, u16),
    written: &Rc<Cell<u64>>,
) -> io::Result<Terminal<CrosstermBackend<Sink>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
    let sink = Sink(Rc::clone(written));
    Terminal::with_options(CrosstermBackend::new(sink), TerminalOptions { viewport })
}

fn take(model: &mut Model, msg: Msg) {
    // Nothing is done about it: there is nobody to ask.
    let _ = update::update(model, msg, NOW_MS);
    model.changed = false;
}

fn key(code: KeyCode) -> Msg {
    Msg::Input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// To and fro, with jumps, so that every part of the lines is visited.
fn swing(frame: usize) -> KeyCode {
    match (frame / JUMP % 2, frame % JUMP, frame / SWING % 2) {
        (0, 0, _) => KeyCode::Home,
        (_, 0, _) => KeyCode::End,
        (_, _, 0) => KeyCode::PageUp,
        _ => KeyCode::PageDown,
    }
}

fn logs(first: u64, count: u64) -> Option<Msg> {
    let report = Report::Logs {
        project_id: scene::PROJECT.into(),
        life: 1,
        batch: LogBatch {
            lines: (first..first + count).map(scene::log_line).collect(),
            dropped: 0,
        },
    };
    report::news(report, NOW_MS).map(Msg::News)
}

fn happened(events: Vec<pb::Event>) -> Option<Msg> {
    let head = events.last()?.sequence;
    let report = Report::Project {
        id: scene::PROJECT.into(),
        batch: Batch {
            snapshot: None,
            events,
            head,
        },
    };
    report::news(report, NOW_MS).map(Msg::News)
}

fn count(number: u64) -> String {
    kiln_tui::cli::output::format::count(i64::try_from(number).unwrap_or(i64::MAX))
}
