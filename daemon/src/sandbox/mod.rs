//! The Docker edge: engines, prepared images, containers, and the connection to
//! the supervisor inside one. It is the only module that names bollard, and no
//! type of bollard or of the supervisor's schema leaves it.
//!
//! It refuses to know projects, generations and rows: callers say which sandbox
//! they mean and keep the books. It touches nothing without the label of its own
//! deployment. It reconnects nothing by itself: [`Supervisor::closed`] tells the
//! caller, who knows whether that is still wanted.
//!
//! Start with [`Engine`]; [`profile`] is what contains a sandbox; [`Supervisor`]
//! is how the daemon talks to one.

mod address;
mod cleanup;
mod container;
mod engine;
mod error;
mod events;
mod exec_io;
mod image;
mod image_archive;
mod image_helper;
mod info;
mod labels;
mod network;
pub mod profile;
mod reply;
mod supervisor;
mod tunnel;
mod upload;

pub use cleanup::Removed;
pub use container::{ContainerId, ContainerPhase, ContainerStatus, FoundSandbox};
pub use engine::Engine;
pub use error::SandboxError;
pub use events::{EngineEvent, EngineEventKind};
pub use image::{PreparedImage, TemplateImage};
pub use info::{EngineInfo, FirewallState};
pub use reply::{
    Applied, Copied, LogBatch, OutputLine, OutputStream, ServerStatus, StepExit, SupervisorStatus,
};
pub use supervisor::Supervisor;
pub use tunnel::TcpTunnel;
pub use upload::Before;
