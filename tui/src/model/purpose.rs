//! What a call was made for, so that its answer finds its place.

/// Why something was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A project for this prompt.
    NewProject {
        /// To be carried once the project is there; empty for none.
        prompt: String,
        /// With this model; empty for the server's.
        model: String,
    },
    /// Another name.
    Rename,
    /// Another model for the project.
    SetModel,
    /// Away with it.
    Delete {
        /// UUID.
        id: String,
    },
    /// A prompt.
    StartGeneration {
        /// UUID of the project.
        project_id: String,
        /// The prompt, to be given back if it is refused.
        prompt: String,
    },
    /// An end to what runs.
    Cancel,
    /// The tree of files.
    Files {
        /// UUID of the project.
        project_id: String,
    },
    /// A file.
    File {
        /// UUID of the project.
        project_id: String,
        /// Its path.
        path: String,
    },
    /// Something about the app, in a word.
    Sandbox(&'static str),
    /// The models.
    Models,
    /// Where models come from.
    Provider,
    /// Models from elsewhere.
    SetProvider,
    /// A session.
    SignIn,
    /// None any more.
    SignOut,
}

impl Purpose {
    /// Whether the user waits for it and sees so.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        match self {
            Self::NewProject { .. }
            | Self::Rename
            | Self::SetModel
            | Self::Delete { .. }
            | Self::StartGeneration { .. }
            | Self::Cancel
            | Self::Sandbox(_)
            | Self::SetProvider
            | Self::SignIn
            | Self::SignOut => true,
            Self::Files { .. } | Self::File { .. } | Self::Models | Self::Provider => false,
        }
    }
}
