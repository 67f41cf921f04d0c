//! What the model is asked: the context of a generation, and how earlier turns
//! are told. It asks nothing itself.

use super::super::context::{self, ContextInput, TurnSummary};
use super::carry::{Base, Life};
use crate::domain::Result;
use crate::domain::generation::{Generation, Outcome};
use crate::domain::text::beginning;
use crate::llm::{ChatRequest, Message, Role};
use crate::store::change::RowChange;
use crate::store::page::PageRequest;
use crate::store::{attempts, generations as rows, revisions};

/// Turns that are told to the model as short accounts.
const TURNS_TOLD: i64 = 8;

/// Bytes of what the model said in one of them.
const SUMMARY_BYTES: usize = 400;

impl Life<'_> {
    /// What to ask for this generation.
    pub(super) async fn request(&self, base: &Base) -> Result<ChatRequest> {
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
}
