//! What went wrong, ready to be shown in the full-screen client: cleaned, with
//! what to do about it.

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A reason of the schema, a gRPC code, or `UNREACHABLE`.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// The connection is not there.
    #[must_use]
    pub fn offline() -> Self {
        Self {
            reason: "UNREACHABLE".to_owned(),
            message: "there is no connection to the daemon now".to_owned(),
            hint: Some("it is being tried again by itself; Ctrl-R tries at once".to_owned()),
        }
    }

    /// The message with what to do about it.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.message),
            None => self.message.clone(),
        }
    }
}
