//! What the user does to see another part: scrolling, following, searching.

use std::cell::Cell;

use super::Logs;
use super::index::is_line;
use crate::model::list::Go;
use crate::model::pager::{self, Paged, Place};

/// Where a search goes.
#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

impl Logs {
    /// Scrolls by rows; up ends following.
    pub fn scroll(&mut self, rows: isize) {
        let looked_at = Cell::new(0);
        let laid = self.laid(self.view.width, &looked_at);
        let top = laid.top(self.view.height);
        let distance = rows.unsigned_abs();
        let to = if rows < 0 {
            pager::up(&laid, top, distance)
        } else {
            let to = pager::down(&laid, top, distance);
            pager::settle(&laid, to, self.view.height)
        };
        self.view.follow &= rows >= 0 || to == top;
        self.view.top = to;
    }

    /// Moves by a row, by what is seen, to the start, or to the end, which then
    /// is followed.
    pub fn go(&mut self, go: Go) {
        let page = isize::try_from(self.view.height.saturating_sub(1).max(1)).unwrap_or(1);
        match go {
            Go::Up => self.scroll(-1),
            Go::Down => self.scroll(1),
            Go::PageUp => self.scroll(-page),
            Go::PageDown => self.scroll(page),
            Go::First => {
                self.view.follow = false;
                self.view.top = Place::default();
                self.settle();
            }
            Go::Last => self.set_follow(true),
        }
    }

    /// Shows the newest line from now on, or stays where it is.
    pub fn set_follow(&mut self, follow: bool) {
        if !follow {
            let looked_at = Cell::new(0);
            self.view.top = self.laid(self.view.width, &looked_at).top(self.view.height);
        }
        self.view.follow = follow;
    }

    /// Wraps long lines, or cuts them at the edge.
    pub fn set_wrap(&mut self, wrap: bool) {
        self.view.wrap = wrap;
        self.view.column = 0;
        self.settle();
    }

    /// Scrolls sideways where lines are not wrapped.
    pub fn scroll_columns(&mut self, columns: isize) {
        if !self.view.wrap {
            // No line is longer than what a store keeps of it.
            let most = 32 * 1024;
            self.view.column = self.view.column.saturating_add_signed(columns).min(most);
        }
    }

    /// Shows times, or not.
    pub fn set_times(&mut self, times: bool) {
        self.view.times = times;
        self.settle();
    }

    /// Sets what is added to UTC where times are shown, in seconds.
    pub fn set_utc_offset(&mut self, seconds: i64) {
        self.view.offset = seconds;
    }

    /// Goes to the next line with what is looked for, and from the last to the
    /// first; says whether there is one.
    pub fn next_match(&mut self) -> bool {
        self.find(Way::Down)
    }

    /// Goes to the line before with what is looked for, and from the first to
    /// the last; says whether there is one.
    pub fn previous_match(&mut self) -> bool {
        self.find(Way::Up)
    }

    /// The row, of those that are seen, in which the line begins that the
    /// search stands at.
    #[must_use]
    pub fn match_row(&self, width: usize, height: usize) -> Option<usize> {
        let found = self.view.found?;
        let looked_at = Cell::new(0);
        let seen = self.laid(width.max(1), &looked_at).seen(height);
        seen.iter().position(|place| place.id == found)
    }

    /// A search goes on from the line it stands at, as long as that is seen, or
    /// begins at what is seen.
    fn find(&mut self, way: Way) -> bool {
        let looked_at = Cell::new(0);
        let laid = self.laid(self.view.width, &looked_at);
        let seen = laid.seen(self.view.height);
        let (Some(top), Some(end)) = (seen.first(), seen.last()) else {
            return false;
        };
        let beside = |id: u64| match way {
            Way::Down => laid.after(id),
            Way::Up => laid.before(id),
        };
        let stands_at = self.view.found.filter(|id| (top.id..=end.id).contains(id));
        let start = stands_at.unwrap_or(match way {
            Way::Down => top.id,
            Way::Up => end.id,
        });
        let mut next = match stands_at {
            Some(id) => beside(id),
            None => Some(start),
        };
        let mut has_turned = false;
        let found = loop {
            let Some(id) = next else {
                if has_turned {
                    break None;
                }
                has_turned = true;
                next = match way {
                    Way::Down => laid.first(),
                    Way::Up => laid.last(),
                };
                continue;
            };
            let is_past = match way {
                Way::Down => id > start,
                Way::Up => id < start,
            };
            if has_turned && is_past {
                break None;
            }
            let entry = self.store.get(id);
            if entry
                .is_some_and(|entry| is_line(entry.kind) && self.filter.needle.is_in(entry.text))
            {
                break Some(id);
            }
            next = beside(id);
        };
        let Some(found) = found else {
            return false;
        };
        let is_seen = seen.iter().any(|place| place.id == found && place.row == 0);
        let top = if is_seen {
            laid.top(self.view.height)
        } else {
            let above = self.view.height / 3;
            let top = pager::up(&laid, Place { id: found, row: 0 }, above);
            pager::settle(&laid, top, self.view.height)
        };
        self.view.follow = false;
        self.view.top = top;
        self.view.found = Some(found);
        true
    }

    /// Sets the top to a row that is there.
    pub(super) fn settle(&mut self) {
        let looked_at = Cell::new(0);
        self.view.top = self.laid(self.view.width, &looked_at).top(self.view.height);
    }
}
