//! Which states have been drawn.

use std::collections::BTreeSet;

use kiln_tui::model::Screen;
use kiln_tui::model::connection::Connection;
use kiln_tui::model::overlay::Overlay;
use kiln_tui::model::workspace::Pane;

use crate::support::client::Client;

/// What has been drawn at least once.
#[derive(Default)]
pub(super) struct Drawn(BTreeSet<&'static str>);

/// What every run together must have drawn.
const STATES: [&str; 24] = [
    "sign in",
    "projects",
    "conversation",
    "tree",
    "viewer",
    "logs",
    "prompt",
    "palette",
    "models",
    "page",
    "confirm",
    "ask",
    "provider",
    "settings",
    "connecting",
    "online",
    "waiting",
    "refused",
    "sign in wanted",
    "running",
    "too small",
    "narrow",
    "two columns",
    "all at once",
];

impl Drawn {
    /// Notes what a client shows.
    pub(super) fn note(&mut self, client: &Client) {
        let model = &client.model;
        let (columns, rows) = model.size;
        self.0.insert(match (columns, rows) {
            (..40, _) | (_, ..10) => "too small",
            (40..110, _) => "narrow",
            (110..180, _) => "two columns",
            (180.., _) => "all at once",
        });
        if columns < 40 || rows < 10 {
            return;
        }
        self.0.insert(match &model.screen {
            Screen::SignIn(_) => "sign in",
            Screen::Projects(_) => "projects",
            Screen::Workspace(workspace) => match workspace.pane {
                Pane::Prompt => "prompt",
                Pane::Conversation => "conversation",
                Pane::Tree => "tree",
                Pane::Viewer => "viewer",
                Pane::Logs => "logs",
            },
        });
        self.0
            .extend(model.overlays.iter().map(|overlay| match overlay {
                Overlay::Palette(_) => "palette",
                Overlay::Models { .. } => "models",
                Overlay::Page(_) => "page",
                Overlay::Confirm(_) => "confirm",
                Overlay::Ask(_) => "ask",
                Overlay::Provider(_) => "provider",
                Overlay::Settings(_) => "settings",
            }));
        self.0.insert(match &model.connection {
            Connection::Connecting => "connecting",
            Connection::Online => "online",
            Connection::Waiting { .. } => "waiting",
            Connection::SignIn { .. } => "sign in wanted",
            Connection::Refused { .. } => "refused",
        });
        if model.workspace().is_some_and(|w| w.conversation.is_busy()) {
            self.0.insert("running");
        }
    }

    /// What has not been drawn, of what must have been.
    pub(super) fn never(&self) -> Vec<&'static str> {
        let mut states = STATES.to_vec();
        states.retain(|state| !self.0.contains(state));
        states
    }
}
