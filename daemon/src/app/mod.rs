//! Use cases: what happens, in which order. Nothing here names tonic.

mod access;
pub mod accounts;
pub mod context;
mod gate;
pub mod generations;
pub mod launch;
pub mod previews;
pub mod progress;
pub mod projects;
pub mod providers;
mod reporter;
mod requests;
pub mod revisions;
pub mod sandboxes;
pub mod server_info;
