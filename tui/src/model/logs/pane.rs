//! What the pane of the logs does on top of the lines: switches, a title.

use super::{Extent, Logs, Streams};
use crate::cli::output::format;
use crate::model::list::Go;
use crate::text::{Role, Row};

/// Columns of a sideways move.
const SIDEWAYS: isize = 8;

impl Logs {
    /// Follows the end, or stops.
    pub fn toggle_follow(&mut self) {
        let follows = self.summary().follows;
        if follows {
            self.set_follow(false);
        } else {
            self.go(Go::Last);
            self.set_follow(true);
        }
    }

    /// Wraps long lines, or stops.
    pub fn toggle_wrap(&mut self) {
        self.set_wrap(!self.summary().wraps);
    }

    /// Shows times, or stops.
    pub fn toggle_times(&mut self) {
        self.set_times(!self.summary().times);
    }

    /// Shows only lines that match, or all.
    pub fn toggle_only_matches(&mut self) {
        self.show_only_matching(!self.summary().only_matching);
    }

    /// Scrolls sideways.
    pub fn scroll_sideways(&mut self, right: bool) {
        self.scroll_columns(if right { SIDEWAYS } else { -SIDEWAYS });
    }

    /// Shows the next choice of streams: all, the app, errors, steps, and then one
    /// step after the other.
    pub fn next_streams(&mut self) {
        let all = Streams::default();
        let app = Streams { step: false, ..all };
        let errors = Streams {
            stdout: false,
            system: false,
            step: false,
            stderr: true,
        };
        if self.streams() == Streams::STEPS {
            let next = match &self.filter.step {
                None => 0,
                Some(step) => self
                    .steps
                    .iter()
                    .position(|known| known == step)
                    .map_or(self.steps.len(), |at| at + 1),
            };
            match self.steps.get(next).cloned() {
                Some(step) => self.show_step(&step),
                None => self.show_streams(all),
            }
            return;
        }
        let ring = [all, app, errors, Streams::STEPS];
        let now = ring.iter().position(|choice| *choice == self.streams());
        let next = ring[now.map_or(0, |at| (at + 1) % ring.len())];
        self.show_streams(next);
    }

    pub(super) fn streams_in_words(&self) -> String {
        if let Some(step) = &self.filter.step {
            return step.clone();
        }
        let streams = self.streams();
        let words = match (streams.stdout, streams.stderr, streams.step) {
            (true, true, true) => "all streams",
            (true, true, false) => "the app",
            (false, true, false) => "errors",
            (false, false, true) => "steps",
            _ => "some streams",
        };
        words.to_owned()
    }

    /// Looks for words; says whether they are there.
    pub fn look_for(&mut self, words: &str) -> bool {
        self.search(words);
        !words.is_empty() && self.previous_match()
    }

    /// Everything that is shown, as it goes to a file.
    #[must_use]
    pub fn shown_text(&self) -> String {
        let mut text = String::new();
        for line in self.text_for_saving(Extent::Shown) {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// What copying copies: the line that the search stands at, or else all that
    /// is seen.
    #[must_use]
    pub fn selected_text(&self) -> Option<String> {
        let (width, height) = (self.view.width, self.view.height);
        if let Some(row) = self.match_row(width, height) {
            return self.text_at(row).map(str::to_owned);
        }
        let mut lines: Vec<&str> = (0..height).filter_map(|row| self.text_at(row)).collect();
        lines.dedup();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What the title says.
    #[must_use]
    pub fn title(&self) -> Row {
        let summary = self.summary();
        let mut row = Row::new(Role::Text, "Logs");
        let count = |number: usize| format::count(i64::try_from(number).unwrap_or(i64::MAX));
        if summary.kept > 0 {
            row.push(Role::Dim, format!(" {}", count(summary.shown)));
            if summary.shown != summary.kept {
                row.push(Role::Dim, format!(" of {}", count(summary.kept)));
            }
        }
        if self.streams() != Streams::default() {
            row.push(Role::Accent, format!(" · {}", self.streams_in_words()));
        }
        if !self.query().is_empty() {
            row.push(Role::Text, " ");
            row.push(Role::Match, format!("/{}", self.query()));
        }
        if summary.missing > 0 {
            let missing = i64::try_from(summary.missing).unwrap_or(i64::MAX);
            row.push(Role::Warn, format!(" · {} dropped", format::count(missing)));
        }
        row.push(
            Role::Dim,
            if summary.follows {
                " · following"
            } else {
                " · not following"
            },
        );
        row
    }
}
