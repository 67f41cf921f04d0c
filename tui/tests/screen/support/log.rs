//! A project's log, written by a daemon that only exists here: numbers and times
//! are right by themselves.

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_tui::client::link::Report;
use kiln_tui::client::watch::Batch;
use prost_types::Duration;

use super::messages::{NOW_MS, time};

/// The log.
pub(crate) struct Log {
    project_id: String,
    generation_id: String,
    sequence: i64,
    /// When the next entry is written.
    pub(crate) now_ms: i64,
    generations: u32,
    operation: i32,
    events: Vec<pb::Event>,
}

impl Log {
    /// An empty one, of a project.
    pub(crate) fn new(project_id: &str) -> Self {
        Self {
            project_id: project_id.to_owned(),
            generation_id: String::new(),
            sequence: 0,
            now_ms: NOW_MS,
            generations: 0,
            operation: -1,
            events: Vec::new(),
        }
    }

    /// Lets time pass between entries.
    pub(crate) fn after(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// Any entry of the generation that runs.
    pub(crate) fn push(&mut self, body: Body) -> &mut Self {
        self.sequence += 1;
        self.events.push(pb::Event {
            sequence: self.sequence,
            time: time(self.now_ms),
            generation_id: self.generation_id.clone(),
            body: Some(body),
        });
        self
    }

    /// An entry of the project itself.
    pub(crate) fn aside(&mut self, body: Body) -> &mut Self {
        let generation = std::mem::take(&mut self.generation_id);
        self.push(body);
        self.generation_id = generation;
        self
    }

    /// The UUID of the generation that runs, or ran last.
    pub(crate) fn generation_id(&self) -> &str {
        &self.generation_id
    }

    /// The number of the last entry.
    pub(crate) fn head(&self) -> i64 {
        self.sequence
    }

    /// A prompt was accepted, for a model that costs money.
    pub(crate) fn prompt(&mut self, prompt: &str) -> &mut Self {
        self.prompt_to(prompt, "anthropic/claude-sonnet-4.5", false)
    }

    /// A prompt was accepted.
    pub(crate) fn prompt_to(&mut self, prompt: &str, model: &str, demo: bool) -> &mut Self {
        self.generations += 1;
        self.operation = -1;
        self.generation_id = format!("0198c5a2-0000-7000-8000-{:012}", self.generations);
        self.push(Body::GenerationStarted(pb::GenerationStarted {
            prompt: prompt.to_owned(),
            model: model.to_owned(),
            demo,
            user_id: String::new(),
        }))
    }

    /// The generation is in another state.
    pub(crate) fn state(&mut self, state: pb::GenerationState) -> &mut Self {
        self.push(Body::GenerationStateChanged(pb::GenerationStateChanged {
            state: state.into(),
        }))
    }

    /// The model writes prose.
    pub(crate) fn says(&mut self, text: &str) -> &mut Self {
        self.push(Body::TextDelta(pb::TextDelta {
            text: text.to_owned(),
        }))
    }

    /// The model begins a file.
    pub(crate) fn begins(&mut self, path: &str, kind: pb::OperationKind) -> &mut Self {
        self.operation += 1;
        let operation = self.operation;
        self.push(Body::FileStarted(pb::FileStarted {
            operation,
            kind: kind.into(),
            path: path.to_owned(),
        }))
    }

    /// The model writes a piece of the file that it began last.
    pub(crate) fn writes(&mut self, text: &str) -> &mut Self {
        let operation = self.operation;
        self.push(Body::FileDelta(pb::FileDelta {
            operation,
            text: text.to_owned(),
        }))
    }

    /// The model writes a whole file.
    pub(crate) fn file(&mut self, path: &str, text: &str) -> &mut Self {
        let size = i64::try_from(text.len()).unwrap();
        self.begins(path, pb::OperationKind::Write);
        self.writes(text).after(400).finishes(size)
    }

    /// The model finishes the file that it began last.
    pub(crate) fn finishes(&mut self, size_bytes: i64) -> &mut Self {
        let operation = self.operation;
        self.push(Body::FileFinished(pb::FileFinished {
            operation,
            size_bytes,
        }))
    }

    /// The model gives an operation without content.
    pub(crate) fn operation(
        &mut self,
        kind: pb::OperationKind,
        path: &str,
        other: &str,
    ) -> &mut Self {
        self.operation += 1;
        let operation = self.operation;
        self.push(Body::OperationReceived(pb::OperationReceived {
            operation,
            kind: kind.into(),
            path: path.to_owned(),
            new_path: other.to_owned(),
            packages: vec![path.to_owned()],
        }))
    }

    /// The model call ended.
    pub(crate) fn attempt_ends(&mut self, error: &str) -> &mut Self {
        self.push(Body::AttemptFinished(pb::AttemptFinished {
            attempt: 1,
            finish_reason: "stop".to_owned(),
            billed_model: "anthropic/claude-sonnet-4.5".to_owned(),
            error: error.to_owned(),
            ..pb::AttemptFinished::default()
        }))
    }

    /// Files were applied.
    pub(crate) fn revision(
        &mut self,
        number: i32,
        changed: &[(&str, pb::FileChangeKind)],
    ) -> &mut Self {
        let changes = changed
            .iter()
            .map(|(path, kind)| pb::FileChange {
                path: (*path).to_owned(),
                kind: (*kind).into(),
                size_bytes: 10,
            })
            .collect();
        self.push(Body::RevisionCreated(pb::RevisionCreated {
            revision_id: format!("0198c5a2-0000-7000-8000-0000000000{number:02}"),
            number,
            changes,
            ..pb::RevisionCreated::default()
        }))
    }

    /// A step begins.
    pub(crate) fn step(&mut self, step: pb::StepKind, position: i32, title: &str) -> &mut Self {
        self.push(Body::StepStarted(pb::StepStarted {
            step: step.into(),
            position,
            count: 6,
            title: title.to_owned(),
        }))
    }

    /// A step writes output.
    pub(crate) fn step_says(&mut self, step: pb::StepKind, text: &str) -> &mut Self {
        self.push(Body::StepOutput(pb::StepOutput {
            step: step.into(),
            text: text.to_owned(),
        }))
    }

    /// A step ends.
    pub(crate) fn step_ends(
        &mut self,
        step: pb::StepKind,
        outcome: pb::StepOutcome,
        took_ms: i32,
        detail: &str,
    ) -> &mut Self {
        self.after(i64::from(took_ms));
        self.push(Body::StepFinished(pb::StepFinished {
            step: step.into(),
            outcome: outcome.into(),
            duration: Some(Duration {
                seconds: i64::from(took_ms / 1000),
                nanos: took_ms % 1000 * 1_000_000,
            }),
            detail: detail.to_owned(),
        }))
    }

    /// All steps pass.
    pub(crate) fn steps_pass(&mut self) -> &mut Self {
        for (position, step, title, took_ms) in [
            (1, pb::StepKind::Sandbox, "wake the sandbox", 310),
            (2, pb::StepKind::Sync, "write the files", 40),
            (3, pb::StepKind::Install, "install dependencies", 2_450),
            (4, pb::StepKind::Start, "start the dev server", 890),
            (5, pb::StepKind::Probe, "open the page", 220),
            (6, pb::StepKind::Check, "check types", 1_730),
        ] {
            self.step(step, position, title);
            self.step_ends(step, pb::StepOutcome::Passed, took_ms, "");
        }
        self
    }

    /// The generation is over.
    pub(crate) fn ends(&mut self, outcome: pb::GenerationOutcome, message: &str) -> &mut Self {
        let ready = outcome == pb::GenerationOutcome::Ready;
        let usage = pb::Usage {
            prompt_tokens: 2_140,
            completion_tokens: 1_288,
            cost_micro_usd: Some(25_740),
            ..pb::Usage::default()
        };
        self.ends_with(pb::GenerationFinished {
            outcome: outcome.into(),
            message: message.to_owned(),
            usage: Some(usage),
            preview_url: if ready {
                "http://127.0.0.1:5301".to_owned()
            } else {
                String::new()
            },
            ..pb::GenerationFinished::default()
        })
    }

    /// The generation is over, with all that can be said of it.
    pub(crate) fn ends_with(&mut self, finished: pb::GenerationFinished) -> &mut Self {
        self.push(Body::GenerationFinished(finished))
    }

    /// What was written since the last time, as it comes over the connection.
    pub(crate) fn report(&mut self) -> Report {
        let head = self.sequence;
        self.report_with_head(head)
    }

    /// The same, while the daemon knows that there is more.
    pub(crate) fn report_with_head(&mut self, head: i64) -> Report {
        Report::Project {
            id: self.project_id.clone(),
            batch: Batch {
                snapshot: None,
                events: std::mem::take(&mut self.events),
                head,
            },
        }
    }
}
