//! The life of one generation, from its lease to its terminal event.

use tokio_util::sync::CancellationToken;

use std::sync::Arc;

use super::super::context::{self, ContextInput, TurnSummary};
use super::super::gate::{self, Candidate, Stopped, Verdict};
use super::super::reporter::Reporter;
use super::Generations;
use super::answer::{self, Call, CallEnd};
use super::revise::{self, Revised};
use crate::domain::event::Event;
use crate::domain::generation::{
    AttemptKind, Ending, FailureReason, FinishReason, Generation, GenerationState, Outcome, Usage,
};
use crate::domain::id::{GenerationId, RevisionId};
use crate::domain::project::Project;
use crate::domain::revision::Health;
use crate::domain::text::beginning;
use crate::domain::tree::Tree;
use crate::domain::{Error, Result};
use crate::journal::{Fence, Lease};
use crate::llm::{ChatRequest, Edge, Message, Role};
use crate::store::attempts::AttemptEnd;
use crate::store::change::RowChange;
use crate::store::page::PageRequest;
use crate::store::{attempts, generations as rows, projects, revisions};
use crate::template::Template;

/// Turns that are told to the model as short accounts.
const TURNS_TOLD: i64 = 8;

/// Bytes of what the model said in one of them.
const SUMMARY_BYTES: usize = 400;

/// How far a generation has come; what its end reports.
#[derive(Default)]
struct Account {
    usage: Usage,
    attempts: i32,
    revision: Option<RevisionId>,
    preview_url: Option<String>,
}

/// Why a generation ended other than READY.
struct End {
    outcome: Outcome,
    reason: Option<FailureReason>,
    message: String,
}

impl End {
    fn failed(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reason: Some(reason),
            message: message.into(),
        }
    }

    fn of(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: None,
            message: message.into(),
        }
    }
}

impl From<Error> for End {
    /// An error that is nobody's fault but ours or the machine's.
    fn from(error: Error) -> Self {
        match error {
            Error::DockerUnavailable(_) => Self::failed(
                FailureReason::DockerUnavailable,
                format!("{error}; start it, then send a prompt or start the sandbox"),
            ),
            Error::ImageMissing(_) => Self::failed(FailureReason::ImageMissing, error.to_string()),
            Error::DbUnavailable | Error::DbTimeout | Error::StorageFull => {
                Self::failed(FailureReason::DbUnavailable, error.to_string())
            }
            Error::SandboxLimit { .. }
            | Error::SandboxDisk
            | Error::UploadRejected { .. }
            | Error::SandboxState(_) => {
                Self::failed(FailureReason::SandboxFailed, error.to_string())
            }
            Error::Internal(cause) => {
                tracing::error!(error = %crate::telemetry::chain(&*cause), "a generation failed unexpectedly");
                Self::failed(
                    FailureReason::Internal,
                    "internal error; the daemon's log says more",
                )
            }
            other => Self::failed(FailureReason::Internal, other.to_string()),
        }
    }
}

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
        if let Err(error) = self.finish(&generation, &reporter, account, ending).await {
            tracing::error!(%error, "cannot write the end of a generation");
        }
        self.release(Some(lease)).await;
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
        self.finish(generation, &reporter, Account::default(), end)
            .await
    }

    async fn finish(
        &self,
        generation: &Generation,
        reporter: &Reporter,
        account: Account,
        end: End,
    ) -> Result<()> {
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
        reporter
            .emit(
                vec![Event::GenerationFinished(ending.clone())],
                vec![RowChange::FinishGeneration {
                    generation_id: generation.id,
                    ending,
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

struct Life<'a> {
    generations: &'a Generations,
    generation: &'a Generation,
    reporter: &'a Reporter,
    cancel: &'a CancellationToken,
    /// The provider that it began with, whatever is chosen meanwhile.
    edge: Arc<Edge>,
}

/// What a generation starts from.
struct Base {
    project: Project,
    template: Template,
    tree: Tree,
    parent: Option<crate::domain::revision::Revision>,
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

    async fn request(&self, base: &Base) -> Result<ChatRequest> {
        let parts = &self.generations.inner.parts;
        let model = self.edge.resolve(Some(&self.generation.model)).await?;
        let page = PageRequest::first(TURNS_TOLD);
        let earlier =
            rows::list(&parts.pool, self.generation.user_id, base.project.id, page).await?;
        let mut turns = Vec::new();
        for turn in earlier.into_iter().rev() {
            if let Some(outcome) = turn.outcome {
                turns.push(self.summary(turn, outcome).await?);
            }
        }
        let max_tokens = model
            .max_output_tokens
            .and_then(|most| u32::try_from(most).ok())
            .map_or(parts.max_tokens, |most| most.min(parts.max_tokens));
        let context = context::build(&ContextInput {
            template_note: &base.template.note,
            project_name: &base.project.name,
            project_description: &base.project.description,
            tree: &base.tree,
            turns: &turns,
            prompt: &self.generation.prompt,
            window_tokens: model
                .context_tokens
                .and_then(|tokens| u64::try_from(tokens).ok()),
            max_output_tokens: u64::from(max_tokens),
        });
        if !context.omitted.is_empty() {
            self.reporter
                .note(vec![RowChange::SetGenerationOmitted {
                    generation_id: self.generation.id,
                    omitted: context.omitted,
                }])
                .await?;
        }
        Ok(ChatRequest {
            model: model.id,
            fallbacks: parts.fallbacks.clone(),
            messages: context
                .messages
                .into_iter()
                .map(|(role, content)| Message {
                    role: match role {
                        context::Role::System => Role::System,
                        context::Role::User => Role::User,
                        context::Role::Assistant => Role::Assistant,
                    },
                    content,
                })
                .collect(),
            // Never more than was asked for, which is of this width.
            max_tokens: u32::try_from(context.max_output_tokens).unwrap_or(max_tokens),
        })
    }

    /// A turn as the model is told of it: what it said first, what it changed.
    async fn summary(&self, turn: Generation, outcome: Outcome) -> Result<TurnSummary> {
        let pool = &self.generations.inner.parts.pool;
        let answer = attempts::of_generation(pool, turn.id)
            .await?
            .into_iter()
            .next_back()
            .map(|attempt| attempt.answer)
            .unwrap_or_default();
        let prose = answer.split("<kiln-").next().unwrap_or("").trim();
        let changed_files = match turn.revision_id {
            Some(revision) => revisions::changed_paths(pool, revision).await?,
            None => vec![],
        };
        Ok(TurnSummary {
            prompt: turn.prompt,
            summary: beginning(prose, SUMMARY_BYTES).to_owned(),
            outcome,
            changed_files,
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

/// What the end of a model call means for the generation.
fn judge(call: Call) -> Result<Call, End> {
    match &call.end {
        CallEnd::Cancelled => Err(cancelled()),
        CallEnd::Failed(error) => Err(End::failed(error.reason, error.message.clone())),
        CallEnd::Finished(FinishReason::Length) => Err(End::of(
            Outcome::Truncated,
            "the answer was cut off at the model's limit of tokens; nothing was applied: ask for less at once, \
             or choose a model with a longer answer",
        )),
        CallEnd::Finished(FinishReason::ContentFilter) => Err(End::failed(
            FailureReason::ContentFiltered,
            "the provider's filter stopped the answer; nothing was applied",
        )),
        CallEnd::Finished(FinishReason::Error) => Err(End::failed(
            FailureReason::UpstreamError,
            "the provider reported an error; nothing was applied",
        )),
        CallEnd::Finished(FinishReason::Stop | FinishReason::Unknown | FinishReason::Cancelled) => {
            Ok(call)
        }
    }
}

fn cancelled() -> End {
    End::of(
        Outcome::Cancelled,
        "cancelled; what had been written is in the log",
    )
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
