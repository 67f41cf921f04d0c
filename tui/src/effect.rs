//! What is to be done: everything that `update` wants and does not do itself.
//! The runtime does it and tells the outcome as a `msg`.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::client::link::Topic;
use crate::model::catalogue::Catalogue;
use crate::model::files::FileEntry;
use crate::model::project::Project;
use crate::model::provider::Provider;

/// Names a call, so that an answer to a question nobody asks any more is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Give the terminal to the shell until it says otherwise.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Ask the daemon.
    Call(CallId, Call),
    /// Follow exactly these.
    Follow(Vec<Topic>),
    /// Connect now.
    Retry,
    /// Connect anew, as somebody else.
    Reconnect,
    /// Show an address in a browser.
    Open(String),
    /// Put text on the clipboard, through the terminal.
    Clipboard(String),
    /// Change text in the user's editor.
    Edit(String),
    /// Write text to a file.
    Save {
        /// Where; relative to the working directory.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Keep what was being written, by the project's UUID; empty text forgets it.
    KeepDraft {
        /// Whose.
        key: String,
        /// What.
        text: String,
    },
    /// Keep the settings.
    KeepSettings(crate::model::settings::Settings),
    /// Switch the mouse.
    Mouse(bool),
    /// Ring the terminal's bell: the user looks elsewhere.
    Bell,
}

/// A question to the daemon.
#[derive(Clone, Debug)]
pub enum Call {
    /// Make a project.
    CreateProject {
        /// Its name.
        name: String,
        /// Its default model; empty for the server's.
        model: String,
        /// Makes a retry safe.
        request_id: String,
    },
    /// Give it another name.
    RenameProject {
        /// Its UUID.
        id: String,
        /// The name.
        name: String,
        /// Makes a retry safe.
        request_id: String,
    },
    /// Use another model for it.
    SetModel {
        /// Its UUID.
        id: String,
        /// The model; empty for the server's.
        model: String,
        /// Makes a retry safe.
        request_id: String,
    },
    /// Delete it.
    DeleteProject {
        /// Its UUID.
        id: String,
    },
    /// Carry a prompt.
    StartGeneration {
        /// UUID of the project.
        project_id: String,
        /// The prompt.
        prompt: String,
        /// The model; empty for the project's.
        model: String,
        /// Makes a retry safe.
        request_id: String,
    },
    /// Cancel a generation.
    Cancel {
        /// Its UUID.
        generation_id: String,
    },
    /// List the newest files.
    ListFiles {
        /// UUID of the project.
        project_id: String,
    },
    /// Read one file of a revision.
    ReadFile {
        /// UUID of the project.
        project_id: String,
        /// UUID of the revision.
        revision_id: String,
        /// Its path.
        path: String,
    },
    /// Start the app.
    StartSandbox {
        /// UUID of the project.
        project_id: String,
    },
    /// Stop it.
    StopSandbox {
        /// UUID of the project.
        project_id: String,
    },
    /// Stop and start it.
    RestartSandbox {
        /// UUID of the project.
        project_id: String,
    },
    /// Which models there are.
    ListModels,
    /// Where models come from.
    GetProvider,
    /// Take models from elsewhere.
    SetProvider(Source),
    /// Sign in.
    SignIn {
        /// The e-mail.
        email: String,
        /// The password.
        password: SecretString,
    },
    /// Make an account.
    SignUp {
        /// The e-mail.
        email: String,
        /// The password.
        password: SecretString,
        /// What to call them.
        display_name: String,
        /// The invite, or the code of a new server.
        invite: SecretString,
    },
    /// Forget who is signed in.
    SignOut,
}

/// Where models are to come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// OpenRouter, with a key.
    OpenRouter(SecretString),
    /// An endpoint on this machine.
    Endpoint(String),
    /// The demo model.
    Demo,
}

/// What a call brought, cleaned.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A project, made or changed.
    Project(Project),
    /// A generation was started: its UUID.
    Started(String),
    /// The files of a revision.
    Files {
        /// UUID of the revision.
        revision_id: String,
        /// Its files.
        files: Vec<FileEntry>,
    },
    /// A file; `None` where it is not text.
    File {
        /// Its path.
        path: String,
        /// Its bytes.
        size: i64,
        /// What is in it.
        text: Option<String>,
    },
    /// The models.
    Models(Catalogue),
    /// Where models come from.
    Provider(Provider),
    /// Nothing but that it was done.
    Done,
}
