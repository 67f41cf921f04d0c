//! The life of one generation, from its lease to its terminal event.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::gate::{self, Candidate, Stopped, Verdict};
use super::super::reporter::Reporter;
use super::Generations;
use super::answer::{self, Call, CallEnd};
use super::end::{Account, End, cancelled, judge};
use super::revise::{self, Revised};
use crate::domain::event::Event;
use crate::domain::generation::{
    AttemptKind, Ending, FinishReason, Generation, GenerationState, Outcome,
};
use crate::domain::id::GenerationId;
use crate::domain::project::Project;
use crate::domain::revision::Health;
use crate::domain::tree::Tree;
use crate::domain::{Error, Result};
use crate::journal::{Fence, Lease};
use crate::llm::{ChatRequest, Edge};
use crate::store::attempts::AttemptEnd;
use crate::store::change::RowChange;
use crate::store::{generations as rows, projects, revisions};
use crate::template::Template;

/// Until the end of a generation is written again after it could not be: at first,
/// doubled each time.
const END_AGAIN: Duration = Duration::from_secs(1);

/// And at most.
const END_AGAIN_MOST: Duration = Duration::from_secs(10);

impl Generations {
    /// Carries a generation to its end and writes the terminal event. Whatever
    /// happens in between, exactly one is written, unless another daemon has
    /// taken the generation over.
    pub(super) async fn carry(
        &self,
        generation: Generation,
        lease: Lease,
        cancel: CancellationToken,
    ) {
        let parts = &self.inner.parts;
        let reporter = Reporter::of_generation(
            parts.journal.clone(),
            generation.project_id,
            generation.id,
            lease.fence(),
            Arc::clone(&parts.progress),
        );
        parts.progress.begin(generation.project_id);
        let mut account = Account::default();
        let life = Life {
            generations: self,
            generation: &generation,
            reporter: &reporter,
            cancel: &cancel,
            edge: parts.edge.now(),
        };
        let stop = self.watch_for_cancel(&generation, &cancel);
        let run = Box::pin(life.run(&mut account));
        let result = tokio::select! {
            result = run => result,
            end = stop => Err(end),
        };
        let ending = match result {
            Ok(message) => End::of(Outcome::Ready, message),
            Err(end) => end,
        };
        let ending = self.ending(&generation, account, ending);
        self.finish_in_the_end(&generation, &reporter, &ending)
            .await;
        self.release(Some(lease)).await;
    }

    /// Writes the end of a generation, however long the database is away or full:
    /// nobody else would, as long as this daemon lives.
    async fn finish_in_the_end(
        &self,
        generation: &Generation,
        reporter: &Reporter,
        ending: &Ending,
    ) {
        let mut wait = END_AGAIN;
        loop {
            let error = match self.finish(generation, reporter, ending).await {
                Ok(()) => return,
                Err(error) => error,
            };
            if !matches!(
                error,
                Error::DbUnavailable | Error::DbTimeout | Error::StorageFull
            ) {
                tracing::error!(%error, "cannot write the end of a generation");
                return;
            }
            tracing::warn!(%error, "the end of a generation is not written yet; trying again");
            tokio::select! {
                // The next start of a daemon writes it, as INTERRUPTED.
                () = self.inner.parts.shutdown.stopping.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(END_AGAIN_MOST);
        }
    }

    /// Ends a waiting generation that never ran.
    pub(super) async fn cancel_queued(&self, generation: &Generation) -> Result<()> {
        let parts = &self.inner.parts;
        let reporter = Reporter::of_generation(
            parts.journal.clone(),
            generation.project_id,
            generation.id,
            Fence::None,
            Arc::clone(&parts.progress),
        );
        let end = End::of(Outcome::Cancelled, "cancelled while it waited");
        let ending = self.ending(generation, Account::default(), end);
        self.finish(generation, &reporter, &ending).await
    }

    /// How it ended; the preview shows it at once.
    fn ending(&self, generation: &Generation, account: Account, end: End) -> Ending {
        let ending = Ending {
            outcome: end.outcome,
            failure_reason: end.reason,
            message: end.message,
            revision_id: account.revision,
            usage: account.usage,
            attempts: account.attempts,
            preview_url: account.preview_url,
        };
        self.inner
            .parts
            .progress
            .end(generation.project_id, &ending);
        tracing::info!(outcome = %ending.outcome, attempts = ending.attempts, "generation over");
        ending
    }

    async fn finish(
        &self,
        generation: &Generation,
        reporter: &Reporter,
        ending: &Ending,
    ) -> Result<()> {
        reporter
            .emit(
                vec![Event::GenerationFinished(ending.clone())],
                vec![RowChange::FinishGeneration {
                    generation_id: generation.id,
                    ending: ending.clone(),
                }],
            )
            .await?;
        Ok(())
    }

    /// Resolves when this generation has to end from outside: the daemon goes
    /// down. Looks for the mark that another daemon leaves to cancel it.
    async fn watch_for_cancel(&self, generation: &Generation, cancel: &CancellationToken) -> End {
        let parts = &self.inner.parts;
        loop {
            tokio::select! {
                () = parts.shutdown.stopping.cancelled() => {
                    return End::of(
                        Outcome::Interrupted,
                        "the daemon was stopped while this ran; send the prompt again to go on",
                    );
                }
                () = tokio::time::sleep(crate::journal::HEARTBEAT) => {}
            }
            if !cancel.is_cancelled()
                && matches!(
                    rows::cancel_requested(&parts.pool, generation.id).await,
                    Ok(true)
                )
            {
                cancel.cancel();
            }
        }
    }
}

/// One generation on its way.
pub(super) struct Life<'a> {
    pub(super) generations: &'a Generations,
    pub(super) generation: &'a Generation,
    pub(super) reporter: &'a Reporter,
    pub(super) cancel: &'a CancellationToken,
    /// The provider that it began with, whatever is chosen meanwhile.
    pub(super) edge: Arc<Edge>,
}

/// What a generation starts from.
pub(super) struct Base {
    pub(super) project: Project,
    pub(super) template: Template,
    pub(super) tree: Tree,
    pub(super) parent: Option<crate::domain::revision::Revision>,
}

impl Life<'_> {
    async fn run(&self, account: &mut Account) -> Result<String, End> {
        // One that did not wait was accepted in this state.
        if self.generation.state == GenerationState::Queued {
            self.enter(GenerationState::Preparing).await?;
        }
        let base = self.base().await?;
        let request = self.request(&base).await?;
        self.enter(GenerationState::Generating).await?;
        let call = self.call(request, account).await?;
        let tree = revise::apply(&base.tree, &call.answer)
            .map_err(|refused| End::failed(refused.reason, refused.message))?;
        self.enter(GenerationState::Applying).await?;
        let revised = self.revise(&base, tree).await?;
        account.revision = Some(revised.id);
        Box::pin(self.pass_gate(&base, revised, account)).await
    }

    async fn base(&self) -> Result<Base> {
        let parts = &self.generations.inner.parts;
        let project = projects::get(
            &parts.pool,
            self.generation.user_id,
            self.generation.project_id,
        )
        .await?
        .ok_or(Error::NotFound)?;
        let template = parts
            .templates
            .get(&project.template)
            .cloned()
            .ok_or_else(|| Error::internal(format!("template {} is gone", project.template)))?;
        let parent = revisions::head(&parts.pool, project.id).await?;
        let tree = match &parent {
            Some(parent) => revise::load(&parts.pool, parent.id).await?,
            None => template.initial_tree(),
        };
        Ok(Base {
            project,
            template,
            tree,
            parent,
        })
    }

    async fn call(&self, request: ChatRequest, account: &mut Account) -> Result<Call, End> {
        let attempt = account.attempts + 1;
        let model = request.model.clone();
        self.reporter
            .emit(
                vec![Event::AttemptStarted {
                    attempt,
                    attempt_kind: AttemptKind::First,
                    model: model.clone(),
                }],
                vec![RowChange::InsertAttempt {
                    generation_id: self.generation.id,
                    attempt,
                    kind: AttemptKind::First,
                    model,
                }],
            )
            .await?;
        account.attempts = attempt;
        let call = answer::ask(&self.edge, request, self.reporter, self.cancel).await?;
        account.usage = account.usage.plus(call.usage);
        let (finish_reason, error) = match &call.end {
            CallEnd::Finished(reason) => (*reason, String::new()),
            CallEnd::Cancelled => (FinishReason::Cancelled, String::new()),
            CallEnd::Failed(error) => (FinishReason::Error, error.message.clone()),
        };
        self.reporter
            .emit(
                vec![Event::AttemptFinished {
                    attempt,
                    finish_reason,
                    usage: call.usage,
                    billed_model: call.billed_model.clone(),
                    error: error.clone(),
                }],
                vec![RowChange::FinishAttempt(AttemptEnd {
                    generation_id: self.generation.id,
                    attempt,
                    finish_reason,
                    usage: call.usage,
                    billed_model: call.billed_model.clone(),
                    error,
                    answer: call.text.clone(),
                })],
            )
            .await?;
        judge(call)
    }

    async fn revise(&self, base: &Base, tree: Tree) -> Result<Revised> {
        let parts = &self.generations.inner.parts;
        revise::save(
            &parts.pool,
            self.reporter,
            base.parent.as_ref(),
            &base.tree,
            tree,
            Some(self.generation),
        )
        .await
    }

    async fn pass_gate(
        &self,
        base: &Base,
        revised: Revised,
        account: &mut Account,
    ) -> Result<String, End> {
        let parts = &self.generations.inner.parts;
        let candidate = Candidate {
            project: base.project.id,
            revision: revised.id,
            tree: &revised.tree,
            template: &base.template,
        };
        let states = Entering {
            generation: self.generation.id,
        };
        let _turn = tokio::select! {
            turn = parts.sandboxes.gate(base.project.id) => turn,
            () = self.cancel.cancelled() => return Err(cancelled()),
        };
        let verdict = gate::run(
            &candidate,
            &parts.sandboxes,
            self.reporter,
            &states,
            self.cancel,
        )
        .await
        .map_err(|stopped| match stopped {
            Stopped::Cancelled => cancelled(),
            Stopped::Fault(reason, message) => End::failed(reason, message),
            Stopped::Error(error) => error.into(),
        })?;
        match verdict {
            Verdict::Passed(passed) => {
                let url = base.project.preview_port.map(crate::preview::url);
                gate::show(passed, &candidate, self.reporter, url.clone()).await?;
                account.preview_url = url;
                Ok(String::new())
            }
            Verdict::Failed { reason, message } => {
                self.reporter
                    .note(vec![RowChange::SetRevisionHealth {
                        revision_id: revised.id,
                        health: Health::Unhealthy,
                    }])
                    .await?;
                Err(End::failed(reason, message))
            }
        }
    }

    async fn enter(&self, state: GenerationState) -> Result<()> {
        let (events, changes) = entering(self.generation.id, state);
        self.reporter.emit(events, changes).await?;
        Ok(())
    }
}

struct Entering {
    generation: GenerationId,
}

impl gate::States for Entering {
    fn entered(&self, state: GenerationState) -> (Vec<Event>, Vec<RowChange>) {
        entering(self.generation, state)
    }
}

fn entering(generation_id: GenerationId, state: GenerationState) -> (Vec<Event>, Vec<RowChange>) {
    (
        vec![Event::GenerationStateChanged { state }],
        vec![RowChange::SetGenerationState {
            generation_id,
            state,
        }],
    )
}
