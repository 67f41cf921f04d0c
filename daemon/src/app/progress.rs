//! What is under way in each project, in memory: what a preview shows while
//! there is nothing else to show. The log has the same; this is only nearer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::event::{Event, StepKind, StepOutcome};
use crate::domain::generation::{Ending, GenerationState, Outcome};
use crate::domain::id::ProjectId;

/// Projects kept; the least recently changed go first.
const KEPT: usize = 1_000;

/// What is under way in every project.
#[derive(Default)]
pub(crate) struct Progress {
    projects: Mutex<HashMap<ProjectId, (Instant, Snapshot)>>,
}

/// What is under way in one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The state of the generation that runs.
    pub(crate) state: Option<GenerationState>,
    /// The steps so far.
    pub(crate) steps: Vec<Step>,
    /// How many there will be; 0 while that is not known.
    pub(crate) count: i32,
    /// How the last one ended.
    pub(crate) ended: Option<(Outcome, String)>,
}

/// A step of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) title: String,
    /// How it ended and how long it took; `None` while it runs.
    pub(crate) end: Option<(StepOutcome, Duration)>,
}

impl Progress {
    /// Something new begins: what was before is over.
    pub(crate) fn begin(&self, project: ProjectId) {
        self.change(project, |snapshot| *snapshot = Snapshot::default());
    }

    /// A generation ended.
    pub(crate) fn end(&self, project: ProjectId, ending: &Ending) {
        self.change(project, |snapshot| {
            snapshot.state = None;
            snapshot.ended = Some((ending.outcome, ending.message.clone()));
        });
    }

    /// Takes note of an event.
    pub(crate) fn note(&self, project: ProjectId, event: &Event) {
        match event {
            Event::GenerationStateChanged { state } => {
                self.change(project, |snapshot| snapshot.state = Some(*state));
            }
            Event::StepStarted {
                step, count, title, ..
            } => self.change(project, |snapshot| {
                snapshot.count = *count;
                snapshot.steps.retain(|known| known.kind != *step);
                snapshot.steps.push(Step {
                    kind: *step,
                    title: title.clone(),
                    end: None,
                });
            }),
            Event::StepFinished {
                step,
                outcome,
                duration,
                ..
            } => self.change(project, |snapshot| {
                if let Some(known) = snapshot.steps.iter_mut().find(|known| known.kind == *step) {
                    known.end = Some((*outcome, *duration));
                }
            }),
            _ => {}
        }
    }

    /// What is under way in a project.
    pub(crate) fn snapshot(&self, project: ProjectId) -> Snapshot {
        self.all()
            .get(&project)
            .map(|(_, snapshot)| snapshot.clone())
            .unwrap_or_default()
    }

    fn change(&self, project: ProjectId, change: impl FnOnce(&mut Snapshot)) {
        let mut all = self.all();
        if all.len() >= KEPT && !all.contains_key(&project) {
            let oldest = all.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let (at, snapshot) = all
            .entry(project)
            .or_insert_with(|| (Instant::now(), Snapshot::default()));
        *at = Instant::now();
        change(snapshot);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ProjectId, (Instant, Snapshot)>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
