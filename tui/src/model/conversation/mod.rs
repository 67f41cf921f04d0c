//! What was asked of a project and what came of it: the log of the project, as
//! people read it.
//!
//! - `turn` and `block`: what there is. `apply`: how entries of the log change it.
//! - `draw`: a block in rows. `layout`: which rows are seen.
//!
//! An entry is taken once, in the order of the log, whatever came between.

mod apply;
mod block;
mod draw;
mod layout;
mod turn;

use self::block::Block;
use self::layout::View;
use self::turn::Turn;
use super::event::{Ended, State};
use crate::cli::output::format;

/// What was asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    turns: Vec<Turn>,
    last_sequence: i64,
    view: View,
    /// Whether only ASCII can be shown.
    ascii: bool,
    /// Entries that came out of order: none, unless the connection is broken.
    faults: usize,
}

/// What runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where it is.
    pub state: State,
    /// When it began; milliseconds since 1970.
    pub since_ms: i64,
    /// What it does in detail; may be empty.
    pub detail: String,
}

impl Running {
    /// What goes on, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        if self.detail.is_empty() {
            self.state.words().to_owned()
        } else {
            self.detail.clone()
        }
    }
}

impl Conversation {
    /// Nothing yet.
    #[must_use]
    pub fn new(ascii: bool) -> Self {
        Self {
            ascii,
            ..Self::default()
        }
    }

    /// Whether nothing was ever asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The last entry of the log that was taken.
    #[must_use]
    pub fn last_sequence(&self) -> i64 {
        self.last_sequence
    }

    /// Entries that came out of order.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.faults
    }

    /// Whether something runs, or was sent and not answered yet.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.turns.last().is_some_and(Turn::is_busy)
    }

    /// The generation that runs, by UUID.
    #[must_use]
    pub fn running_id(&self) -> Option<&str> {
        let turn = self.turns.last().filter(|turn| turn.is_busy())?;
        (!turn.id.is_empty()).then_some(turn.id.as_str())
    }

    /// What runs now.
    #[must_use]
    pub fn running(&self) -> Option<Running> {
        let turn = self.turns.last().filter(|turn| turn.is_busy())?;
        Some(Running {
            state: turn.state,
            since_ms: turn.since_ms,
            detail: turn.detail(),
        })
    }

    /// How the last prompt ended, if it did.
    #[must_use]
    pub fn last_outcome(&self) -> Option<Ended> {
        self.turns
            .last()?
            .finish
            .as_ref()
            .map(|finish| finish.outcome)
    }

    /// Prompts, oldest first.
    pub fn prompts(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().map(|turn| turn.prompt.as_str())
    }

    /// What all turns used, in a few words; empty before the first ended.
    #[must_use]
    pub fn totals(&self) -> String {
        let mut tokens = (0i64, 0i64);
        let mut cost = Some(0i64);
        let (mut any, mut demo, mut estimated) = (false, true, false);
        for turn in &self.turns {
            let Some(finish) = &turn.finish else { continue };
            any = true;
            tokens.0 = tokens.0.saturating_add(finish.spent.prompt_tokens);
            tokens.1 = tokens.1.saturating_add(finish.spent.completion_tokens);
            estimated |= finish.spent.estimated;
            let used = finish.spent.is_any();
            demo &= turn.demo || !used;
            cost = match (cost, finish.spent.cost_micro_usd) {
                (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                // What used nothing cost nothing, whoever says so.
                (sum, None) if !used || turn.demo => sum,
                (None, _) | (Some(_), None) => None,
            };
        }
        // Nothing was used: there is nothing to say, least of all what it cost.
        if !any || tokens == (0, 0) {
            return String::new();
        }
        let about = if estimated { "about " } else { "" };
        format!(
            "{about}{} in, {} out · {}",
            format::count(tokens.0),
            format::count(tokens.1),
            format::cost(cost, demo)
        )
    }

    fn block(&self, at: (usize, usize)) -> Option<&Block> {
        self.turns.get(at.0)?.blocks.get(at.1)
    }
}

#[cfg(test)]
mod tests;
