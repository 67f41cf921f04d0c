//! What the full-screen client knows: plain data, and what changes it.
//!
//! - [`columns`]: where text is cut so that it fits.
//! - [`pager`]: the place in a long text that a pane shows.
//! - [`needle`]: a text that is looked for.
//! - [`editor`]: what the user writes.
//! - [`fuzzy`] and [`list`]: finding, and choosing, one of many.
//! - [`logs`]: what a sandbox writes.
//!
//! Nothing here draws, waits, reads a clock or knows the network: time and
//! text come in as arguments, and what the outside should do comes out as values.

pub mod columns;
pub mod editor;
pub mod fuzzy;
pub mod list;
pub mod logs;
pub mod needle;
pub mod pager;
