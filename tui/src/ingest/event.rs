//! Entries of a project's log, cleaned.

use std::time::Duration;

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body as Raw;

use super::{name, path, project, sentence};
use crate::model::event::{
    Body, Change, ChangeKind, Delta, Event, Finish, Outcome, Spent, State, Step,
};
use crate::sanitise;

/// An entry of the log.
#[must_use]
pub fn event(event: pb::Event) -> Event {
    Event {
        sequence: event.sequence,
        time_ms: event.time.as_ref().map_or(0, project::millis),
        generation_id: name(&event.generation_id),
        body: event.body.map_or(Body::Other, body),
    }
}

fn body(body: Raw) -> Body {
    match body {
        Raw::ProjectCreated(_) | Raw::ProjectUpdated(_) | Raw::PreviewChanged(_) => Body::Other,
        Raw::ProjectDeleted(_) => Body::ProjectDeleted,
        Raw::GenerationStarted(started) => Body::GenerationStarted {
            prompt: sanitise::text(&started.prompt).into_owned(),
            model: name(&started.model),
            demo: started.demo,
        },
        Raw::GenerationStateChanged(changed) => Body::StateChanged(state(changed.state())),
        Raw::AttemptStarted(started) => Body::AttemptStarted {
            again: match started.kind() {
                pb::AttemptKind::Unspecified | pb::AttemptKind::First => None,
                pb::AttemptKind::Continuation => Some("the answer was cut off: going on"),
                pb::AttemptKind::Repair => Some("mending what the checks found"),
            },
        },
        Raw::TextDelta(delta) => Body::Text(piece(&delta.text)),
        Raw::FileStarted(started) => Body::FileStarted {
            operation: started.operation,
            edits: started.kind() == pb::OperationKind::Edit,
            path: path(&started.path),
        },
        Raw::FileDelta(delta) => Body::FileDelta {
            operation: delta.operation,
            text: piece(&delta.text),
        },
        Raw::FileFinished(finished) => Body::FileFinished {
            operation: finished.operation,
            size: finished.size_bytes,
        },
        Raw::OperationReceived(received) => Body::Operation(operation(&received)),
        Raw::AttemptFinished(finished) => Body::AttemptFinished {
            billed_model: name(&finished.billed_model),
            error: sentence(&finished.error),
        },
        Raw::RevisionCreated(created) => Body::RevisionCreated {
            number: created.number,
            changes: created.changes.iter().map(change).collect(),
        },
        Raw::StepStarted(started) => Body::StepStarted {
            step: step(started.step()),
            position: started.position,
            count: started.count,
            title: sentence(&started.title),
        },
        Raw::StepOutput(output) => Body::StepOutput {
            step: step(output.step()),
            text: super::log::clean_text(&output.text).into_owned(),
        },
        Raw::StepFinished(finished) => Body::StepFinished {
            step: step(finished.step()),
            outcome: match finished.outcome() {
                pb::StepOutcome::Passed => Outcome::Passed,
                pb::StepOutcome::Unspecified | pb::StepOutcome::Skipped => Outcome::Skipped,
                pb::StepOutcome::Failed => Outcome::Failed,
            },
            duration: finished
                .duration
                .and_then(|d| Duration::try_from(d).ok())
                .unwrap_or_default(),
            detail: sentence(&finished.detail),
        },
        Raw::GenerationFinished(finished) => Body::GenerationFinished(finish(&finished)),
        Raw::SandboxStateChanged(changed) => Body::SandboxStateChanged {
            state: project::sandbox(changed.state()),
            detail: sentence(&changed.detail),
        },
    }
}

/// A piece of a text. A line end may lie between two pieces: a carriage return at
/// the end is kept apart until it is known what follows it.
fn piece(text: &str) -> Delta {
    let (text, held) = match text.strip_suffix('\r') {
        Some(before) => (before, true),
        None => (text, false),
    };
    Delta {
        begins_line: text.starts_with('\n'),
        text: sanitise::text(text).into_owned(),
        held_return: held,
    }
}

fn operation(received: &pb::OperationReceived) -> crate::model::event::Operation {
    use crate::model::event::Operation;
    match received.kind() {
        pb::OperationKind::Rename => Operation::Rename {
            from: name(&received.path),
            to: name(&received.new_path),
        },
        pb::OperationKind::Delete => Operation::Delete(name(&received.path)),
        pb::OperationKind::AddDependency => Operation::AddDependency(
            received
                .packages
                .iter()
                .map(|package| name(package))
                .collect(),
        ),
        pb::OperationKind::Read
        | pb::OperationKind::Write
        | pb::OperationKind::Edit
        | pb::OperationKind::Unspecified => Operation::Read(name(&received.path)),
    }
}

fn change(change: &pb::FileChange) -> Change {
    Change {
        path: path(&change.path),
        kind: match change.kind() {
            pb::FileChangeKind::Added => ChangeKind::Added,
            pb::FileChangeKind::Unspecified | pb::FileChangeKind::Modified => ChangeKind::Modified,
            pb::FileChangeKind::Deleted => ChangeKind::Deleted,
        },
    }
}

fn step(kind: pb::StepKind) -> Step {
    match kind {
        pb::StepKind::Unspecified | pb::StepKind::Sandbox => Step::Sandbox,
        pb::StepKind::Sync => Step::Sync,
        pb::StepKind::Install => Step::Install,
        pb::StepKind::Start => Step::Start,
        pb::StepKind::Probe => Step::Probe,
        pb::StepKind::Check => Step::Check,
    }
}

fn state(state: pb::GenerationState) -> State {
    match state {
        pb::GenerationState::Queued => State::Queued,
        pb::GenerationState::Unspecified | pb::GenerationState::Preparing => State::Preparing,
        pb::GenerationState::Generating => State::Generating,
        pb::GenerationState::Applying => State::Applying,
        pb::GenerationState::Installing => State::Installing,
        pb::GenerationState::Starting => State::Starting,
        pb::GenerationState::Checking => State::Checking,
        pb::GenerationState::Repairing => State::Repairing,
        pb::GenerationState::Finished => State::Finished,
    }
}

fn finish(finished: &pb::GenerationFinished) -> Finish {
    let usage = finished.usage.unwrap_or_default();
    Finish {
        outcome: match finished.outcome() {
            pb::GenerationOutcome::Ready => crate::model::event::Ended::Ready,
            pb::GenerationOutcome::Unspecified | pb::GenerationOutcome::Failed => {
                crate::model::event::Ended::Failed
            }
            pb::GenerationOutcome::Truncated => crate::model::event::Ended::Truncated,
            pb::GenerationOutcome::Cancelled => crate::model::event::Ended::Cancelled,
            pb::GenerationOutcome::Interrupted => crate::model::event::Ended::Interrupted,
            pb::GenerationOutcome::OverBudget => crate::model::event::Ended::OverBudget,
        },
        message: sentence(&finished.message),
        spent: Spent {
            // Nobody uses less than nothing.
            prompt_tokens: usage.prompt_tokens.max(0),
            completion_tokens: usage.completion_tokens.max(0),
            cost_micro_usd: usage.cost_micro_usd.filter(|cost| *cost >= 0),
            estimated: usage.estimated,
        },
        preview_url: name(&finished.preview_url),
    }
}

#[cfg(test)]
mod tests;
