//! Use cases: what happens, in which order. Nothing here names tonic.

mod access;
pub mod accounts;
mod context;
mod gate;
pub mod generations;
pub mod launch;
mod previews;
mod progress;
pub mod projects;
mod reporter;
mod requests;
pub mod revisions;
mod sandboxes;
pub mod server_info;
