//! How entries of the log change the conversation.

use std::time::Duration;

use super::Conversation;
use super::block::{Block, Content, End, FileBlock, Growing, StepBlock};
use super::turn::Turn;
use crate::model::event::{Body, Ended, Event, Outcome, State};
use crate::model::project::Sandbox;
use crate::text::Role;

/// Lines of a step's output that are kept.
const OUTPUT_MAX: usize = 40;

impl Conversation {
    /// Shows a prompt before the daemon has taken it.
    pub fn begin(&mut self, prompt: &str, now_ms: i64) {
        self.turns.push(Turn::new(prompt, now_ms));
        self.view.follow_end();
    }

    /// The daemon took the prompt: the generation's UUID.
    pub fn begun(&mut self, generation_id: &str) {
        // Its first entry may have been faster than the answer.
        if self.turns.iter().any(|turn| turn.id == generation_id) {
            self.turns
                .retain(|turn| !(turn.id.is_empty() && turn.is_busy()));
            return;
        }
        if let Some(turn) = self.sending() {
            generation_id.clone_into(&mut turn.id);
        }
    }

    /// The daemon refused the prompt: why.
    pub fn fail_begin(&mut self, why: &str) {
        if let Some(turn) = self.sending() {
            turn.refused = true;
            turn.push(Content::Note(Role::Error, format!("not sent: {why}")));
        }
    }

    fn sending(&mut self) -> Option<&mut Turn> {
        self.turns
            .iter_mut()
            .rev()
            .find(|turn| turn.id.is_empty() && turn.is_busy())
    }

    /// Takes the next entry; one that was taken before is passed over.
    pub fn apply(&mut self, event: Event) {
        if event.sequence <= self.last_sequence {
            return;
        }
        if event.sequence != self.last_sequence + 1 {
            self.faults += 1;
        }
        self.last_sequence = event.sequence;
        if let Body::GenerationStarted {
            prompt,
            model: _,
            demo,
        } = &event.body
        {
            self.started(&event, prompt, *demo);
            return;
        }
        if event.generation_id.is_empty() {
            self.beside(event);
            return;
        }
        let time_ms = event.time_ms;
        let Some(turn) = self
            .turns
            .iter_mut()
            .rev()
            .find(|turn| turn.id == event.generation_id)
        else {
            return;
        };
        happened(turn, event.body, time_ms);
    }

    fn started(&mut self, event: &Event, prompt: &str, demo: bool) {
        let had_app = self.turns.iter().any(|turn| {
            let finish = turn.finish.as_ref();
            finish.is_some_and(|finish| finish.outcome == Ended::Ready)
        });
        let known = self
            .turns
            .iter_mut()
            .rev()
            .find(|turn| turn.id == event.generation_id);
        let turn = match known {
            Some(turn) => turn,
            // What was just sent here is this one, unless somebody else wrote too.
            None => match self
                .turns
                .iter_mut()
                .rev()
                .find(|turn| turn.id.is_empty() && turn.is_busy() && turn.prompt == prompt)
            {
                Some(turn) => turn,
                None => {
                    self.turns.push(Turn::new(prompt, event.time_ms));
                    let last = self.turns.len() - 1;
                    &mut self.turns[last]
                }
            },
        };
        turn.id.clone_from(&event.generation_id);
        turn.demo = demo;
        turn.had_app = had_app;
        turn.since_ms = event.time_ms;
    }

    /// What belongs to no prompt: starts of the app, and what becomes of it.
    fn beside(&mut self, event: Event) {
        let note = match &event.body {
            Body::SandboxStateChanged {
                state: Sandbox::Failed,
                detail,
            } if !detail.is_empty() => {
                Content::Note(Role::Error, format!("the app is gone: {detail}"))
            }
            Body::SandboxStateChanged {
                state: Sandbox::Stopped,
                detail,
            } if !detail.is_empty() => {
                Content::Note(Role::Dim, format!("the app was stopped: {detail}"))
            }
            Body::StepStarted { .. } | Body::StepOutput { .. } | Body::StepFinished { .. } => {
                let turn = self.aside();
                happened(turn, event.body, event.time_ms);
                return;
            }
            _ => return,
        };
        self.aside().push(note);
    }

    fn aside(&mut self) -> &mut Turn {
        if !self.turns.last().is_some_and(|turn| turn.aside) {
            self.turns.push(Turn {
                aside: true,
                ..Turn::default()
            });
        }
        let last = self.turns.len() - 1;
        &mut self.turns[last]
    }
}

fn happened(turn: &mut Turn, body: Body, time_ms: i64) {
    match body {
        Body::StateChanged(state) => turn.state = state,
        Body::AttemptStarted { again } => {
            if let Some(why) = again {
                turn.push(Content::Note(Role::Warn, why.to_owned()));
            }
        }
        Body::Text(delta) => {
            turn.state = State::Generating;
            if let Some(Block {
                content: Content::Prose(prose),
                drawn,
                ..
            }) = turn.blocks.last_mut()
            {
                prose.push(&delta);
                *drawn = None;
                return;
            }
            let mut prose = Growing::default();
            prose.push(&delta);
            turn.push(Content::Prose(prose));
        }
        Body::FileStarted {
            operation,
            edits,
            path,
        } => {
            turn.state = State::Generating;
            turn.push(Content::File(FileBlock {
                operation,
                edits,
                path,
                text: Growing::default(),
                size: None,
                began_ms: time_ms,
                ended_ms: time_ms,
                cut_off: false,
            }));
        }
        Body::FileDelta { operation, text } => file(turn, operation, |file| {
            file.text.push(&text);
            file.ended_ms = time_ms;
        }),
        Body::FileFinished { operation, size } => file(turn, operation, |file| {
            file.size = Some(size);
            file.ended_ms = time_ms;
        }),
        Body::Operation(operation) => turn.push(Content::Operation(operation)),
        Body::AttemptFinished { error, .. } => {
            cut_off(turn);
            if !error.is_empty() {
                turn.push(Content::Note(Role::Error, error));
            }
        }
        Body::RevisionCreated { number, changes } => {
            turn.push(Content::Revision(number, changes));
        }
        Body::StepStarted {
            step,
            position,
            count,
            title,
        } => {
            let started = StepBlock {
                step,
                position,
                count,
                title,
                began_ms: time_ms,
                output: Vec::new(),
                end: None,
            };
            match steps(turn) {
                Some(steps) if steps.iter().all(|known| known.position < position) => {
                    steps.push(started);
                }
                Some(_) | None => turn.push(Content::Steps(vec![started])),
            }
        }
        Body::StepOutput { step, text } => {
            if let Some(known) = steps(turn)
                .and_then(|steps| steps.iter_mut().rev().find(|known| known.step == step))
            {
                known.output.extend(text.lines().map(str::to_owned));
                let surplus = known.output.len().saturating_sub(OUTPUT_MAX);
                known.output.drain(..surplus);
            }
        }
        Body::StepFinished {
            step,
            outcome,
            duration,
            detail,
        } => {
            if let Some(known) = steps(turn)
                .and_then(|steps| steps.iter_mut().rev().find(|known| known.step == step))
            {
                known.end = Some((outcome, duration, detail));
            }
        }
        Body::GenerationFinished(finish) => {
            cut_off(turn);
            end_steps(turn, time_ms);
            turn.state = State::Finished;
            let took = u64::try_from(time_ms.saturating_sub(turn.since_ms)).unwrap_or(0);
            turn.push(Content::End(Box::new(End {
                finish: finish.clone(),
                took: Duration::from_millis(took),
                demo: turn.demo,
                had_app: turn.had_app,
            })));
            turn.finish = Some(finish);
        }
        Body::ProjectDeleted
        | Body::GenerationStarted { .. }
        | Body::SandboxStateChanged { .. }
        | Body::Other => {}
    }
}

/// The steps that are being taken, if the last part is steps.
fn steps(turn: &mut Turn) -> Option<&mut Vec<StepBlock>> {
    match turn.blocks.last_mut() {
        Some(Block {
            content: Content::Steps(steps),
            drawn,
            ..
        }) => {
            *drawn = None;
            Some(steps)
        }
        Some(_) | None => None,
    }
}

/// Changes the file of an operation: the newest with its number.
fn file(turn: &mut Turn, operation: i32, change: impl FnOnce(&mut FileBlock)) {
    for block in turn.blocks.iter_mut().rev() {
        if let Content::File(file) = &mut block.content
            && file.operation == operation
        {
            change(file);
            block.changed();
            return;
        }
    }
}

/// The turn is over: a step that still runs has nobody any more who ends it.
fn end_steps(turn: &mut Turn, time_ms: i64) {
    let Some(steps) = steps(turn) else { return };
    for step in steps.iter_mut().filter(|step| step.end.is_none()) {
        let took = u64::try_from(time_ms.saturating_sub(step.began_ms)).unwrap_or(0);
        step.end = Some((
            Outcome::Failed,
            Duration::from_millis(took),
            "cancelled".to_owned(),
        ));
    }
}

/// The answer is over: what is still open was cut off.
fn cut_off(turn: &mut Turn) {
    for block in &mut turn.blocks {
        if let Content::File(file) = &mut block.content
            && file.is_open()
        {
            file.cut_off = true;
            block.changed();
        }
    }
}
