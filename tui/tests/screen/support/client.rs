//! A client without its loop: what is done to it goes through `update`, what it
//! wants done is kept, and it is drawn when a test looks at it.

use kiln_proto::v1 as pb;
use kiln_tui::client::Error;
use kiln_tui::client::link::{Report, Topic};
use kiln_tui::effect::{Call, CallId, Effect};
use kiln_tui::ingest;
use kiln_tui::keymap::Keymap;
use kiln_tui::model::settings::Settings;
use kiln_tui::model::{Model, Start};
use kiln_tui::msg::{Input, Local, Msg};
use kiln_tui::update;

use super::daemon::Daemon;
use super::keys::key;
use super::messages::{self, NOW_MS};
use super::terminal::Screen;

/// The client.
pub(crate) struct Client {
    /// What it knows.
    pub(crate) model: Model,
    /// Who answers its calls.
    pub(crate) daemon: Daemon,
    /// What it wanted done, but for calls; oldest first.
    pub(crate) effects: Vec<Effect>,
    /// Calls that nobody has answered yet.
    pub(crate) calls: Vec<(CallId, Call)>,
    /// The time; moved by hand.
    pub(crate) now_ms: i64,
    screen: Screen,
}

/// What a client knows before anything happens, as on somebody's own machine.
pub(crate) fn start() -> Start {
    Start {
        address: messages::address().to_string(),
        security: "unix socket: stays on this machine",
        settings: Settings {
            welcomed: true,
            ..Settings::default()
        },
        keymap: Keymap::default(),
        drafts: [].into(),
        ascii: false,
        no_color: false,
        depth: kiln_tui::view::theme::Depth::True,
        run: "test".to_owned(),
    }
}

impl Client {
    /// One that has just begun, in a terminal of this size.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        Self::with(size, start())
    }

    /// One that begins with this.
    pub(crate) fn with(size: (u16, u16), start: Start) -> Self {
        let mut client = Self {
            model: Model::new(start),
            daemon: Daemon::default(),
            effects: Vec::new(),
            calls: Vec::new(),
            now_ms: NOW_MS,
            screen: Screen::new(size),
        };
        client.input(Input::Resize(size.0, size.1));
        client
    }

    /// One that is connected, and has these projects.
    pub(crate) fn online(size: (u16, u16), projects: Vec<pb::Project>) -> Self {
        let mut client = Self::new(size);
        client.report(messages::hello());
        client.report(messages::projects(projects));
        client.settle();
        client
    }

    /// One in which the only project is open.
    pub(crate) fn opened(size: (u16, u16), project: pb::Project) -> Self {
        let mut client = Self::online(size, vec![project]);
        client.press("enter");
        client
    }

    /// Takes a message.
    pub(crate) fn take(&mut self, msg: Msg) {
        for effect in update::update(&mut self.model, msg, self.now_ms) {
            match effect {
                Effect::Call(id, call) => self.calls.push((id, call)),
                other => self.effects.push(other),
            }
        }
    }

    /// Something happens in the terminal.
    pub(crate) fn input(&mut self, input: Input) {
        self.take(Msg::Input(input));
    }

    /// Keys, with blanks between them.
    pub(crate) fn press(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            self.input(Input::Key(key(word)));
        }
    }

    /// Characters, one after the other.
    pub(crate) fn write(&mut self, text: &str) {
        for c in text.chars() {
            let code = crossterm::event::KeyCode::Char(c);
            self.input(Input::Key(code.into()));
        }
    }

    /// Pasted text.
    pub(crate) fn paste(&mut self, text: &str) {
        self.input(Input::Paste(text.to_owned()));
    }

    /// The left button goes down.
    pub(crate) fn click(&mut self, (column, row): (u16, u16)) {
        use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
        self.input(Input::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }));
    }

    /// The left button goes down where these words begin.
    pub(crate) fn click_on(&mut self, words: &str) {
        self.draw();
        let point = self.screen.find(words);
        let point = point.unwrap_or_else(|| panic!("{words:?} is not seen:\n{}", self.text()));
        self.click(point);
    }

    /// Something comes over the connection; cleaned as the loop does it.
    pub(crate) fn report(&mut self, report: Report) {
        if let Some(news) = ingest::report::news(report, self.now_ms) {
            self.take(Msg::News(news));
        }
    }

    /// Something on this machine is done.
    pub(crate) fn local(&mut self, local: Local) {
        self.take(Msg::Local(local));
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.take(Msg::Tick);
    }

    /// The daemon answers everything that was asked, and what is asked because of
    /// the answers.
    pub(crate) fn settle(&mut self) {
        while !self.calls.is_empty() {
            for (id, call) in std::mem::take(&mut self.calls) {
                let result = self.daemon.answer(&call).map_err(ingest::failure);
                self.take(Msg::Answered { id, result });
            }
        }
    }

    /// The daemon refuses what was asked last.
    pub(crate) fn refuse(&mut self, error: Error) {
        let (id, _) = self.calls.pop().unwrap();
        let result = Err(ingest::failure(error));
        self.take(Msg::Answered { id, result });
    }

    /// The call that was made last and is not answered.
    pub(crate) fn last_call(&self) -> Option<&Call> {
        self.calls.last().map(|(_, call)| call)
    }

    /// What is followed now.
    pub(crate) fn followed(&self) -> &[Topic] {
        let last = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Follow(topics) => Some(topics.as_slice()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// Whether it was wanted, at any time.
    pub(crate) fn wanted(&self, is: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(is)
    }

    /// Draws, and shows what is on the terminal.
    pub(crate) fn draw(&mut self) -> &Screen {
        self.screen.draw(&self.model);
        &self.screen
    }

    /// What is on the terminal, drawn anew.
    pub(crate) fn text(&mut self) -> String {
        self.draw().text()
    }

    /// Whether somebody would read this.
    pub(crate) fn shows(&mut self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// The terminal itself.
    pub(crate) fn screen(&mut self) -> &mut Screen {
        &mut self.screen
    }
}
