//! `kilnd`: the headless daemon that turns a prompt into a running web app.
//!
//! A tour, from the outside in:
//!
//! - [`server`] builds everything once, top to bottom, and runs it.
//! - [`rpc`] is the public API: it converts, authenticates and answers, and is
//!   the only place that names its protobuf types.
//! - [`app`] holds the use cases: what happens, in which order.
//! - [`journal`] is the one writer of events: commit, then publish.
//! - [`store`] holds all SQL; [`postgres`] keeps a private cluster where no
//!   database was given.
//! - [`llm`] is the model edge: bytes to operations.
//! - [`sandbox`] is the Docker edge; [`preview`] the listener in front of it.
//! - [`domain`] holds words and rules, and does no IO.

pub mod app;
pub mod config;
pub mod control;
pub mod domain;
pub mod fresh;
pub mod journal;
pub mod llm;
pub mod password;
pub mod postgres;
pub mod preview;
pub mod rpc;
pub mod sandbox;
pub mod server;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod template;
