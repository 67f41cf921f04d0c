//! One file, line by line; only what is seen is read.

use super::Files;
use crate::cli::output::format;
use crate::model::list::Go;
use crate::model::needle::Needle;
use crate::model::pager::{self, Paged, Place};
use crate::text::code::Highlighter;
use crate::text::{Role, Row, columns, wrap};

/// Lines between two places from which reading may begin.
const STRIDE: usize = 200;
/// Columns of a sideways move.
const SIDEWAYS: usize = 8;

/// The file that is open.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) path: String,
    content: Content,
    pub(super) width: usize,
    pub(super) height: usize,
    top: Place,
    column: usize,
    wraps: bool,
    needle: Needle,
    /// The line that the search stands at.
    found: Option<usize>,
}

#[derive(Clone, Debug)]
enum Content {
    Loading,
    Text {
        lines: Vec<String>,
        /// How each stretch of lines begins.
        starts: Vec<Highlighter>,
    },
    /// No text: so many bytes.
    Binary(i64),
    Error(String),
}

impl Viewer {
    pub(super) fn loading(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            content: Content::Loading,
            width: 80,
            height: 1,
            top: Place::default(),
            column: 0,
            wraps: false,
            needle: Needle::default(),
            found: None,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match &self.content {
            Content::Text { lines, .. } => Some(lines.join("\n")),
            Content::Loading | Content::Binary(_) | Content::Error(_) => None,
        }
    }

    fn lines(&self) -> &[String] {
        match &self.content {
            Content::Text { lines, .. } => lines,
            Content::Loading | Content::Binary(_) | Content::Error(_) => &[],
        }
    }

    /// Columns of the numbers before the lines.
    fn gutter(&self) -> usize {
        self.lines().len().max(1).ilog10() as usize + 3
    }

    fn room(&self) -> usize {
        self.width.saturating_sub(self.gutter()).max(1)
    }

    fn settle(&mut self) {
        self.top = pager::settle(self, self.top, self.height);
    }

    fn show(&mut self, line: usize) {
        let above = line.saturating_sub(self.height / 3);
        self.top = Place {
            id: above as u64,
            row: 0,
        };
        self.show_match(line);
        self.settle();
    }

    /// Goes sideways to what was found in a line, where it is not seen.
    fn show_match(&mut self, line: usize) {
        let Some(text) = self.lines().get(line).filter(|_| !self.wraps) else {
            return;
        };
        let text = text.replace('\t', "    ");
        let Some(found) = self.needle.all_in(&text).into_iter().next() else {
            return;
        };
        // The last column may be the sign's.
        let room = self.room().saturating_sub(1).max(1);
        let begin = columns::width(&text[..found.start]);
        let end = columns::width(&text[..found.end]);
        if end <= room {
            self.column = 0;
        } else if begin < self.column || end > self.column + room {
            self.column = begin.saturating_sub(room / 3);
        }
    }

    fn rows(&self) -> Vec<Row> {
        let say = |role, words: &str| {
            wrap::plain(words, role, &Row::new(Role::Text, " "), self.width.max(1))
        };
        match &self.content {
            Content::Loading => return say(Role::Dim, "reading the file"),
            Content::Binary(size) => {
                return say(
                    Role::Dim,
                    &format!("no text: {} of data", format::size(*size)),
                );
            }
            Content::Error(why) => return say(Role::Error, why),
            Content::Text { lines, .. } if lines.is_empty() => {
                return say(Role::Dim, "the file is empty");
            }
            Content::Text { .. } => {}
        }
        let places = pager::seen(self, self.top, self.height);
        let mut rows = Vec::with_capacity(places.len());
        let mut reading: Option<(usize, Row)> = None;
        let mut state = self.state_at(usize::try_from(self.top.id).unwrap_or(0));
        for place in places {
            let line = usize::try_from(place.id).unwrap_or(0);
            if reading.as_ref().is_none_or(|(of, _)| *of != line) {
                let text = self.lines().get(line).map_or("", String::as_str);
                reading = Some((line, state.line(text)));
            }
            if let Some((_, read)) = &reading {
                rows.push(self.row(line, place.row, read));
            }
        }
        rows
    }

    /// What a line begins in.
    fn state_at(&self, line: usize) -> Highlighter {
        let Content::Text { lines, starts } = &self.content else {
            return Highlighter::default();
        };
        let mut state = starts.get(line / STRIDE).cloned().unwrap_or_default();
        for above in lines.iter().take(line).skip(line / STRIDE * STRIDE) {
            state.line(above);
        }
        state
    }

    fn row(&self, line: usize, part: usize, read: &Row) -> Row {
        let gutter = self.gutter();
        let number = if part == 0 {
            format!("{:>width$} ", line + 1, width = gutter - 1)
        } else {
            " ".repeat(gutter)
        };
        let role = if self.found == Some(line) {
            Role::Accent
        } else {
            Role::Dim
        };
        let mut row = Row::new(role, number);
        let text = read.plain();
        let mut end = 0;
        let runs: Vec<(usize, Role)> = read
            .pieces
            .iter()
            .map(|piece| {
                end += piece.text.len();
                (end, piece.role)
            })
            .collect();
        let found = self.needle.all_in(&text);
        let room = self.room();
        let (range, is_cut) = if self.wraps {
            let rows = columns::cut(&text, room);
            (rows.into_iter().nth(part).unwrap_or(0..0), false)
        } else {
            let (pad, range, is_cut) = columns::part_or_cut(&text, self.column, room);
            row.push(Role::Text, " ".repeat(pad));
            (range, is_cut)
        };
        let room = room - usize::from(is_cut);
        columns::paint(&mut row, &text, range, room, &runs, &found);
        if is_cut {
            row.push(Role::Dim, "…");
        }
        wrap::cut(&row, self.width.max(1))
    }
}

impl Paged for Viewer {
    fn first(&self) -> Option<u64> {
        (!self.lines().is_empty()).then_some(0)
    }

    fn last(&self) -> Option<u64> {
        self.lines().len().checked_sub(1).map(|last| last as u64)
    }

    fn before(&self, id: u64) -> Option<u64> {
        id.checked_sub(1)
    }

    fn after(&self, id: u64) -> Option<u64> {
        (id + 1 < self.lines().len() as u64).then_some(id + 1)
    }

    fn at_or_after(&self, id: u64) -> Option<u64> {
        (id < self.lines().len() as u64).then_some(id)
    }

    fn rows(&self, id: u64) -> usize {
        let line = usize::try_from(id)
            .ok()
            .and_then(|line| self.lines().get(line));
        match line {
            Some(line) if self.wraps => {
                columns::count_rows(&line.replace('\t', "    "), self.room())
            }
            Some(_) | None => 1,
        }
    }
}

impl Files {
    /// What is in a file; nothing where it is no text.
    pub fn set_content(&mut self, path: &str, size: i64, text: Option<String>) {
        let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.path == path) else {
            return;
        };
        viewer.content = match text {
            None => Content::Binary(size),
            Some(text) => {
                let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                let mut state = Highlighter::for_path(path);
                let mut starts = Vec::with_capacity(lines.len() / STRIDE + 1);
                for (index, line) in lines.iter().enumerate() {
                    if index % STRIDE == 0 {
                        starts.push(state.clone());
                    }
                    state.line(line);
                }
                Content::Text { lines, starts }
            }
        };
        viewer.settle();
    }

    /// Why a file cannot be read.
    pub fn set_error(&mut self, path: &str, why: &str) {
        if let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.path == path) {
            viewer.content = Content::Error(why.to_owned());
        }
    }

    /// Brings the file into a pane of this size.
    pub fn layout_viewer(&mut self, width: u16, height: u16) {
        if let Some(viewer) = &mut self.viewer {
            viewer.width = usize::from(width).saturating_sub(1).max(1);
            viewer.height = usize::from(height);
            viewer.settle();
        }
    }

    /// Moves in the file.
    pub fn scroll_viewer(&mut self, go: Go) {
        let Some(viewer) = &self.viewer else { return };
        let page = isize::try_from(viewer.height.saturating_sub(2).max(1)).unwrap_or(1);
        let rows = match go {
            Go::Up => -1,
            Go::Down => 1,
            Go::PageUp => -page,
            Go::PageDown => page,
            Go::First => isize::MIN / 2,
            Go::Last => isize::MAX / 2,
        };
        self.scroll_rows(rows);
    }

    /// Scrolls the file by rows.
    pub fn scroll_rows(&mut self, rows: isize) {
        let Some(viewer) = &mut self.viewer else {
            return;
        };
        if viewer.lines().is_empty() {
            return;
        }
        let count = rows.unsigned_abs();
        viewer.top = if rows < 0 {
            pager::up(viewer, viewer.top, count)
        } else {
            pager::down(viewer, viewer.top, count)
        };
        viewer.settle();
    }

    /// Scrolls the file sideways.
    pub fn scroll_sideways(&mut self, right: bool) {
        if let Some(viewer) = self.viewer.as_mut().filter(|viewer| !viewer.wraps) {
            viewer.column = if right {
                viewer.column.saturating_add(SIDEWAYS).min(10_000)
            } else {
                viewer.column.saturating_sub(SIDEWAYS)
            };
        }
    }

    /// Wraps long lines, or stops.
    pub fn toggle_wrap(&mut self) {
        if let Some(viewer) = &mut self.viewer {
            viewer.wraps = !viewer.wraps;
            viewer.column = 0;
            viewer.settle();
        }
    }

    /// Looks for words in the file; gives how many lines have them, and goes to the
    /// first from what is seen on.
    pub fn find(&mut self, words: &str) -> usize {
        let Some(viewer) = &mut self.viewer else {
            return 0;
        };
        viewer.needle = Needle::new(words);
        viewer.found = None;
        let top = usize::try_from(viewer.top.id).unwrap_or(0);
        let found = matches(viewer);
        if let Some(line) = found.iter().find(|line| **line >= top).or(found.first()) {
            viewer.found = Some(*line);
            viewer.show(*line);
        }
        found.len()
    }

    /// To the next line that has them.
    pub fn next_match(&mut self) {
        self.step(|found, at| {
            found
                .iter()
                .find(|line| **line > at)
                .or(found.first())
                .copied()
        });
    }

    /// To the line before that has them.
    pub fn previous_match(&mut self) {
        self.step(|found, at| {
            let before = found.iter().rev().find(|line| **line < at);
            before.or(found.last()).copied()
        });
    }

    fn step(&mut self, choose: impl Fn(&[usize], usize) -> Option<usize>) {
        let Some(viewer) = &mut self.viewer else {
            return;
        };
        let at = viewer.found.unwrap_or(0);
        if let Some(line) = choose(&matches(viewer), at) {
            viewer.found = Some(line);
            viewer.show(line);
        }
    }

    /// What the title of the file says.
    #[must_use]
    pub fn viewer_title(&self) -> Row {
        let Some(viewer) = &self.viewer else {
            return Row::new(Role::Dim, "no file is open");
        };
        let mut row = Row::new(Role::Strong, viewer.path.clone());
        let count = viewer.lines().len();
        if count > 0 {
            row.push(Role::Dim, format!(" {}", format::plural(count, "line")));
        }
        row
    }

    /// The rows that are seen.
    #[must_use]
    pub fn viewer_rows(&self) -> Vec<Row> {
        match &self.viewer {
            Some(viewer) => viewer.rows(),
            None => vec![Row::new(Role::Dim, " Enter on a file opens it here.")],
        }
    }

    /// The first line that is seen, and how many there are.
    #[must_use]
    pub fn viewer_extent(&self) -> (usize, usize) {
        self.viewer.as_ref().map_or((0, 0), |viewer| {
            (
                usize::try_from(viewer.top.id).unwrap_or(0),
                viewer.lines().len(),
            )
        })
    }
}

fn matches(viewer: &Viewer) -> Vec<usize> {
    viewer
        .lines()
        .iter()
        .enumerate()
        .filter(|(_, line)| viewer.needle.is_in(line))
        .map(|(index, _)| index)
        .collect()
}
