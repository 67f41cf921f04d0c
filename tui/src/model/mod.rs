//! Everything that the full-screen client knows, as plain data. `update` changes
//! it, `view` draws it; neither of them asks anybody else.
//!
//! Nothing here does IO, reads a clock or knows the network.

pub mod catalogue;
pub mod connection;
pub mod conversation;
pub mod editor;
pub mod event;
pub mod files;
pub mod form;
pub mod fuzzy;
pub mod list;
pub mod logs;
pub mod needle;
pub mod notice;
pub mod overlay;
pub mod pager;
pub mod project;
pub mod projects;
pub mod provider;
pub mod purpose;
pub mod settings;
pub mod sign_in;
pub mod workspace;

use std::collections::BTreeMap;

use self::catalogue::Catalogue;
use self::connection::{Account, Connection, Server};
use self::list::FilterList;
use self::notice::Notices;
use self::overlay::Overlay;
use self::project::Project;
use self::projects::Projects;
use self::provider::Provider;
use self::purpose::Purpose;
use self::settings::Settings;
use self::sign_in::SignIn;
use self::workspace::Workspace;
use crate::client::link::Topic;
use crate::effect::CallId;
use crate::keymap::Keymap;
use crate::view::theme::{Depth, Palette, Theme};

/// How often what moves is drawn anew while something runs; milliseconds.
const MOVING_MS: i64 = 120;
/// How often a countdown is drawn anew; milliseconds.
const COUNTING_MS: i64 = 1_000;

/// What is known before anything happens.
#[derive(Clone, Debug)]
pub struct Start {
    /// The daemon's address, for people.
    pub address: String,
    /// Whether what is said to it cannot be read by others, in a word.
    pub security: &'static str,
    /// The settings.
    pub settings: Settings,
    /// The keys.
    pub keymap: Keymap,
    /// Prompts that were written and not sent, by project.
    pub drafts: BTreeMap<String, String>,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
    /// Whether colours are unwanted.
    pub no_color: bool,
    /// How many colours there are.
    pub depth: Depth,
    /// Something that no other run of a client has: the beginning of request ids.
    pub run: String,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Model {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The time of the newest message; milliseconds since 1970.
    pub now_ms: i64,
    /// Whether the terminal's window has the keys.
    pub focused: bool,
    /// Whether anything changed that can be seen. Written by `update`, taken by
    /// the runtime.
    pub changed: bool,
    /// The daemon's address, for people.
    pub address: String,
    /// Whether what is said to it cannot be read by others, in a word.
    pub security: &'static str,
    /// The connection.
    pub connection: Connection,
    /// The daemon, once it said who it is.
    pub server: Option<Server>,
    /// Who is signed in.
    pub account: Option<Account>,
    /// The projects.
    pub projects: Projects,
    /// The models, once somebody asked.
    pub catalogue: Option<Catalogue>,
    /// Where models come from, once somebody asked.
    pub provider: Option<Provider>,
    /// What fills the screen.
    pub screen: Screen,
    /// What lies over it; the last is on top and has the keys.
    pub overlays: Vec<Overlay>,
    /// Short words about what just happened.
    pub notices: Notices,
    /// What the user chose about the client.
    pub settings: Settings,
    /// The keys.
    pub keymap: Keymap,
    /// Prompts that were written and not sent, by project.
    pub drafts: BTreeMap<String, String>,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
    /// Whether colours are unwanted.
    pub no_color: bool,
    /// How many colours there are.
    pub depth: Depth,
    /// Something that no other run of a client has: the beginning of request ids.
    pub run: String,
    /// Whether the next Ctrl-C quits: the one before found nothing to cancel.
    pub quit_asked: bool,
    /// What is followed now, as far as the runtime was told.
    pub followed: Vec<Topic>,
    /// Calls that are not answered yet, and what for.
    pub pending: BTreeMap<CallId, Purpose>,
    next_call: u64,
}

/// What fills the screen.
#[derive(Clone, Debug)]
pub enum Screen {
    /// Who is there?
    SignIn(Box<SignIn>),
    /// The projects.
    Projects(Box<ProjectsScreen>),
    /// One project.
    Workspace(Box<Workspace>),
}

/// The screen with the projects.
#[derive(Clone, Debug, Default)]
pub struct ProjectsScreen {
    /// The list.
    pub list: FilterList<Project>,
    /// Whether letters go into the filter.
    pub filtering: bool,
}

impl Model {
    /// Before anything happened.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self {
            size: (80, 24),
            now_ms: 0,
            focused: true,
            changed: true,
            address: start.address,
            security: start.security,
            connection: Connection::Connecting,
            server: None,
            account: None,
            projects: Projects::default(),
            catalogue: None,
            provider: None,
            screen: Screen::Projects(Box::default()),
            overlays: Vec::new(),
            notices: Notices::default(),
            settings: start.settings,
            keymap: start.keymap,
            drafts: start.drafts,
            ascii: start.ascii,
            no_color: start.no_color,
            depth: start.depth,
            run: start.run,
            quit_asked: false,
            followed: Vec::new(),
            pending: BTreeMap::new(),
            next_call: 0,
        }
    }

    /// The colours in force.
    #[must_use]
    pub fn theme(&self) -> Theme {
        if self.no_color {
            Theme::new(Palette::Plain, self.depth)
        } else {
            Theme::new(self.settings.palette, self.depth)
        }
    }

    /// The open project, if one is.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        match &self.screen {
            Screen::Workspace(workspace) => Some(workspace),
            Screen::SignIn(_) | Screen::Projects(_) => None,
        }
    }

    /// The open project, if one is.
    pub fn workspace_mut(&mut self) -> Option<&mut Workspace> {
        match &mut self.screen {
            Screen::Workspace(workspace) => Some(workspace),
            Screen::SignIn(_) | Screen::Projects(_) => None,
        }
    }

    /// Notes that something is asked, and for what.
    pub fn ask(&mut self, purpose: Purpose) -> CallId {
        self.next_call += 1;
        let id = CallId(self.next_call);
        self.pending.insert(id, purpose);
        id
    }

    /// Whether an answer is waited for that the user asked for.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pending.values().any(Purpose::is_shown)
    }

    /// When time alone changes what is seen; `None` while it does not.
    #[must_use]
    pub fn next_tick_ms(&self) -> Option<i64> {
        let moves = self.is_waiting()
            || self.connection == Connection::Connecting
            || self.workspace().is_some_and(Workspace::moves)
            || (matches!(self.screen, Screen::Projects(_))
                && self.projects.items().iter().any(|p| p.activity.is_busy()));
        let counts = matches!(self.connection, Connection::Waiting { .. });
        let next = if moves {
            Some(self.now_ms + MOVING_MS)
        } else if counts {
            Some(self.now_ms + COUNTING_MS)
        } else {
            None
        };
        [next, self.notices.next_expiry_ms()]
            .into_iter()
            .flatten()
            .min()
    }
}
