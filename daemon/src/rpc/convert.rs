//! Domain types to messages of the public API. One direction only: requests
//! are read in the services, where every violation is collected.

use std::time::Duration;

use kiln_proto::v1;
use time::OffsetDateTime;

use crate::domain::account::{ApiToken, Scope, User};
use crate::domain::event::{
    Event, FileChange, FileChangeKind, OperationKind, Recorded, StepKind, StepOutcome,
};
use crate::domain::generation::{
    AttemptKind, Ending, FailureReason, Generation, GenerationState, Outcome, Usage,
};
use crate::domain::project::Project;
use crate::domain::revision::{Health, Revision};
use crate::domain::sandbox::{Sandbox, SandboxState};

/// The protobuf form of a moment.
#[must_use]
pub fn timestamp(at: OffsetDateTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.unix_timestamp(),
        nanos: i32::try_from(at.nanosecond()).unwrap_or(0),
    }
}

/// The moment of a protobuf form, if it is one.
#[must_use]
pub fn moment(at: &prost_types::Timestamp) -> Option<OffsetDateTime> {
    let nanos = u32::try_from(at.nanos)
        .ok()
        .filter(|n| *n < 1_000_000_000)?;
    OffsetDateTime::from_unix_timestamp(at.seconds)
        .ok()?
        .replace_nanosecond(nanos)
        .ok()
}

fn duration(of: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(of.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(of.subsec_nanos()).unwrap_or(0),
    }
}

/// An account.
#[must_use]
pub fn user(user: User) -> v1::User {
    v1::User {
        id: user.id.to_string(),
        email: user.email.unwrap_or_default(),
        display_name: user.display_name,
        owner: user.is_owner,
        create_time: Some(timestamp(user.created_at)),
        personal_team_id: user.personal_team_id.to_string(),
    }
}

/// A token without its secret.
#[must_use]
pub fn api_token(token: ApiToken) -> v1::ApiToken {
    v1::ApiToken {
        id: token.id.to_string(),
        name: token.name,
        scopes: token
            .scopes
            .into_iter()
            .map(|scope| scope_message(scope).into())
            .collect(),
        create_time: Some(timestamp(token.created_at)),
        expire_time: Some(timestamp(token.expires_at)),
        last_use_time: token.last_used_at.map(timestamp),
    }
}

fn scope_message(scope: Scope) -> v1::ApiTokenScope {
    match scope {
        Scope::Read => v1::ApiTokenScope::Read,
        Scope::Generate => v1::ApiTokenScope::Generate,
        Scope::Sandbox => v1::ApiTokenScope::Sandbox,
        Scope::Admin => v1::ApiTokenScope::Admin,
    }
}

/// A project. The preview's address is made from its port.
#[must_use]
pub fn project(project: Project) -> v1::Project {
    v1::Project {
        id: project.id.to_string(),
        team_id: project.team_id.to_string(),
        name: project.name,
        description: project.description,
        template: project.template,
        default_model: project.default_model,
        create_time: Some(timestamp(project.created_at)),
        update_time: Some(timestamp(project.changed_at)),
        agent_state: project
            .agent_state
            .map_or(v1::GenerationState::Unspecified, generation_state)
            .into(),
        last_outcome: project
            .last_outcome
            .map_or(v1::GenerationOutcome::Unspecified, outcome)
            .into(),
        running_generation_id: text(project.running_generation_id),
        head_revision_id: text(project.head_revision_id),
        sandbox_state: sandbox_state(project.sandbox_state).into(),
        preview_url: project
            .preview_port
            .map(crate::preview::url)
            .unwrap_or_default(),
        head_sequence: project.head_sequence,
        cost_micro_usd: project.cost_micro_usd,
    }
}

fn text<T: ToString>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A generation.
#[must_use]
pub fn generation(generation: Generation) -> v1::Generation {
    v1::Generation {
        id: generation.id.to_string(),
        project_id: generation.project_id.to_string(),
        prompt: generation.prompt,
        model: generation.model,
        demo: generation.demo,
        state: generation_state(generation.state).into(),
        outcome: generation
            .outcome
            .map_or(v1::GenerationOutcome::Unspecified, outcome)
            .into(),
        failure_reason: generation
            .failure_reason
            .map_or(v1::FailureReason::Unspecified, failure_reason)
            .into(),
        message: generation.message,
        revision_id: text(generation.revision_id),
        usage: Some(usage(generation.usage)),
        attempts: generation.attempts,
        create_time: Some(timestamp(generation.created_at)),
        finish_time: generation.finished_at.map(timestamp),
        first_sequence: generation.first_sequence,
        user_id: generation.user_id.to_string(),
        context_omitted: generation.context_omitted,
    }
}

fn usage(usage: Usage) -> v1::Usage {
    v1::Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        cost_micro_usd: usage.cost_micro_usd,
        estimated: usage.estimated,
    }
}

/// A revision; its changes where they were asked for.
#[must_use]
pub fn revision(revision: Revision, changes: Vec<FileChange>) -> v1::Revision {
    v1::Revision {
        id: revision.id.to_string(),
        project_id: revision.project_id.to_string(),
        number: revision.number,
        parent_id: text(revision.parent_id),
        generation_id: text(revision.generation_id),
        title: revision.title,
        file_count: revision.file_count,
        total_bytes: revision.total_bytes,
        health: match revision.health {
            Health::Unknown => v1::RevisionHealth::Unknown,
            Health::Healthy => v1::RevisionHealth::Healthy,
            Health::Unhealthy => v1::RevisionHealth::Unhealthy,
        }
        .into(),
        create_time: Some(timestamp(revision.created_at)),
        changes: changes.into_iter().map(file_change).collect(),
    }
}

fn file_change(change: FileChange) -> v1::FileChange {
    v1::FileChange {
        path: change.path,
        kind: match change.change {
            FileChangeKind::Added => v1::FileChangeKind::Added,
            FileChangeKind::Modified => v1::FileChangeKind::Modified,
            FileChangeKind::Deleted => v1::FileChangeKind::Deleted,
        }
        .into(),
        size_bytes: change.size_bytes,
    }
}

/// A sandbox and where its app can be seen.
#[must_use]
pub fn sandbox(sandbox: Sandbox, preview_url: String) -> v1::Sandbox {
    v1::Sandbox {
        id: sandbox.id.to_string(),
        project_id: sandbox.project_id.to_string(),
        state: sandbox_state(sandbox.state).into(),
        detail: sandbox.detail,
        revision_id: text(sandbox.revision_id),
        preview_url,
        create_time: Some(timestamp(sandbox.created_at)),
        container_id: sandbox.container_id.unwrap_or_default(),
    }
}

/// State of a sandbox.
#[must_use]
pub fn sandbox_state(state: SandboxState) -> v1::SandboxState {
    match state {
        SandboxState::Stopped => v1::SandboxState::Stopped,
        SandboxState::Starting => v1::SandboxState::Starting,
        SandboxState::Running => v1::SandboxState::Running,
        SandboxState::Stopping => v1::SandboxState::Stopping,
        SandboxState::Failed => v1::SandboxState::Failed,
    }
}

/// State of a generation.
#[must_use]
pub fn generation_state(state: GenerationState) -> v1::GenerationState {
    match state {
        GenerationState::Queued => v1::GenerationState::Queued,
        GenerationState::Preparing => v1::GenerationState::Preparing,
        GenerationState::Generating => v1::GenerationState::Generating,
        GenerationState::Applying => v1::GenerationState::Applying,
        GenerationState::Installing => v1::GenerationState::Installing,
        GenerationState::Starting => v1::GenerationState::Starting,
        GenerationState::Checking => v1::GenerationState::Checking,
        GenerationState::Repairing => v1::GenerationState::Repairing,
        GenerationState::Finished => v1::GenerationState::Finished,
    }
}

fn outcome(outcome: Outcome) -> v1::GenerationOutcome {
    match outcome {
        Outcome::Ready => v1::GenerationOutcome::Ready,
        Outcome::Failed => v1::GenerationOutcome::Failed,
        Outcome::Truncated => v1::GenerationOutcome::Truncated,
        Outcome::Cancelled => v1::GenerationOutcome::Cancelled,
        Outcome::Interrupted => v1::GenerationOutcome::Interrupted,
        Outcome::OverBudget => v1::GenerationOutcome::OverBudget,
    }
}

fn failure_reason(reason: FailureReason) -> v1::FailureReason {
    use FailureReason as R;
    match reason {
        R::UpstreamLineTooLong => v1::FailureReason::UpstreamLineTooLong,
        R::OutputTooLarge => v1::FailureReason::OutputTooLarge,
        R::UpstreamBadChunk => v1::FailureReason::UpstreamBadChunk,
        R::UpstreamError => v1::FailureReason::UpstreamError,
        R::UpstreamTruncated => v1::FailureReason::UpstreamTruncated,
        R::ContentFiltered => v1::FailureReason::ContentFiltered,
        R::BadRequest => v1::FailureReason::BadRequest,
        R::UpstreamKeyInvalid => v1::FailureReason::UpstreamKeyInvalid,
        R::NoCredits => v1::FailureReason::NoCredits,
        R::Moderated => v1::FailureReason::Moderated,
        R::ModelNotFound => v1::FailureReason::ModelNotFound,
        R::UpstreamRateLimited => v1::FailureReason::UpstreamRateLimited,
        R::UpstreamUnavailable => v1::FailureReason::UpstreamUnavailable,
        R::UpstreamProtocol => v1::FailureReason::UpstreamProtocol,
        R::UpstreamIdle => v1::FailureReason::UpstreamIdle,
        R::UpstreamFirstTokenTimeout => v1::FailureReason::UpstreamFirstTokenTimeout,
        R::TimeLimit => v1::FailureReason::TimeLimit,
        R::InvalidOperation => v1::FailureReason::InvalidOperation,
        R::NoOperations => v1::FailureReason::NoOperations,
        R::InstallFailed => v1::FailureReason::InstallFailed,
        R::StartFailed => v1::FailureReason::StartFailed,
        R::ProbeFailed => v1::FailureReason::ProbeFailed,
        R::CheckFailed => v1::FailureReason::CheckFailed,
        R::SandboxFailed => v1::FailureReason::SandboxFailed,
        R::DockerUnavailable => v1::FailureReason::DockerUnavailable,
        R::DbUnavailable => v1::FailureReason::DbUnavailable,
        R::Internal => v1::FailureReason::Internal,
        R::ImageMissing => v1::FailureReason::ImageMissing,
    }
}

fn operation_kind(kind: OperationKind) -> i32 {
    match kind {
        OperationKind::Write => v1::OperationKind::Write,
        OperationKind::Edit => v1::OperationKind::Edit,
        OperationKind::Rename => v1::OperationKind::Rename,
        OperationKind::Delete => v1::OperationKind::Delete,
        OperationKind::AddDependency => v1::OperationKind::AddDependency,
        OperationKind::Read => v1::OperationKind::Read,
    }
    .into()
}

fn step_kind(step: StepKind) -> i32 {
    match step {
        StepKind::Sandbox => v1::StepKind::Sandbox,
        StepKind::Sync => v1::StepKind::Sync,
        StepKind::Install => v1::StepKind::Install,
        StepKind::Start => v1::StepKind::Start,
        StepKind::Probe => v1::StepKind::Probe,
        StepKind::Check => v1::StepKind::Check,
    }
    .into()
}

/// An entry of the log.
#[must_use]
pub fn event(recorded: &Recorded) -> v1::Event {
    v1::Event {
        sequence: recorded.sequence,
        time: Some(timestamp(recorded.time)),
        generation_id: text(recorded.generation_id),
        body: Some(body(&recorded.event)),
    }
}

fn body(event: &Event) -> v1::event::Body {
    use v1::event::Body;
    match event.clone() {
        Event::ProjectCreated { name, template } => {
            Body::ProjectCreated(v1::ProjectCreated { name, template })
        }
        Event::ProjectUpdated {
            name,
            description,
            default_model,
        } => Body::ProjectUpdated(v1::ProjectUpdated {
            name,
            description,
            default_model,
        }),
        Event::ProjectDeleted => Body::ProjectDeleted(v1::ProjectDeleted {}),
        Event::GenerationStarted {
            prompt,
            model,
            demo,
            user_id,
        } => Body::GenerationStarted(v1::GenerationStarted {
            prompt,
            model,
            demo,
            user_id: user_id.to_string(),
        }),
        Event::GenerationStateChanged { state } => {
            Body::GenerationStateChanged(v1::GenerationStateChanged {
                state: generation_state(state).into(),
            })
        }
        Event::AttemptStarted {
            attempt,
            attempt_kind,
            model,
        } => Body::AttemptStarted(v1::AttemptStarted {
            attempt,
            kind: match attempt_kind {
                AttemptKind::First => v1::AttemptKind::First,
                AttemptKind::Continuation => v1::AttemptKind::Continuation,
                AttemptKind::Repair => v1::AttemptKind::Repair,
            }
            .into(),
            model,
        }),
        Event::TextDelta { text } => Body::TextDelta(v1::TextDelta { text }),
        Event::FileStarted {
            operation,
            operation_kind: kind,
            path,
        } => Body::FileStarted(v1::FileStarted {
            operation,
            kind: operation_kind(kind),
            path,
        }),
        Event::FileDelta { operation, text } => Body::FileDelta(v1::FileDelta { operation, text }),
        Event::FileFinished {
            operation,
            size_bytes,
        } => Body::FileFinished(v1::FileFinished {
            operation,
            size_bytes,
        }),
        Event::OperationReceived {
            operation,
            operation_kind: kind,
            path,
            new_path,
            packages,
        } => Body::OperationReceived(v1::OperationReceived {
            operation,
            kind: operation_kind(kind),
            path,
            new_path,
            packages,
        }),
        Event::AttemptFinished {
            attempt,
            finish_reason,
            usage: used,
            billed_model,
            error,
        } => Body::AttemptFinished(v1::AttemptFinished {
            attempt,
            finish_reason: finish_reason.as_str().to_owned(),
            usage: Some(usage(used)),
            billed_model,
            error,
        }),
        Event::RevisionCreated {
            revision_id,
            number,
            parent_id,
            changes,
        } => Body::RevisionCreated(v1::RevisionCreated {
            revision_id: revision_id.to_string(),
            number,
            parent_id: text(parent_id),
            changes: changes.into_iter().map(file_change).collect(),
        }),
        Event::StepStarted {
            step,
            position,
            count,
            title,
        } => Body::StepStarted(v1::StepStarted {
            step: step_kind(step),
            position,
            count,
            title,
        }),
        Event::StepOutput { step, text } => Body::StepOutput(v1::StepOutput {
            step: step_kind(step),
            text,
        }),
        Event::StepFinished {
            step,
            outcome,
            duration: took,
            detail,
        } => Body::StepFinished(v1::StepFinished {
            step: step_kind(step),
            outcome: match outcome {
                StepOutcome::Passed => v1::StepOutcome::Passed,
                StepOutcome::Skipped => v1::StepOutcome::Skipped,
                StepOutcome::Failed => v1::StepOutcome::Failed,
            }
            .into(),
            duration: Some(duration(took)),
            detail,
        }),
        Event::GenerationFinished(ending) => Body::GenerationFinished(finished(ending)),
        Event::SandboxStateChanged { state, detail } => {
            Body::SandboxStateChanged(v1::SandboxStateChanged {
                state: sandbox_state(state).into(),
                detail,
            })
        }
        Event::PreviewChanged { url, revision_id } => Body::PreviewChanged(v1::PreviewChanged {
            url,
            revision_id: revision_id.to_string(),
        }),
    }
}

fn finished(ending: Ending) -> v1::GenerationFinished {
    v1::GenerationFinished {
        outcome: outcome(ending.outcome).into(),
        failure_reason: ending
            .failure_reason
            .map_or(v1::FailureReason::Unspecified, failure_reason)
            .into(),
        message: ending.message,
        revision_id: text(ending.revision_id),
        usage: Some(usage(ending.usage)),
        attempts: ending.attempts,
        preview_url: ending.preview_url.unwrap_or_default(),
    }
}
