//! What happens to sandboxes at the engine, as it happens.
//!
//! The stream is a hint: it ends when the engine goes away, and what happened
//! meanwhile is not told again. Callers list after they listen.

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::{Stream, StreamExt, TryStreamExt};
use time::OffsetDateTime;

use super::container::ContainerId;
use super::engine::Engine;
use super::error::{SandboxError, engine_error};
use super::labels::sandbox_of;
use crate::domain::id::SandboxId;

/// Something that happened to the container of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// Its container.
    pub container: ContainerId,
    /// What happened.
    pub kind: EngineEventKind,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineEventKind {
    /// A process in it used up its memory and was killed. The container lives on
    /// if that was not its first process.
    OutOfMemory,
    /// It ended.
    Died {
        /// Exit code of its first process.
        exit_code: Option<i64>,
    },
    /// It was removed.
    Destroyed,
}

impl Engine {
    /// Ends of this deployment's sandboxes from now on. The stream ends with an
    /// error when the engine cannot be reached, and without one when it closes.
    pub fn events(&self) -> impl Stream<Item = Result<EngineEvent, SandboxError>> + Send + use<> {
        let engine = self.clone();
        // From the call on, not from when the stream is first asked.
        let since = OffsetDateTime::now_utc();
        futures::stream::once(async move {
            let docker = engine.docker().await?;
            let mut filters = engine.labels().filter_all();
            filters.insert("type".to_owned(), vec!["container".to_owned()]);
            filters.insert(
                "event".to_owned(),
                ["die", "oom", "destroy"].map(str::to_owned).to_vec(),
            );
            let options = EventsOptionsBuilder::default()
                .since(&format!(
                    "{}.{:09}",
                    since.unix_timestamp(),
                    since.nanosecond()
                ))
                .filters(&filters)
                .build();
            Ok::<_, SandboxError>(
                docker
                    .events(Some(options))
                    .map_err(|error| engine_error("events", &error)),
            )
        })
        .try_flatten()
        .filter_map(|message| async move {
            match message {
                Ok(message) => read(message).map(Ok),
                Err(error) => Some(Err(error)),
            }
        })
    }
}

fn read(message: EventMessage) -> Option<EngineEvent> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let kind = match message.action?.as_str() {
        "oom" => EngineEventKind::OutOfMemory,
        "die" => EngineEventKind::Died {
            exit_code: attributes
                .get("exitCode")
                .and_then(|code| code.parse().ok()),
        },
        "destroy" => EngineEventKind::Destroyed,
        _ => return None,
    };
    Some(EngineEvent {
        sandbox: sandbox_of(&attributes)?,
        container: ContainerId::from(actor.id?),
        kind,
    })
}
