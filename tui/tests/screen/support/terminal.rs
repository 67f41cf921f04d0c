//! A terminal in memory: takes the bytes that the real backend writes, keeps them
//! all, and shows what a VT100 would show.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;

use kiln_tui::model::Model;
use kiln_tui::view;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

/// The emulator leaves out U+FFFD, which a terminal shows: this goes in for it.
const STAND_IN: &str = "\u{e000}";

/// Where the backend writes to.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal.
pub(crate) struct Screen {
    size: (u16, u16),
    terminal: Terminal<CrosstermBackend<Sink>>,
    sink: Sink,
    vt: vt100::Parser,
    /// Bytes that the emulator has seen already.
    fed: usize,
}

impl Screen {
    /// An empty one; columns and rows.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        // Whatever the environment of the test says of colours.
        crossterm::style::force_color_output(true);
        let sink = Sink::default();
        Self {
            size,
            terminal: terminal(size, sink.clone()),
            sink,
            vt: vt100::Parser::new(size.1.max(1), size.0.max(1), 0),
            fed: 0,
        }
    }

    /// Draws what the model says, as the loop does: a new size begins anew.
    pub(crate) fn draw(&mut self, model: &Model) {
        if model.size != self.size {
            self.size = model.size;
            self.terminal = terminal(self.size, self.sink.clone());
            self.vt = vt100::Parser::new(self.size.1.max(1), self.size.0.max(1), 0);
        }
        self.terminal
            .draw(|frame| view::draw(model, frame))
            .unwrap();
        let bytes = self.sink.0.borrow();
        let text = String::from_utf8_lossy(&bytes[self.fed..]);
        self.vt
            .process(text.replace('\u{fffd}', STAND_IN).as_bytes());
        self.fed = bytes.len();
    }

    /// Every byte that was written so far, from the first frame on.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.sink.0.borrow().clone()
    }

    /// Forgets the bytes, for runs that draw very often.
    pub(crate) fn forget_bytes(&mut self) {
        self.sink.0.borrow_mut().clear();
        self.fed = 0;
    }

    /// A row as it is read.
    pub(crate) fn row(&self, row: u16) -> String {
        let screen = self.vt.screen();
        let mut text = String::new();
        for column in 0..self.size.0 {
            let cell = screen.cell(row, column).unwrap();
            if cell.is_wide_continuation() {
                continue;
            }
            text.push_str(if cell.has_contents() {
                cell.contents()
            } else {
                " "
            });
        }
        text.truncate(text.trim_end().len());
        text.replace(STAND_IN, "\u{fffd}")
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Vec<String> {
        (0..self.size.1).map(|row| self.row(row)).collect()
    }

    /// All that is read, in one text.
    pub(crate) fn text(&self) -> String {
        self.rows().join("\n")
    }

    /// The first row that has this; columns are those of the terminal.
    pub(crate) fn find(&self, words: &str) -> Option<(u16, u16)> {
        (0..self.size.1).find_map(|row| {
            let text = self.row(row);
            let at = text.find(words)?;
            let column = unicode_width::UnicodeWidthStr::width(&text[..at]);
            Some((u16::try_from(column).unwrap(), row))
        })
    }

    /// Size, cursor and text: what a snapshot keeps.
    pub(crate) fn picture(&self) -> String {
        let (columns, rows) = self.size;
        let screen = self.vt.screen();
        let cursor = if screen.hide_cursor() {
            "no cursor".to_owned()
        } else {
            let (row, column) = screen.cursor_position();
            format!("cursor at column {column}, row {row}")
        };
        format!("{columns}x{rows}, {cursor}\n{}", self.text())
    }

    /// Runs of one look, row by row: what a snapshot of colours keeps.
    pub(crate) fn looks(&self) -> String {
        let screen = self.vt.screen();
        let mut out = String::new();
        for row in 0..self.size.1 {
            let mut runs: Vec<(String, String)> = Vec::new();
            for column in 0..self.size.0 {
                let cell = screen.cell(row, column).unwrap();
                if cell.is_wide_continuation() {
                    continue;
                }
                let text = if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                };
                let look = look(cell);
                match runs.last_mut() {
                    Some((of, run)) if *of == look => run.push_str(text),
                    _ => runs.push((look, text.to_owned())),
                }
            }
            for (look, text) in runs {
                // Plain room says nothing.
                if look.is_empty() && text.trim().is_empty() {
                    continue;
                }
                let look = if look.is_empty() { "plain" } else { &look };
                writeln!(out, "{row:>3} {look:<24} {text:?}").unwrap();
            }
        }
        out
    }
}

fn terminal(size: (u16, u16), sink: Sink) -> Terminal<CrosstermBackend<Sink>> {
    // A fixed one asks nobody for its size or for the cursor.
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    Terminal::with_options(CrosstermBackend::new(sink), TerminalOptions { viewport }).unwrap()
}

fn look(cell: &vt100::Cell) -> String {
    let color = |name: &str, color: vt100::Color| match color {
        vt100::Color::Default => None,
        vt100::Color::Idx(index) => Some(format!("{name}{index}")),
        vt100::Color::Rgb(r, g, b) => Some(format!("{name}#{r:02x}{g:02x}{b:02x}")),
    };
    let flag = |is: bool, word: &str| is.then(|| word.to_owned());
    [
        color("fg", cell.fgcolor()),
        color("bg", cell.bgcolor()),
        flag(cell.bold(), "bold"),
        flag(cell.dim(), "dim"),
        flag(cell.italic(), "italic"),
        flag(cell.underline(), "underlined"),
        flag(cell.inverse(), "reversed"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}
