//! The loop of the full-screen client: what happens becomes a message, messages
//! change the model, effects are done beside the loop, and the screen is drawn
//! once for everything that came together.
//!
//! Nothing here waits for the network: calls run in tasks of their own, and
//! quitting works while everything else is broken. At most 60 frames a second
//! are drawn, and none when nothing changed.

mod calls;
mod local;
mod memory;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::memory::Memory;
use crate::client::Options;
use crate::client::link::{Command, Link, Report};
use crate::effect::Effect;
use crate::ingest::report;
use crate::model::Model;
use crate::msg::{Input, Local, Msg};
use crate::terminal::Screen;
use crate::{update, view};

/// The shortest time between two frames: 60 a second.
const FRAME: Duration = Duration::from_micros(16_667);
/// How long nobody types before a draft is kept, so that even a client that is
/// killed loses next to nothing.
const DRAFT_RESTS: Duration = Duration::from_secs(1);
/// Messages taken together before the screen is drawn, so that a flood cannot
/// keep it from being drawn.
const BATCH: usize = 256;

/// Why the client ends although nobody asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal does not do what it is told.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Everything that the loop holds.
struct Runtime {
    model: Model,
    screen: Screen,
    link: Link,
    memory: Memory,
    /// Where tasks tell what came of them.
    outcomes: mpsc::UnboundedSender<Msg>,
    tasks: JoinSet<()>,
    /// `None` while somebody else has the terminal.
    input: Option<EventStream>,
    quit: bool,
    /// Whether the model changed since the last frame.
    dirty: bool,
    /// When what is being written is to be kept.
    keep_at: Option<Instant>,
}

/// Shows the client until the user leaves.
///
/// # Errors
/// If the terminal cannot be used.
pub async fn run(mut model: Model, options: Options, memory: Memory) -> Result<(), Error> {
    let mut screen = Screen::take(model.settings.mouse)?;
    let (columns, rows) = screen.size()?;
    let first = update::update(
        &mut model,
        Msg::Input(Input::Resize(columns, rows)),
        now_ms(),
    );
    // The first frame comes before anything is asked of anybody.
    screen.draw(|frame| view::draw(&model, frame))?;

    let (link, mut reports) = Link::start(options);
    let (outcomes, mut inbox) = mpsc::unbounded_channel();
    let mut runtime = Runtime {
        model,
        screen,
        link,
        memory,
        outcomes,
        tasks: JoinSet::new(),
        input: Some(EventStream::new()),
        quit: false,
        dirty: false,
        keep_at: None,
    };
    runtime.perform(first)?;
    let mut signals = Signals::listen()?;
    let mut drawn = Instant::now();
    #[cfg(debug_assertions)]
    runtime.fail_as_told();

    while !runtime.quit {
        let wake = runtime.next_wake(drawn);
        tokio::select! {
            biased;
            asked = signals.next() => match asked {
                Asked::End => break,
                Asked::Stop => runtime.suspend()?,
                // Back from a stop, which may not have asked: whoever had the
                // terminal meanwhile left it as they like it.
                Asked::GoOn => runtime.away(|| ())?,
            },
            event = next_event(&mut runtime.input) => match event {
                Some(Ok(event)) => runtime.input(event)?,
                // The terminal is gone: there is nobody to show anything to.
                Some(Err(_)) | None => break,
            },
            Some(report) = reports.recv() => runtime.report(report)?,
            Some(msg) = inbox.recv() => runtime.take(msg)?,
            () = sleep_until(wake) => runtime.tick()?,
        }
        for _ in 0..BATCH {
            if let Ok(report) = reports.try_recv() {
                runtime.report(report)?;
            } else if let Ok(msg) = inbox.try_recv() {
                runtime.take(msg)?;
            } else {
                break;
            }
        }
        while runtime.tasks.try_join_next().is_some() {}
        if runtime.keep_at.is_some_and(|at| at <= Instant::now()) {
            runtime.keep_drafts();
        }
        if runtime.dirty && drawn.elapsed() >= FRAME && !runtime.quit {
            runtime.draw()?;
            drawn = Instant::now();
        }
    }
    runtime.keep_drafts();
    Ok(())
}

impl Runtime {
    fn take(&mut self, msg: Msg) -> Result<(), Error> {
        let effects = update::update(&mut self.model, msg, now_ms());
        self.dirty |= std::mem::take(&mut self.model.changed);
        self.perform(effects)
    }

    fn input(&mut self, event: Event) -> Result<(), Error> {
        let input = match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => return Ok(()),
            Event::Key(key) => Input::Key(key),
            Event::Mouse(mouse) => Input::Mouse(mouse),
            Event::Paste(text) => Input::Paste(text),
            Event::Resize(columns, rows) => Input::Resize(columns, rows),
            Event::FocusGained => Input::Focus(true),
            Event::FocusLost => Input::Focus(false),
        };
        if matches!(input, Input::Key(_) | Input::Paste(_)) {
            self.keep_at = Some(Instant::now() + DRAFT_RESTS);
        }
        self.take(Msg::Input(input))
    }

    fn report(&mut self, report: Report) -> Result<(), Error> {
        match report::news(report, now_ms()) {
            Some(news) => self.take(Msg::News(news)),
            None => Ok(()),
        }
    }

    fn tick(&mut self) -> Result<(), Error> {
        if self.model.next_tick_ms().is_some_and(|at| at <= now_ms()) {
            return self.take(Msg::Tick);
        }
        Ok(())
    }

    /// When something must be done although nothing happens.
    fn next_wake(&self, drawn: Instant) -> Option<Instant> {
        let frame = self.dirty.then(|| drawn + FRAME);
        let tick = self.model.next_tick_ms().map(|at| {
            let wait = u64::try_from(at.saturating_sub(now_ms())).unwrap_or(0);
            Instant::now() + Duration::from_millis(wait)
        });
        [frame, tick, self.keep_at].into_iter().flatten().min()
    }

    /// Keeps what is being written, for the next client.
    fn keep_drafts(&mut self) {
        self.keep_at = None;
        for (key, text) in update::written(&self.model) {
            self.memory.keep_draft(&key, &text);
        }
    }

    /// For the tests of how the terminal is given back: there is no other way to
    /// make the real program panic. Not in what is shipped.
    #[cfg(debug_assertions)]
    #[allow(clippy::panic, reason = "this is what it is for")]
    fn fail_as_told(&mut self) {
        match std::env::var("KILN_TEST_PANIC").as_deref() {
            Ok("loop") => panic!("KILN_TEST_PANIC: the loop"),
            Ok("task") => {
                self.tasks
                    .spawn(async { panic!("KILN_TEST_PANIC: the task") });
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn draw(&mut self) -> Result<(), Error> {
        self.dirty = false;
        let model = &self.model;
        self.screen.draw(|frame| view::draw(model, frame))?;
        Ok(())
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), Error> {
        for effect in effects {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Suspend => self.suspend()?,
                Effect::Redraw => {
                    self.screen.renew()?;
                    self.dirty = true;
                }
                Effect::Call(id, call) => {
                    let client = self.link.client();
                    let outcomes = self.outcomes.clone();
                    self.tasks.spawn(async move {
                        let result = match client {
                            Some(client) => calls::perform(&client, call).await,
                            None => Err(crate::failure::Failure::offline()),
                        };
                        // The loop ends before the tasks do.
                        let _ = outcomes.send(Msg::Answered { id, result });
                    });
                }
                Effect::Follow(topics) => self.link.send(Command::Follow(topics)),
                Effect::Retry => self.link.send(Command::Retry),
                Effect::Reconnect => self.link.send(Command::Reconnect),
                Effect::Open(url) => self.beside(move || Local::Opened(local::open(&url))),
                Effect::Clipboard(text) => local::copy(&text)?,
                Effect::Edit(text) => self.edit(&text)?,
                Effect::Save { path, text } => {
                    self.beside(move || Local::Saved(local::save(&path, &text)));
                }
                Effect::KeepDraft { key, text } => self.memory.keep_draft(&key, &text),
                Effect::KeepSettings(settings) => self.memory.keep_settings(&settings),
                Effect::Mouse(on) => self.screen.set_mouse(on)?,
                Effect::Bell => local::bell()?,
            }
        }
        Ok(())
    }

    /// Does what may take a moment away from the loop.
    fn beside(&mut self, work: impl FnOnce() -> Local + Send + 'static) {
        let outcomes = self.outcomes.clone();
        self.tasks.spawn_blocking(move || {
            let _ = outcomes.send(Msg::Local(work()));
        });
    }

    /// Gives terminal and keys away, and takes both again. What happens meanwhile
    /// waits in its queues.
    fn away<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, Error> {
        // Dropped, so that not two read the same keys.
        self.input = None;
        self.screen.leave();
        let result = work();
        self.screen.enter()?;
        self.input = Some(EventStream::new());
        let (columns, rows) = self.screen.size()?;
        self.take(Msg::Input(Input::Resize(columns, rows)))?;
        self.dirty = true;
        Ok(result)
    }

    fn suspend(&mut self) -> Result<(), Error> {
        self.away(local::stop_here)
    }

    fn edit(&mut self, text: &str) -> Result<(), Error> {
        // Nobody knows how long the editor takes, nor how it ends.
        self.keep_drafts();
        let edited = self.away(|| tokio::task::block_in_place(|| local::edit(text)))?;
        self.take(Msg::Local(Local::Edited(edited)))
    }
}

async fn next_event(input: &mut Option<EventStream>) -> Option<std::io::Result<Event>> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Signals that end the client in an orderly way, or that say that it goes on.
struct Signals {
    term: Signal,
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    stop: Signal,
    goes_on: Signal,
}

/// What a signal asks for.
enum Asked {
    /// To end.
    End,
    /// To give the terminal to the shell until further notice.
    Stop,
    /// To take it again.
    GoOn,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            stop: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            goes_on: signal(SignalKind::from_raw(nix::libc::SIGCONT))?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => Asked::End,
            _ = self.hangup.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.quit.recv() => Asked::End,
            _ = self.stop.recv() => Asked::Stop,
            _ = self.goes_on.recv() => Asked::GoOn,
        }
    }
}

/// Milliseconds since 1970, now.
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
