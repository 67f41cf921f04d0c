//! What these tests share: a client, a daemon made of plain data, and a terminal.

pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod daemon;
pub(crate) mod hostile;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod messages;
pub(crate) mod terminal;
