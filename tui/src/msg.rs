//! What happened: everything that can change the model, sorted by where it came
//! from. What is to be done about it are `effect`s.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::effect::{Answer, CallId};
use crate::failure::Failure;
use crate::ingest::report::News;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// In the terminal.
    Input(Input),
    /// On the connection.
    News(News),
    /// An answer to a call.
    Answered {
        /// The call.
        id: CallId,
        /// What came of it.
        result: Result<Answer, Failure>,
    },
    /// Something on this machine is done.
    Local(Local),
    /// Time passed; `update` is told the time with every message.
    Tick,
}

/// What the user did, or the terminal reported.
#[derive(Clone, Debug)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse moved or was pressed.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// The terminal's window has the keys, or has them no more.
    Focus(bool),
}

/// What this machine said.
#[derive(Clone, Debug)]
pub enum Local {
    /// The editor was closed, with this text; or it could not be used.
    Edited(Result<String, String>),
    /// A browser was started, or could not be.
    Opened(Result<(), String>),
    /// A file was written: its path; or it could not be.
    Saved(Result<String, String>),
}
