//! One project, opened: its conversation, files, logs and prompt, and which of
//! them has the keys.

use super::conversation::Conversation;
use super::editor::Editor;
use super::files::Files;
use super::logs::Logs;
use super::project::{Project, Sandbox};

/// What may have the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The prompt.
    #[default]
    Prompt,
    /// The conversation.
    Conversation,
    /// The tree of files.
    Tree,
    /// The file that is shown.
    Viewer,
    /// The output of the sandbox.
    Logs,
}

/// What is shown where there is room for one thing only, or beside the
/// conversation where there is room for two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The conversation.
    #[default]
    Conversation,
    /// The files.
    Files,
    /// The logs.
    Logs,
}

/// One project, opened.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The project, as the daemon last said.
    pub project: Project,
    /// What was asked and answered.
    pub conversation: Conversation,
    /// The files.
    pub files: Files,
    /// The output of the sandbox.
    pub logs: Logs,
    /// The prompt that is being written.
    pub prompt: Editor,
    /// What has the keys.
    pub pane: Pane,
    /// What is shown where there is little room.
    pub tab: Tab,
    /// The model for the next prompt; empty for the project's.
    pub model: String,
    /// Which subscription of the logs is wanted: another number for another life
    /// of the sandbox.
    pub log_life: u64,
    /// Whether the whole log that was there has been read.
    pub caught_up: bool,
    /// What is wrong with what is followed; `None` if nothing.
    pub broken: Option<String>,
    /// The revision whose files are in the tree; empty before the first.
    pub listed_revision: String,
    /// What the last search looked for.
    pub search: String,
    /// Whether the app was opened in a browser by this client already.
    pub opened: bool,
}

impl Workspace {
    /// A project that was just opened.
    #[must_use]
    pub fn new(project: Project, draft: &str, ascii: bool) -> Self {
        let mut prompt = Editor::prompt();
        prompt.restore(draft);
        Self {
            caught_up: false,
            project,
            conversation: Conversation::new(ascii),
            files: Files::new(ascii),
            logs: Logs::default(),
            prompt,
            pane: Pane::Prompt,
            tab: Tab::Conversation,
            model: String::new(),
            log_life: 0,
            broken: None,
            listed_revision: String::new(),
            search: String::new(),
            opened: false,
        }
    }

    /// Gives the keys to a pane, and shows what it belongs to.
    pub fn go_to(&mut self, pane: Pane) {
        self.pane = pane;
        match pane {
            Pane::Prompt => {}
            Pane::Conversation => self.tab = Tab::Conversation,
            Pane::Tree | Pane::Viewer => self.tab = Tab::Files,
            Pane::Logs => self.tab = Tab::Logs,
        }
    }

    /// Whether something on it moves by itself.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.conversation.is_busy()
            || matches!(self.project.sandbox, Sandbox::Starting | Sandbox::Stopping)
    }
}
