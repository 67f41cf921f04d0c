//! Which rows of the conversation are seen, and moving in it.
//!
//! Rows are made anew only for parts that changed; a place is a part and a row of
//! it, so that what is read stays where it is when something above grows.

use std::ops::Range;

use super::Conversation;
use super::block::Content;
use super::draw::{self, Signs};
use crate::model::needle::Needle;
use crate::text::{Role, Row, columns};

/// A row: turn, part, row of the part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    block: (usize, usize),
    row: usize,
}

/// What is seen.
#[derive(Clone, Debug)]
pub(super) struct View {
    width: usize,
    height: usize,
    /// The end is always seen.
    follow: bool,
    /// The first row that is seen.
    top: Place,
    /// The row that keys act on.
    cursor: Place,
    /// First rows of all parts, in order, and the count of all rows.
    starts: Vec<(usize, (usize, usize))>,
    total: usize,
    /// The rows that are seen.
    seen: Vec<Row>,
    first: usize,
    needle: Needle,
}

impl Default for View {
    fn default() -> Self {
        Self {
            width: 80,
            height: 1,
            follow: true,
            top: Place::default(),
            cursor: Place::default(),
            starts: Vec::new(),
            total: 0,
            seen: Vec::new(),
            first: 0,
            needle: Needle::default(),
        }
    }
}

impl View {
    pub(super) fn follow_end(&mut self) {
        self.follow = true;
    }
}

impl Conversation {
    /// Brings the rows up to date for a pane of this size.
    pub fn layout(&mut self, width: u16, height: u16, now_ms: i64) {
        // The last column is the scrollbar's.
        let width = usize::from(width).saturating_sub(1).max(1);
        self.view.width = width;
        self.view.height = usize::from(height);
        let signs = Signs { ascii: self.ascii };
        for turn in &mut self.turns {
            for block in &mut turn.blocks {
                let fresh = block
                    .drawn
                    .as_ref()
                    .is_some_and(|(of, _)| *of == width && !block.moves());
                if !fresh {
                    block.drawn = Some((width, draw::rows(block, width, now_ms, signs)));
                }
            }
        }
        self.settle();
    }

    /// Finds the places again after parts grew or shrank.
    fn settle(&mut self) {
        let mut starts = Vec::new();
        let mut total = 0;
        for (turn_index, turn) in self.turns.iter().enumerate() {
            for (index, block) in turn.blocks.iter().enumerate() {
                let rows = block.drawn.as_ref().map_or(0, |(_, rows)| rows.len());
                // A part between its neighbours: room after a prose, before a file.
                if rows > 0 {
                    starts.push((total, (turn_index, index)));
                }
                total += rows;
            }
        }
        self.view.starts = starts;
        self.view.total = total;
        let last = total.saturating_sub(self.view.height);
        let cursor = self.row_of(self.view.cursor);
        if self.view.follow {
            self.view.first = last;
            if cursor + 1 < self.view.first || cursor >= total {
                self.view.cursor = self.place_of(total.saturating_sub(1));
            }
        } else {
            self.view.first = self.row_of(self.view.top).min(last);
        }
        self.view.top = self.place_of(self.view.first);
        let (first, end) = (
            self.view.first,
            (self.view.first + self.view.height).min(total),
        );
        self.view.seen = (first..end).filter_map(|row| self.row(row)).collect();
    }

    /// A row, with what the search found marked.
    fn row(&self, row: usize) -> Option<Row> {
        let place = self.place_of(row);
        let (_, rows) = self.block(place.block)?.drawn.as_ref()?;
        let row = rows.get(place.row)?;
        if self.view.needle.is_empty() {
            return Some(row.clone());
        }
        Some(marked(row, &self.view.needle))
    }

    fn row_of(&self, place: Place) -> usize {
        let at = self
            .view
            .starts
            .partition_point(|(_, block)| *block <= place.block);
        match at.checked_sub(1).and_then(|at| self.view.starts.get(at)) {
            Some((start, block)) if *block == place.block => {
                let rows = self
                    .block(*block)
                    .and_then(|block| block.drawn.as_ref())
                    .map_or(0, |(_, rows)| rows.len());
                start + place.row.min(rows.saturating_sub(1))
            }
            Some((start, _)) => *start,
            None => 0,
        }
    }

    fn place_of(&self, row: usize) -> Place {
        let at = self.view.starts.partition_point(|(start, _)| *start <= row);
        match at.checked_sub(1).and_then(|at| self.view.starts.get(at)) {
            Some((start, block)) => Place {
                block: *block,
                row: row - start,
            },
            None => Place::default(),
        }
    }

    /// The rows that are seen.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.view.seen.iter()
    }

    /// The first row that is seen, and how many there are.
    #[must_use]
    pub fn extent(&self) -> (usize, usize) {
        (self.view.first, self.view.total)
    }

    /// Whether there is something below that is not seen.
    #[must_use]
    pub fn new_below(&self) -> bool {
        self.view.first + self.view.height < self.view.total
    }

    /// Where the row is that keys act on, among those that are seen.
    #[must_use]
    pub fn selected_rows(&self) -> Option<Range<usize>> {
        let row = self.row_of(self.view.cursor).checked_sub(self.view.first)?;
        (row < self.view.height && self.view.total > 0).then_some(row..row + 1)
    }

    /// Scrolls by rows; the end is followed again once it is reached.
    pub fn scroll(&mut self, rows: isize) {
        let last = self.view.total.saturating_sub(self.view.height);
        let first = self.view.first.saturating_add_signed(rows).min(last);
        self.look_at(first);
        // The row that keys act on comes along.
        let end = (first + self.view.height).saturating_sub(1);
        let cursor = self.row_of(self.view.cursor).clamp(first, end.max(first));
        self.view.cursor = self.place_of(cursor);
        self.settle();
    }

    fn look_at(&mut self, first: usize) {
        let last = self.view.total.saturating_sub(self.view.height);
        self.view.first = first.min(last);
        self.view.top = self.place_of(self.view.first);
        self.view.follow = self.view.first >= last;
    }

    fn move_to(&mut self, row: usize) {
        let row = row.min(self.view.total.saturating_sub(1));
        self.view.cursor = self.place_of(row);
        let height = self.view.height.max(1);
        if row < self.view.first {
            self.look_at(row);
        } else if row >= self.view.first + height {
            self.look_at(row + 1 - height);
        }
        self.settle();
    }

    /// A row up.
    pub fn select_previous(&mut self) {
        self.move_to(self.row_of(self.view.cursor).saturating_sub(1));
    }

    /// A row down.
    pub fn select_next(&mut self) {
        self.move_to(self.row_of(self.view.cursor) + 1);
    }

    /// What is seen, up.
    pub fn page_up(&mut self) {
        self.scroll(-page(self.view.height));
    }

    /// What is seen, down.
    pub fn page_down(&mut self) {
        self.scroll(page(self.view.height));
    }

    /// To the beginning.
    pub fn to_top(&mut self) {
        self.look_at(0);
        self.move_to(0);
    }

    /// To the end, and stays there.
    pub fn to_end(&mut self) {
        self.view.follow = true;
        self.settle();
        self.move_to(self.view.total.saturating_sub(1));
    }

    /// To the prompt before.
    pub fn previous_turn(&mut self) {
        let now = self.row_of(self.view.cursor);
        let rows = self.prompt_rows();
        if let Some(row) = rows.into_iter().rev().find(|row| *row < now) {
            self.look_at(row);
            self.move_to(row);
        }
    }

    /// To the prompt after.
    pub fn next_turn(&mut self) {
        let now = self.row_of(self.view.cursor);
        let rows = self.prompt_rows();
        match rows.into_iter().find(|row| *row > now) {
            Some(row) => {
                self.look_at(row);
                self.move_to(row);
            }
            None => self.to_end(),
        }
    }

    /// The rows at which prompts begin; each has a row of room above it.
    fn prompt_rows(&self) -> Vec<usize> {
        self.view
            .starts
            .iter()
            .filter(|(_, block)| {
                self.block(*block)
                    .is_some_and(|block| matches!(block.content, Content::Prompt(_)))
            })
            .map(|(row, _)| row + 1)
            .collect()
    }

    /// Folds or unfolds what is selected.
    pub fn toggle(&mut self) {
        self.fold(None);
    }

    /// Unfolds what is selected, or folds it.
    pub fn toggle_selected(&mut self, open: bool) {
        self.fold(Some(open));
    }

    fn fold(&mut self, wanted: Option<bool>) {
        let at = self.view.cursor.block;
        let Some(block) = self
            .turns
            .get_mut(at.0)
            .and_then(|turn| turn.blocks.get_mut(at.1))
        else {
            return;
        };
        if !block.folds() {
            return;
        }
        let by_itself = block.moves();
        let open = wanted.unwrap_or(!block.open.unwrap_or(by_itself));
        block.open = Some(open);
        block.changed();
        // It stays where it is, whatever its size.
        self.view.cursor.row = 0;
        self.view.follow = false;
    }

    /// Folds everything, or where all is folded unfolds it.
    pub fn toggle_all(&mut self) {
        let any_open = self
            .turns
            .iter()
            .flat_map(|turn| &turn.blocks)
            .any(|block| block.folds() && block.open == Some(true));
        for turn in &mut self.turns {
            for block in turn.blocks.iter_mut().filter(|block| block.folds()) {
                block.open = Some(!any_open);
                block.changed();
            }
        }
    }

    /// Selects the row that was clicked; a part that folds is folded.
    pub fn click(&mut self, row: usize) {
        let row = self.view.first + row;
        if row >= self.view.total {
            return;
        }
        self.view.cursor = self.place_of(row);
        if self.view.cursor.row == 0 {
            self.toggle();
        }
    }

    /// What copying copies.
    #[must_use]
    pub fn selected_text(&self) -> Option<String> {
        Some(self.block(self.view.cursor.block)?.text())
    }

    /// Looks for words; gives how many rows have them, and goes to the last.
    pub fn find(&mut self, words: &str) -> usize {
        self.view.needle = Needle::new(words);
        let found = self.matches();
        if let Some(last) = found.last() {
            self.show(*last);
        }
        self.settle();
        found.len()
    }

    /// To the next row that has them.
    pub fn next_match(&mut self) {
        let now = self.row_of(self.view.cursor);
        let found = self.matches();
        let next = found.iter().find(|row| **row > now).or(found.first());
        if let Some(row) = next {
            self.show(*row);
        }
    }

    /// To the row before that has them.
    pub fn previous_match(&mut self) {
        let now = self.row_of(self.view.cursor);
        let found = self.matches();
        let next = found.iter().rev().find(|row| **row < now).or(found.last());
        if let Some(row) = next {
            self.show(*row);
        }
    }

    fn show(&mut self, row: usize) {
        self.look_at(row.saturating_sub(self.view.height / 2));
        self.move_to(row);
    }

    fn matches(&self) -> Vec<usize> {
        if self.view.needle.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (start, block) in &self.view.starts {
            let rows = self.block(*block).and_then(|block| block.drawn.as_ref());
            for (index, row) in rows.iter().flat_map(|(_, rows)| rows).enumerate() {
                if self.view.needle.is_in(&row.plain()) {
                    found.push(start + index);
                }
            }
        }
        found
    }
}

fn page(height: usize) -> isize {
    isize::try_from(height.saturating_sub(2).max(1)).unwrap_or(isize::MAX)
}

fn marked(row: &Row, needle: &Needle) -> Row {
    let text = row.plain();
    let found = needle.all_in(&text);
    if found.is_empty() {
        return row.clone();
    }
    let mut end = 0;
    let runs: Vec<(usize, Role)> = row
        .pieces
        .iter()
        .map(|piece| {
            end += piece.text.len();
            (end, piece.role)
        })
        .collect();
    let mut out = Row::default();
    columns::paint(&mut out, &text, 0..text.len(), usize::MAX, &runs, &found);
    out
}
