//! Projects as the daemon sends them.

use kiln_proto::v1 as pb;

use super::name;
use crate::model::project::{Activity, Project, Sandbox};

/// A project, cleaned.
#[must_use]
pub fn project(project: &pb::Project) -> Project {
    Project {
        id: name(&project.id),
        name: name(&project.name),
        template: name(&project.template),
        default_model: name(&project.default_model),
        updated_ms: project.update_time.as_ref().map_or(0, millis),
        activity: activity(project),
        head_revision: name(&project.head_revision_id),
        sandbox: sandbox(project.sandbox_state()),
        preview_url: name(&project.preview_url),
        cost_micro_usd: project.cost_micro_usd,
    }
}

/// What a sandbox is doing.
#[must_use]
pub fn sandbox(state: pb::SandboxState) -> Sandbox {
    match state {
        pb::SandboxState::Unspecified | pb::SandboxState::Stopped => Sandbox::Stopped,
        pb::SandboxState::Starting => Sandbox::Starting,
        pb::SandboxState::Running => Sandbox::Running,
        pb::SandboxState::Stopping => Sandbox::Stopping,
        pb::SandboxState::Failed => Sandbox::Failed,
    }
}

/// Milliseconds since 1970; what cannot be said so is at the nearest bound.
#[must_use]
pub fn millis(time: &prost_types::Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1000)
        .saturating_add(i64::from(time.nanos) / 1_000_000)
}

fn activity(project: &pb::Project) -> Activity {
    use pb::{GenerationOutcome as Outcome, GenerationState as State};
    match project.agent_state() {
        State::Queued => Activity::Queued,
        State::Preparing | State::Generating | State::Repairing => Activity::Generating,
        State::Applying | State::Installing | State::Starting | State::Checking => {
            Activity::Checking
        }
        State::Unspecified | State::Finished => match project.last_outcome() {
            Outcome::Unspecified => Activity::New,
            Outcome::Ready => Activity::Ready,
            Outcome::Failed | Outcome::Truncated | Outcome::OverBudget => Activity::Failed,
            Outcome::Cancelled => Activity::Cancelled,
            Outcome::Interrupted => Activity::Interrupted,
        },
    }
}
