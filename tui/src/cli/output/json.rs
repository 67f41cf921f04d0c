//! What scripts get: one object a line, in a shape that stays. The first key of
//! every object is `type`; names are those of the schema; enumerations are
//! names without their prefix; what is unset is null.
//!
//! Characters that could steer a terminal are escaped, so that a line may be
//! looked at as well as parsed. Nothing is lost by that.

use std::fmt::Write as _;

use kiln_proto::v1 as pb;
use pb::event::Body;
use prost_types::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::format::rfc3339;
use crate::cli::exit::Failure;
use crate::sanitise;

/// An object whose keys stay in the order in which they were added.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Vec<(&'static str, Value)>);

impl Object {
    /// An object of a type.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self(vec![("type", kind.into())])
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// The object on one line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Strings, numbers and nulls only: nothing that could fail.
        let text = serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned());
        if !text.chars().any(sanitise::is_unsafe) {
            return text;
        }
        let mut out = String::with_capacity(text.len() + 32);
        for c in text.chars() {
            if sanitise::is_unsafe(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
        out
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The name of an enumeration's value without its prefix; `None` for the zero
/// value, `UNKNOWN` for one that this client does not know.
macro_rules! name {
    ($kind:ty, $prefix:literal, $value:expr) => {
        match <$kind>::try_from($value) {
            Ok(value) => match value.as_str_name().strip_prefix($prefix) {
                Some("UNSPECIFIED") | None => None,
                Some(name) => Some(name),
            },
            Err(_) => Some("UNKNOWN"),
        }
    };
}

/// Name of an outcome.
#[must_use]
pub fn outcome(value: i32) -> Option<&'static str> {
    name!(pb::GenerationOutcome, "GENERATION_OUTCOME_", value)
}

/// Name of a reason of failure.
#[must_use]
pub fn failure_reason(value: i32) -> Option<&'static str> {
    name!(pb::FailureReason, "FAILURE_REASON_", value)
}

/// Name of a state of a generation.
#[must_use]
pub fn generation_state(value: i32) -> Option<&'static str> {
    name!(pb::GenerationState, "GENERATION_STATE_", value)
}

/// Name of a state of a sandbox.
#[must_use]
pub fn sandbox_state(value: i32) -> Option<&'static str> {
    name!(pb::SandboxState, "SANDBOX_STATE_", value)
}

/// Name of a step.
#[must_use]
pub fn step(value: i32) -> Option<&'static str> {
    name!(pb::StepKind, "STEP_KIND_", value)
}

/// Name of a revision's health.
#[must_use]
pub fn health(value: i32) -> Option<&'static str> {
    name!(pb::RevisionHealth, "REVISION_HEALTH_", value)
}

/// Name of an API token's scope.
#[must_use]
pub fn scope(value: i32) -> Option<&'static str> {
    name!(pb::ApiTokenScope, "API_TOKEN_SCOPE_", value)
}

/// An identifier, or null where it is empty.
fn id(value: &str) -> Value {
    if value.is_empty() {
        Value::Null
    } else {
        value.into()
    }
}

fn time(value: Option<&Timestamp>) -> Value {
    rfc3339(value).into()
}

/// An error.
#[must_use]
pub fn error(failure: &Failure) -> Object {
    Object::new("error")
        .with("reason", failure.reason.as_str())
        .with("message", failure.message.as_str())
        .with("hint", failure.hint.clone())
        .with("exit_code", failure.exit.code())
}

/// An entry of a project's log.
#[must_use]
pub fn event(event: &pb::Event) -> Object {
    let object = Object::new("event")
        .with("sequence", event.sequence)
        .with("time", time(event.time.as_ref()))
        .with("generation_id", id(&event.generation_id));
    let Some(body) = &event.body else {
        return object.with("kind", "unknown");
    };
    match body {
        Body::ProjectCreated(body) => object
            .with("kind", "project_created")
            .with("name", body.name.as_str())
            .with("template", body.template.as_str()),
        Body::ProjectUpdated(body) => object
            .with("kind", "project_updated")
            .with("name", body.name.as_str())
            .with("description", body.description.as_str())
            .with("default_model", id(&body.default_model)),
        Body::ProjectDeleted(pb::ProjectDeleted {}) => object.with("kind", "project_deleted"),
        Body::GenerationStarted(body) => object
            .with("kind", "generation_started")
            .with("prompt", body.prompt.as_str())
            .with("model", body.model.as_str())
            .with("demo", body.demo)
            .with("user_id", id(&body.user_id)),
        Body::GenerationStateChanged(body) => object
            .with("kind", "generation_state_changed")
            .with("state", generation_state(body.state)),
        Body::AttemptStarted(body) => object
            .with("kind", "attempt_started")
            .with("attempt", body.attempt)
            .with(
                "attempt_kind",
                name!(pb::AttemptKind, "ATTEMPT_KIND_", body.kind),
            )
            .with("model", body.model.as_str()),
        Body::TextDelta(body) => object
            .with("kind", "text_delta")
            .with("text", body.text.as_str()),
        Body::FileStarted(body) => object
            .with("kind", "file_started")
            .with("operation", body.operation)
            .with("operation_kind", operation_kind(body.kind))
            .with("path", body.path.as_str()),
        Body::FileDelta(body) => object
            .with("kind", "file_delta")
            .with("operation", body.operation)
            .with("text", body.text.as_str()),
        Body::FileFinished(body) => object
            .with("kind", "file_finished")
            .with("operation", body.operation)
            .with("size_bytes", body.size_bytes),
        Body::OperationReceived(body) => object
            .with("kind", "operation_received")
            .with("operation", body.operation)
            .with("operation_kind", operation_kind(body.kind))
            .with("path", id(&body.path))
            .with("new_path", id(&body.new_path))
            .with("packages", body.packages.clone()),
        Body::AttemptFinished(body) => object
            .with("kind", "attempt_finished")
            .with("attempt", body.attempt)
            .with("finish_reason", body.finish_reason.as_str())
            .with("billed_model", id(&body.billed_model))
            .with("error", id(&body.error))
            .usage(body.usage.as_ref()),
        Body::RevisionCreated(body) => object
            .with("kind", "revision_created")
            .with("revision_id", body.revision_id.as_str())
            .with("number", body.number)
            .with("parent_id", id(&body.parent_id))
            .with("changes", changes(&body.changes)),
        Body::StepStarted(body) => object
            .with("kind", "step_started")
            .with("step", step(body.step))
            .with("position", body.position)
            .with("count", body.count)
            .with("title", body.title.as_str()),
        Body::StepOutput(body) => object
            .with("kind", "step_output")
            .with("step", step(body.step))
            .with("text", body.text.as_str()),
        Body::StepFinished(body) => object
            .with("kind", "step_finished")
            .with("step", step(body.step))
            .with(
                "outcome",
                name!(pb::StepOutcome, "STEP_OUTCOME_", body.outcome),
            )
            .with(
                "duration_ms",
                body.duration
                    .as_ref()
                    .map(|d| d.seconds * 1000 + i64::from(d.nanos) / 1_000_000),
            )
            .with("detail", body.detail.as_str()),
        Body::GenerationFinished(body) => object.with("kind", "generation_finished").finished(body),
        Body::SandboxStateChanged(body) => object
            .with("kind", "sandbox_state_changed")
            .with("state", sandbox_state(body.state))
            .with("detail", body.detail.as_str()),
        Body::PreviewChanged(body) => object
            .with("kind", "preview_changed")
            .with("url", body.url.as_str())
            .with("revision_id", id(&body.revision_id)),
    }
}

/// The last object of `new` and `generate`.
#[must_use]
pub fn result(
    project_id: &str,
    generation: &pb::Generation,
    finished: &pb::GenerationFinished,
    head: i64,
) -> Object {
    Object::new("result")
        .finished(finished)
        .with("project_id", project_id)
        .with("generation_id", generation.id.as_str())
        .with("model", generation.model.as_str())
        .with("demo", generation.demo)
        .with("head_sequence", head)
}

impl Object {
    fn finished(self, body: &pb::GenerationFinished) -> Self {
        self.with("outcome", outcome(body.outcome))
            .with("failure_reason", failure_reason(body.failure_reason))
            .with("message", body.message.as_str())
            .with("revision_id", id(&body.revision_id))
            .with("preview_url", id(&body.preview_url))
            .with("attempts", body.attempts)
            .usage(body.usage.as_ref())
    }

    fn usage(self, usage: Option<&pb::Usage>) -> Self {
        self.with("prompt_tokens", usage.map(|usage| usage.prompt_tokens))
            .with(
                "completion_tokens",
                usage.map(|usage| usage.completion_tokens),
            )
            .with(
                "cost_micro_usd",
                usage.and_then(|usage| usage.cost_micro_usd),
            )
            .with("estimated", usage.is_some_and(|usage| usage.estimated))
    }
}

fn operation_kind(value: i32) -> Option<&'static str> {
    name!(pb::OperationKind, "OPERATION_KIND_", value)
}

fn changes(changes: &[pb::FileChange]) -> Value {
    changes
        .iter()
        .map(|change| {
            json!({
                "path": change.path,
                "change": name!(pb::FileChangeKind, "FILE_CHANGE_KIND_", change.kind),
                "size_bytes": change.size_bytes,
            })
        })
        .collect()
}

/// A project.
#[must_use]
pub fn project(project: &pb::Project) -> Object {
    Object::new("project")
        .with("id", project.id.as_str())
        .with("name", project.name.as_str())
        .with("description", project.description.as_str())
        .with("template", project.template.as_str())
        .with("default_model", id(&project.default_model))
        .with("team_id", id(&project.team_id))
        .with("create_time", time(project.create_time.as_ref()))
        .with("update_time", time(project.update_time.as_ref()))
        .with("agent_state", generation_state(project.agent_state))
        .with("last_outcome", outcome(project.last_outcome))
        .with("running_generation_id", id(&project.running_generation_id))
        .with("head_revision_id", id(&project.head_revision_id))
        .with("sandbox_state", sandbox_state(project.sandbox_state))
        .with("preview_url", id(&project.preview_url))
        .with("head_sequence", project.head_sequence)
        .with("cost_micro_usd", project.cost_micro_usd)
}

/// A generation that was accepted.
#[must_use]
pub fn generation(generation: &pb::Generation) -> Object {
    Object::new("generation")
        .with("id", generation.id.as_str())
        .with("project_id", generation.project_id.as_str())
        .with("model", generation.model.as_str())
        .with("demo", generation.demo)
        .with("state", generation_state(generation.state))
        .with("outcome", outcome(generation.outcome))
        .with("first_sequence", generation.first_sequence)
        .with("context_omitted", generation.context_omitted.clone())
}

/// A revision.
#[must_use]
pub fn revision(revision: &pb::Revision) -> Object {
    Object::new("revision")
        .with("id", revision.id.as_str())
        .with("number", revision.number)
        .with("parent_id", id(&revision.parent_id))
        .with("generation_id", id(&revision.generation_id))
        .with("title", revision.title.as_str())
        .with("file_count", revision.file_count)
        .with("total_bytes", revision.total_bytes)
        .with("health", health(revision.health))
        .with("create_time", time(revision.create_time.as_ref()))
}

/// A file, without its content.
#[must_use]
pub fn file(file: &pb::File, revision_id: &str) -> Object {
    Object::new("file")
        .with("path", file.path.as_str())
        .with("size_bytes", file.size_bytes)
        .with("sha256", file.sha256.as_str())
        .with("revision_id", revision_id)
}

/// A line of a sandbox's output.
#[must_use]
pub fn log(line: &pb::LogLine) -> Object {
    Object::new("log")
        .with("number", line.number)
        .with("time", time(line.time.as_ref()))
        .with("stream", name!(pb::LogStream, "LOG_STREAM_", line.stream))
        .with("text", line.text.as_str())
}

/// A sandbox.
#[must_use]
pub fn sandbox(sandbox: &pb::Sandbox) -> Object {
    Object::new("sandbox")
        .with("id", id(&sandbox.id))
        .with("project_id", sandbox.project_id.as_str())
        .with("state", sandbox_state(sandbox.state))
        .with("detail", sandbox.detail.as_str())
        .with("revision_id", id(&sandbox.revision_id))
        .with("preview_url", id(&sandbox.preview_url))
        .with("container_id", id(&sandbox.container_id))
        .with("create_time", time(sandbox.create_time.as_ref()))
}

/// A model.
#[must_use]
pub fn model(model: &pb::Model) -> Object {
    Object::new("model")
        .with("id", model.id.as_str())
        .with("name", model.name.as_str())
        .with(
            "context_tokens",
            (model.context_tokens > 0).then_some(model.context_tokens),
        )
        .with(
            "max_output_tokens",
            (model.max_output_tokens > 0).then_some(model.max_output_tokens),
        )
        .with(
            "prompt_micro_usd_per_million",
            model.prompt_micro_usd_per_million,
        )
        .with(
            "completion_micro_usd_per_million",
            model.completion_micro_usd_per_million,
        )
        .with("demo", model.demo)
        .with("roles", model.roles.clone())
}

/// Where models come from, for one who asks.
#[must_use]
pub fn provider(answer: &pb::GetProviderResponse) -> Object {
    let found: Vec<Value> = answer
        .local_endpoints
        .iter()
        .map(|found| {
            json!({
                "base_url": found.base_url,
                "name": found.name,
                "model_count": found.model_count,
            })
        })
        .collect();
    provider_status(answer.provider.as_ref(), answer.source)
        .with("can_change", answer.can_change)
        .with("detail", id(&answer.detail))
        .with("local_endpoints", found)
}

/// Where models come from, for one who has chosen it.
#[must_use]
pub fn provider_set(answer: &pb::SetProviderResponse) -> Object {
    provider_status(answer.provider.as_ref(), answer.source)
        .with("model_count", answer.model_count)
        .with("detail", id(&answer.detail))
}

fn provider_status(provider: Option<&pb::ProviderStatus>, source: i32) -> Object {
    let status = provider.cloned().unwrap_or_default();
    Object::new("provider")
        .with("base_url", id(&status.base_url))
        .with("has_key", status.has_key)
        .with("demo_only", status.demo_only)
        .with("default_model", id(&status.default_model))
        .with(
            "source",
            name!(pb::ProviderSource, "PROVIDER_SOURCE_", source),
        )
}

/// Who is calling.
#[must_use]
pub fn user(user: &pb::User, server: &str, expire_time: Option<&Timestamp>) -> Object {
    Object::new("user")
        .with("id", user.id.as_str())
        .with("email", id(&user.email))
        .with("display_name", user.display_name.as_str())
        .with("owner", user.owner)
        .with("personal_team_id", id(&user.personal_team_id))
        .with("server", server)
        .with("credential_expire_time", time(expire_time))
}

/// An API token, without its secret.
#[must_use]
pub fn token(token: &pb::ApiToken) -> Object {
    Object::new("token")
        .with("id", token.id.as_str())
        .with("name", token.name.as_str())
        .with(
            "scopes",
            token
                .scopes
                .iter()
                .map(|value| scope(*value))
                .collect::<Vec<_>>(),
        )
        .with("create_time", time(token.create_time.as_ref()))
        .with("expire_time", time(token.expire_time.as_ref()))
        .with("last_use_time", time(token.last_use_time.as_ref()))
}

/// An invite.
#[must_use]
pub fn invite(invite: &pb::CreateInviteResponse) -> Object {
    Object::new("invite")
        .with("invite", invite.invite.as_str())
        .with("expire_time", time(invite.expire_time.as_ref()))
}

/// The daemon.
#[must_use]
pub fn server(info: &pb::GetServerInfoResponse, address: &str) -> Object {
    let component = |part: Option<&pb::ComponentStatus>| {
        part.map_or(Value::Null, |part| {
            json!({
                "available": part.available,
                "version": part.version,
                "detail": part.detail,
            })
        })
    };
    Object::new("server")
        .with("address", address)
        .with("version", info.version.as_str())
        .with("daemon_id", info.daemon_id.as_str())
        .with("boot_id", info.boot_id.as_str())
        .with("docker", component(info.docker.as_ref()))
        .with("database", component(info.database.as_ref()))
        .with(
            "provider",
            info.provider.as_ref().map_or(Value::Null, |provider| {
                json!({
                    "base_url": provider.base_url,
                    "has_key": provider.has_key,
                    "demo_only": provider.demo_only,
                    "default_model": provider.default_model,
                })
            }),
        )
        .with(
            "firewall",
            name!(pb::FirewallState, "FIREWALL_STATE_", info.firewall),
        )
        .with("sign_up", info.sign_up.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(object: &Object) -> Value {
        serde_json::from_str(&object.to_line()).unwrap()
    }

    #[test]
    fn the_type_comes_first_and_the_order_stays() {
        let object = Object::new("x").with("b", 1).with("a", Value::Null);
        assert_eq!(object.to_line(), r#"{"type":"x","b":1,"a":null}"#);
    }

    #[test]
    fn hostile_text_is_escaped_and_not_lost() {
        let text = "\x1b[2J\u{9b}1m\u{202e}\u{feff}\u{7f}\u{e0041}é\n";
        let object = Object::new("x").with("text", text);
        let line = object.to_line();
        assert!(!line.chars().any(sanitise::is_unsafe), "{line}");
        assert_eq!(parsed(&object)["text"], text);
    }

    #[test]
    fn an_unknown_cost_is_null_and_a_free_one_is_zero() {
        let finished = |cost_micro_usd| pb::GenerationFinished {
            outcome: pb::GenerationOutcome::Ready.into(),
            usage: Some(pb::Usage {
                cost_micro_usd,
                ..pb::Usage::default()
            }),
            ..pb::GenerationFinished::default()
        };
        let shown = |cost| parsed(&result("p", &pb::Generation::default(), &finished(cost), 9));
        assert_eq!(shown(None)["cost_micro_usd"], Value::Null);
        assert_eq!(shown(Some(0))["cost_micro_usd"], 0);
        assert_eq!(shown(None)["outcome"], "READY");
        assert_eq!(shown(None)["failure_reason"], Value::Null);
        assert_eq!(shown(None)["type"], "result");
    }

    #[test]
    fn what_a_newer_daemon_sends_is_still_an_event() {
        let unknown = pb::Event {
            sequence: 7,
            ..pb::Event::default()
        };
        assert_eq!(parsed(&event(&unknown))["kind"], "unknown");
        let state = pb::Event {
            body: Some(Body::GenerationStateChanged(pb::GenerationStateChanged {
                state: 999,
            })),
            ..pb::Event::default()
        };
        assert_eq!(parsed(&event(&state))["state"], "UNKNOWN");
    }
}
