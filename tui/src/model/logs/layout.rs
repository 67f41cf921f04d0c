//! The rows that are seen, and only those.

use std::cell::Cell;
use std::ops::Range;

use super::{Entry, Kind, Logs};
use crate::cli::output::format;
use crate::model::pager::{self, Paged, Place};
use crate::text::columns;
use crate::text::{Role, Row};

/// Columns of a time, with the space behind it.
const TIME: usize = 13;

/// Columns of the mark of a stream, with the space behind it.
const MARK: usize = 2;

/// Columns that a line must have left, or time and mark are not shown.
const ROOM: usize = 12;

/// The entries that are shown, in a width.
pub(super) struct Laid<'a> {
    logs: &'a Logs,
    width: usize,
    /// Columns of time and mark.
    time: usize,
    mark: usize,
    /// Counts the lines that were looked at.
    looked_at: &'a Cell<usize>,
}

impl Logs {
    /// Says how much of it is seen, so that moves follow what the user sees.
    pub fn set_size(&mut self, width: usize, height: usize) {
        self.view.width = width.max(1);
        self.view.height = height.max(1);
        self.settle();
    }

    /// The rows that are seen in so much space, from top to bottom.
    #[must_use]
    pub fn rows(&self, width: usize, height: usize) -> Vec<Row> {
        self.rows_counting(width, height, &Cell::new(0))
    }

    /// The text of the line that is seen in a row, to be copied.
    #[must_use]
    pub fn text_at(&self, row: usize) -> Option<&str> {
        let looked_at = Cell::new(0);
        let laid = self.laid(self.view.width, &looked_at);
        let seen = laid.seen(self.view.height);
        let entry = self.store.get(seen.get(row)?.id)?;
        super::index::is_line(entry.kind).then_some(entry.text)
    }

    pub(super) fn rows_counting(
        &self,
        width: usize,
        height: usize,
        looked_at: &Cell<usize>,
    ) -> Vec<Row> {
        let laid = self.laid(width.max(1), looked_at);
        laid.seen(height)
            .into_iter()
            .map(|place| laid.row(place))
            .collect()
    }

    pub(super) fn laid<'a>(&'a self, width: usize, looked_at: &'a Cell<usize>) -> Laid<'a> {
        let mark = if width >= MARK + ROOM { MARK } else { 0 };
        let has_time = self.view.times && width >= TIME + MARK + ROOM;
        Laid {
            logs: self,
            width,
            time: if has_time { TIME } else { 0 },
            mark,
            looked_at,
        }
    }

    /// The entry that stands for the lines that are gone from the front.
    pub(super) fn front(&self) -> Option<u64> {
        if self.gone == 0 || self.filter.only_matching && !self.filter.needle.is_empty() {
            return None;
        }
        self.store.first().checked_sub(1)
    }
}

impl Laid<'_> {
    /// The row at the top.
    pub(super) fn top(&self, height: usize) -> Place {
        if self.logs.view.follow {
            pager::bottom(self, height)
        } else {
            pager::settle(self, self.logs.view.top, height)
        }
    }

    /// The rows that are seen.
    pub(super) fn seen(&self, height: usize) -> Vec<Place> {
        pager::seen(self, self.top(height), height)
    }

    fn room(&self) -> usize {
        self.width - self.time - self.mark
    }

    fn row(&self, place: Place) -> Row {
        let Some(entry) = self.logs.store.get(place.id) else {
            return self.remark(Role::Warn, &missing(self.logs.gone));
        };
        match entry.kind {
            Kind::Dropped => {
                let count = u64::try_from(entry.number).unwrap_or(0);
                self.remark(Role::Warn, &missing(count))
            }
            Kind::Restart => self.remark(Role::Accent, &format!("── {} ──", entry.text)),
            Kind::Stdout | Kind::Stderr | Kind::System | Kind::Step => self.line(&entry, place.row),
        }
    }

    fn remark(&self, role: Role, text: &str) -> Row {
        Row::new(role, columns::fit(text, self.width))
    }

    fn line(&self, entry: &Entry<'_>, sub_row: usize) -> Row {
        let mut row = Row::default();
        if sub_row == 0 {
            if self.time > 0 {
                row.push(Role::Dim, clock(entry.nanos, self.logs.view.offset));
            }
            if self.mark > 0 {
                let (role, mark) = mark(entry.kind);
                row.push(role, mark);
            }
        } else {
            row.push(Role::Text, " ".repeat(self.time + self.mark));
        }
        let (pad, part, is_cut) = self.part(entry.text, sub_row);
        row.push(Role::Text, " ".repeat(pad));
        let (runs, last) = meaning(entry);
        let runs = [(runs, Role::Accent), (usize::MAX, last)];
        let found = self.logs.filter.needle.all_in(entry.text);
        let room = self.room() - usize::from(is_cut);
        columns::paint(&mut row, entry.text, part, room, &runs, &found);
        if is_cut {
            row.push(Role::Dim, "…");
        }
        row
    }

    /// The part of a line that a row shows, with spaces before it, and whether a
    /// sign says that there is more.
    fn part(&self, text: &str, sub_row: usize) -> (usize, Range<usize>, bool) {
        let room = self.room();
        if !self.logs.view.wrap {
            return columns::part_or_cut(text, self.logs.view.column, room);
        }
        let mut left = sub_row;
        let mut part = text.len()..text.len();
        columns::cut_into(text, room, |row| {
            part = row;
            let go_on = left > 0;
            left = left.saturating_sub(1);
            go_on
        });
        (0, part, false)
    }
}

impl Paged for Laid<'_> {
    fn first(&self) -> Option<u64> {
        self.at_or_after(0)
    }

    fn last(&self) -> Option<u64> {
        self.before(self.logs.store.next())
    }

    fn before(&self, id: u64) -> Option<u64> {
        self.looked_at.set(self.looked_at.get() + 1);
        let before = self.logs.index.before(&self.logs.store, id);
        before.or_else(|| self.logs.front().filter(|front| *front < id))
    }

    fn after(&self, id: u64) -> Option<u64> {
        self.at_or_after(id + 1)
    }

    fn at_or_after(&self, id: u64) -> Option<u64> {
        self.looked_at.set(self.looked_at.get() + 1);
        if let Some(front) = self.logs.front()
            && id <= front
        {
            return Some(front);
        }
        self.logs.index.at_or_after(&self.logs.store, id)
    }

    fn rows(&self, id: u64) -> usize {
        self.looked_at.set(self.looked_at.get() + 1);
        match self.logs.store.get(id) {
            Some(entry) if self.logs.view.wrap && super::index::is_line(entry.kind) => {
                columns::count_rows(entry.text, self.room())
            }
            _ => 1,
        }
    }
}

/// The bytes of the name of a step, and the meaning of what follows.
fn meaning(entry: &Entry<'_>) -> (usize, Role) {
    match entry.kind {
        Kind::Step => (entry.text.find(": ").map_or(0, |at| at + 1), Role::Text),
        Kind::System => (0, Role::Dim),
        Kind::Stdout | Kind::Stderr | Kind::Restart | Kind::Dropped => (0, Role::Text),
    }
}

/// What tells the streams apart, also without colours.
fn mark(kind: Kind) -> (Role, &'static str) {
    match kind {
        Kind::Stderr => (Role::Warn, "! "),
        Kind::System => (Role::Dim, "· "),
        Kind::Step => (Role::Dim, "> "),
        Kind::Stdout | Kind::Restart | Kind::Dropped => (Role::Text, "  "),
    }
}

fn missing(count: u64) -> String {
    let lines = if count == 1 { "line" } else { "lines" };
    let count = format::count(i64::try_from(count).unwrap_or(i64::MAX));
    format!("… {count} {lines} dropped")
}

/// A time of day, to the thousandth of a second.
fn clock(nanos: i64, offset: i64) -> String {
    if nanos == 0 {
        return " ".repeat(TIME);
    }
    let milliseconds = nanos.div_euclid(1_000_000).rem_euclid(1000);
    let seconds = (nanos.div_euclid(1_000_000_000) + offset).rem_euclid(86_400);
    format!(
        "{:02}:{:02}:{:02}.{milliseconds:03} ",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
