//! One prompt and what came of it.

use super::block::{Block, Content, StepBlock};
use crate::model::event::{Finish, State};

/// One prompt and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// UUID of the generation; empty while the daemon has not answered.
    pub(super) id: String,
    /// The prompt.
    pub(super) prompt: String,
    /// Whether the model's answers are canned.
    pub(super) demo: bool,
    /// Whether an earlier prompt had made an app.
    pub(super) had_app: bool,
    /// What came, in order; the prompt is the first.
    pub(super) blocks: Vec<Block>,
    /// Where it is.
    pub(super) state: State,
    /// When it began; milliseconds since 1970.
    pub(super) since_ms: i64,
    /// How it ended.
    pub(super) finish: Option<Finish>,
    /// Whether it is a start of the app without a prompt, or something else that
    /// the log tells outside of generations.
    pub(super) aside: bool,
    /// Whether the daemon refused the prompt.
    pub(super) refused: bool,
}

impl Turn {
    pub(super) fn new(prompt: &str, since_ms: i64) -> Self {
        Self {
            prompt: prompt.to_owned(),
            blocks: vec![Block::new(Content::Prompt(prompt.to_owned()))],
            since_ms,
            ..Self::default()
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.finish.is_none() && !self.refused && !self.aside
    }

    /// What goes on in detail: the step, or the file.
    pub(super) fn detail(&self) -> String {
        if self.id.is_empty() {
            return "sending".to_owned();
        }
        for block in self.blocks.iter().rev() {
            match &block.content {
                Content::Steps(steps) => {
                    let running = steps.iter().find(|step| step.end.is_none());
                    return running.map_or_else(String::new, StepBlock::words);
                }
                Content::File(file) if file.is_open() && self.state == State::Generating => {
                    return format!("writing {}", file.path);
                }
                Content::Prompt(_)
                | Content::Prose(_)
                | Content::File(_)
                | Content::Operation(_)
                | Content::Note(..)
                | Content::Revision(..)
                | Content::End(_) => {}
            }
        }
        String::new()
    }

    pub(super) fn push(&mut self, content: Content) {
        self.blocks.push(Block::new(content));
    }
}
