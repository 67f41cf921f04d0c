//! The private Postgres cluster of a daemon that was given no database, and
//! the data directory that it lives in.
//!
//! [`DataDir`] is the daemon's own directory: one daemon at a time, with an
//! identity that stays. [`ManagedPostgres`] finds Postgres on the machine, makes
//! a cluster once, starts it or adopts the one that an earlier daemon left
//! running, and keeps it alive.
//!
//! Nothing here listens on TCP, stores a password, downloads a server, upgrades
//! a cluster from one major version to another, or touches a cluster that this
//! data directory does not hold.

mod account;
mod binaries;
mod cluster;
mod data_dir;
mod error;
mod layout;
mod managed;
mod postmaster;
mod process;
mod socket;

pub use data_dir::{DataDir, DataDirError};
pub use error::PostgresError;
pub use managed::{ManagedPostgres, ManagedSettings};
