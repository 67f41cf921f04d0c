//! The rows in which a text is drawn, and where the cursor is in them.
//!
//! The last column is kept for the cursor, so that it is never beside the text.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::{Editor, Kind, place, typed};
use crate::sanitise;
use crate::text::columns;
use crate::text::{Role, Row};

/// What stands for a cluster that is not shown.
const MASK: &str = "•";

/// What is drawn of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// Column and row of the cursor.
    pub cursor: (usize, usize),
    /// Whether there is more above.
    pub above: bool,
    /// Whether there is more below.
    pub below: bool,
}

impl Editor {
    /// Says where the text is drawn, so that moves up and down follow what the
    /// user sees.
    pub fn set_size(&mut self, width: usize, height: usize) {
        self.size = (width.max(1), height.max(1));
        self.follow();
    }

    /// Rows that the whole text takes.
    #[must_use]
    pub fn height(&self, width: usize) -> usize {
        self.lay_out(width).len()
    }

    /// What is drawn in so much space; the cursor is always in it.
    #[must_use]
    pub fn rows(&self, width: usize, height: usize) -> Drawn {
        let (width, height) = (width.max(1), height.max(1));
        match self.kind {
            Kind::Prompt => self.rows_of_many(width, height),
            Kind::Line | Kind::Masked => self.row_of_one(width),
        }
    }

    fn rows_of_many(&self, width: usize, height: usize) -> Drawn {
        let all = self.lay_out(width);
        let at = self.row_of_cursor(&all);
        let top = first_row(self.top, at, height, all.len());
        let end = (top + height).min(all.len());
        let room = text_columns(width);
        let rows = all[top..end]
            .iter()
            .map(|range| Row::new(Role::Text, drawn(&self.text[range.clone()], room)))
            .collect();
        let column = drawn_width(&self.text[all[at].start..self.cursor], room);
        Drawn {
            rows,
            cursor: (column.min(width - 1), at - top),
            above: top > 0,
            below: end < all.len(),
        }
    }

    /// A line scrolls by half of what is seen, so that it does not jump with
    /// every letter.
    fn row_of_one(&self, width: usize) -> Drawn {
        let room = text_columns(width);
        let (shown, column) = match self.kind {
            Kind::Masked => {
                let clusters = |text: &str| text.graphemes(true).count();
                (
                    MASK.repeat(clusters(&self.text)),
                    clusters(&self.text[..self.cursor]),
                )
            }
            Kind::Line | Kind::Prompt => (
                drawn(&self.text, room),
                drawn_width(&self.text[..self.cursor], room),
            ),
        };
        let from = self.scrolled(column, room);
        let (pad, part) = columns::part(&shown, from, width);
        let mut row = Row::default();
        row.push(Role::Text, " ".repeat(pad));
        columns::paint(&mut row, &shown, part.clone(), width, &[], &[]);
        Drawn {
            rows: vec![row],
            cursor: ((column - from).min(width - 1), 0),
            above: from > 0,
            below: part.end < shown.len(),
        }
    }

    /// The first column that is seen of a single line.
    fn scrolled(&self, column: usize, room: usize) -> usize {
        if column <= room {
            return 0;
        }
        let step = room.div_ceil(2);
        (column - room).div_ceil(step) * step
    }

    /// The rows of the whole text, as ranges of bytes.
    fn lay_out(&self, width: usize) -> Vec<Range<usize>> {
        let room = text_columns(width);
        let mut rows = Vec::new();
        let mut start = 0;
        for line in self.text.split('\n') {
            wrap(line, room, |row| {
                rows.push(start + row.start..start + row.end);
            });
            start += line.len() + 1;
        }
        rows
    }

    /// The row of the cursor: where it is between two rows of a line, the lower.
    fn row_of_cursor(&self, rows: &[Range<usize>]) -> usize {
        rows.partition_point(|row| row.start <= self.cursor)
            .saturating_sub(1)
    }

    /// The place in the row so many rows below, and the column that is aimed at.
    pub(super) fn beside(&self, distance: isize) -> Option<(usize, usize)> {
        if self.kind != Kind::Prompt {
            return None;
        }
        let room = text_columns(self.size.0);
        let rows = self.lay_out(self.size.0);
        let at = self.row_of_cursor(&rows);
        let to = at.checked_add_signed(distance)?;
        let column = self
            .column
            .unwrap_or_else(|| drawn_width(&self.text[rows[at].start..self.cursor], room));
        Some((self.place_in(rows.get(to)?, column, room), column))
    }

    /// The place of a cell of what is drawn.
    pub(super) fn place_at(&self, column: usize, row: usize) -> usize {
        let room = text_columns(self.size.0);
        match self.kind {
            Kind::Prompt => {
                let rows = self.lay_out(self.size.0);
                let at = (self.top + row).min(rows.len() - 1);
                self.place_in(&rows[at], column, room)
            }
            Kind::Line => {
                let used = drawn_width(&self.text[..self.cursor], room);
                let column = column + self.scrolled(used, room);
                self.place_in(&(0..self.text.len()), column, room)
            }
            Kind::Masked => {
                let used = self.text[..self.cursor].graphemes(true).count();
                let column = column + self.scrolled(used, room);
                self.text
                    .grapheme_indices(true)
                    .nth(column)
                    .map_or(self.text.len(), |(at, _)| at)
            }
        }
    }

    /// The place in a row that is closest to a column from the left.
    fn place_in(&self, row: &Range<usize>, column: usize, room: usize) -> usize {
        let mut used = 0;
        for (at, cluster) in self.text[row.clone()].grapheme_indices(true) {
            used += drawn_width(cluster, room);
            if used > column {
                return row.start + at;
            }
        }
        // The end of a row that goes on belongs to the next one.
        match self.text.as_bytes().get(row.end) {
            None | Some(b'\n') => row.end,
            Some(_) => place::previous(&self.text, row.end).max(row.start),
        }
    }

    /// Moves what is seen, so that the cursor is.
    pub(super) fn follow(&mut self) {
        if self.kind == Kind::Prompt {
            let rows = self.lay_out(self.size.0);
            let at = self.row_of_cursor(&rows);
            self.top = first_row(self.top, at, self.size.1, rows.len());
        }
    }
}

/// Columns for text in a place so wide.
fn text_columns(width: usize) -> usize {
    width.saturating_sub(1).max(1)
}

/// The first row to draw, as close to the one before as may be.
fn first_row(top: usize, cursor: usize, height: usize, rows: usize) -> usize {
    top.min(cursor)
        .max((cursor + 1).saturating_sub(height))
        .min(rows.saturating_sub(height))
}

/// Calls with the rows of a line, cut after spaces where there are any.
fn wrap(line: &str, room: usize, mut each: impl FnMut(Range<usize>)) {
    if columns::is_plain(line) || !line.contains(typed::is_joiner) {
        for row in columns::words(line, room) {
            each(row);
        }
        return;
    }
    // Drawn without its joiners a line has other columns: cut it cluster by
    // cluster.
    let (mut start, mut used) = (0, 0);
    let mut space: Option<(usize, usize)> = None;
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = drawn_width(cluster, room);
        if used + wide > room {
            let (cut, before) = match space.take() {
                Some(space) if cluster != " " && used - space.1 + wide <= room => space,
                _ => (at, used),
            };
            each(start..cut);
            (start, used) = (cut, used - before);
        }
        used += wide;
        if cluster == " " {
            space = Some((at + 1, used));
        }
    }
    each(start..line.len());
}

/// What is drawn of a text: without joiners, which terminals disagree about.
/// What stands alone, and what is too wide for a row, is replaced.
fn drawn(text: &str, room: usize) -> String {
    if columns::is_plain(text) {
        return text.to_owned();
    }
    text.graphemes(true)
        .map(|cluster| drawn_cluster(cluster, room))
        .collect()
}

fn drawn_width(text: &str, room: usize) -> usize {
    if columns::is_plain(text) {
        return text.len();
    }
    text.graphemes(true)
        .map(|cluster| columns::width(&drawn_cluster(cluster, room)))
        .sum()
}

fn drawn_cluster(cluster: &str, room: usize) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(cluster);
    if cluster.contains(typed::is_joiner) {
        let without: String = cluster.chars().filter(|c| !typed::is_joiner(*c)).collect();
        shown = if without.width() == 0 {
            sanitise::line(cluster)
        } else {
            Cow::Owned(without)
        };
    }
    if columns::width(&shown) > room {
        Cow::Borrowed(columns::TOO_WIDE)
    } else {
        shown
    }
}
