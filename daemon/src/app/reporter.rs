//! Says what happens to a project: every event goes through the journal, under
//! the fence of whoever reports.

use std::sync::Arc;
use std::time::Instant;

use super::progress::Progress;
use crate::domain::Result;
use crate::domain::event::{Event, StepKind, StepOutcome};
use crate::domain::id::{GenerationId, ProjectId};
use crate::journal::{Append, Committed, Fence, Journal};
use crate::store::change::RowChange;

/// Reports on one project, for one generation or for none.
#[derive(Clone)]
pub(crate) struct Reporter {
    journal: Journal,
    project: ProjectId,
    generation: Option<GenerationId>,
    fence: Fence,
    /// Where previews look; told before the commit, since it promises nothing.
    progress: Arc<Progress>,
}

impl Reporter {
    /// Reports what a generation does; once somebody else has taken it over,
    /// nothing more is written.
    pub(crate) fn of_generation(
        journal: Journal,
        project: ProjectId,
        generation: GenerationId,
        fence: Fence,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            journal,
            project,
            generation: Some(generation),
            fence,
            progress,
        }
    }

    /// Reports what happens to the project itself.
    pub(crate) fn of_project(
        journal: Journal,
        project: ProjectId,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            journal,
            project,
            generation: None,
            fence: Fence::None,
            progress,
        }
    }

    /// Commits events with the row changes that go with them, and waits.
    pub(crate) async fn emit(
        &self,
        events: Vec<Event>,
        changes: Vec<RowChange>,
    ) -> Result<Committed> {
        for event in &events {
            self.progress.note(self.project, event);
        }
        Ok(self.journal.append(self.entry(events, changes)).await?)
    }

    /// Hands over an event without waiting for its commit; waits only while too
    /// much is unwritten. Later events come after it.
    pub(crate) async fn pass(&self, event: Event) -> Result<()> {
        self.journal.send(self.entry(vec![event], vec![])).await?;
        Ok(())
    }

    /// Commits row changes that nobody needs to see as an event.
    pub(crate) async fn note(&self, changes: Vec<RowChange>) -> Result<()> {
        self.journal.append(self.entry(vec![], changes)).await?;
        Ok(())
    }

    fn entry(&self, events: Vec<Event>, changes: Vec<RowChange>) -> Append {
        Append {
            project: self.project,
            fence: self.fence,
            generation: self.generation,
            events,
            changes,
        }
    }

    /// Runs one step between its start and its end.
    pub(crate) async fn step<T, E: std::fmt::Display>(
        &self,
        (step, position, count): (StepKind, i32, i32),
        title: &str,
        work: impl Future<Output = std::result::Result<(StepOutcome, String, T), E>>,
    ) -> Result<std::result::Result<T, E>> {
        self.emit(
            vec![Event::StepStarted {
                step,
                position,
                count,
                title: title.to_owned(),
            }],
            vec![],
        )
        .await?;
        let started = Instant::now();
        let result = work.await;
        let (outcome, detail) = match &result {
            Ok((outcome, detail, _)) => (*outcome, detail.clone()),
            Err(error) => (StepOutcome::Failed, error.to_string()),
        };
        self.emit(
            vec![Event::StepFinished {
                step,
                outcome,
                duration: started.elapsed(),
                detail,
            }],
            vec![],
        )
        .await?;
        Ok(result.map(|(_, _, value)| value))
    }
}
