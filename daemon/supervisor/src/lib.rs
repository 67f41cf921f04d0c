//! The first process of a sandbox: it owns the workspace, the dev servers and
//! their output, and serves `kiln.supervisor.v1` on a unix socket.
//!
//! Read `init` for what is started, `server` for what is answered, then by part:
//!
//! - files: `path`, `beneath`, `workspace`, `upload`, `apply`, `copy_tree`, `remove`
//! - processes: `signals`, `reap`, `launch`, `process`, `process_table`, `run`,
//!   `step`, `dev_server`
//! - output: `lines`, `ring`, `follow`, `output`
//! - connections: `listen`, `connect`, `pump`, `tcp`
//!
//! It shares its user with untrusted code. It follows no link that such code
//! may have planted, runs no shell, takes no signal from within the sandbox,
//! keeps every buffer bounded, and does not try to be a security boundary: the
//! container is, and the daemon trusts nothing that is said here.

pub mod apply;
pub mod beneath;
pub mod config;
pub mod connect;
mod convert;
pub mod copy_tree;
pub mod dev_server;
pub mod error;
pub mod follow;
pub mod init;
pub mod launch;
pub mod lines;
pub mod listen;
pub mod output;
pub mod path;
pub mod process;
pub mod process_table;
pub mod pump;
pub mod reap;
pub mod remove;
pub mod ring;
pub mod run;
pub mod server;
pub mod signals;
pub mod step;
pub mod tcp;
pub mod upload;
pub mod workspace;
