//! Drawing the model. Pure: the same model and size give the same screen.
//!
//! - [`theme`]: colours by meaning. [`layout`]: where everything is.
//! - `frame`: header, hints, notices. One file for each screen, and one for what
//!   lies over them.
//! - [`hit`]: what a point on the screen belongs to.
//!
//! Nothing here changes the model, keeps state, or cleans text: what comes in
//! is clean.

mod form;
mod frame;
pub mod hit;
pub mod layout;
mod overlay;
mod projects;
mod rows;
mod sign_in;
pub mod theme;
mod workspace;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::model::{Model, Screen};
use crate::text::Role;

/// Draws everything.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let cursor = render(model, area, frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws into a buffer; gives the place of the cursor, where one is to be seen.
pub fn render(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let cursor = if layout::fits((area.width, area.height)) {
        everything(model, area, buf)
    } else {
        too_small(area, buf, model.theme());
        None
    };
    if model.ascii {
        only_ascii(area, buf);
    }
    cursor.filter(|at| area.contains(*at))
}

fn everything(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let beneath = match &model.screen {
        Screen::SignIn(sign_in) => sign_in::draw(model, sign_in, area, buf),
        Screen::Projects(screen) => projects::draw(model, screen, area, buf),
        Screen::Workspace(workspace) => workspace::draw(model, workspace, area, buf),
    };
    let mut cursor = beneath;
    for (index, overlay) in model.overlays.iter().enumerate() {
        let on_top = index + 1 == model.overlays.len();
        let of_overlay = overlay::draw(model, overlay, on_top, area, buf);
        cursor = of_overlay.filter(|_| on_top);
    }
    frame::notices(model, area, buf);
    cursor
}

/// Takes everything out that a terminal of ASCII alone would show as something
/// else: names and code may have it, whatever this client writes itself. What is
/// two columns wide stays two columns wide.
fn only_ascii(area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            if cell.symbol().is_ascii() {
                continue;
            }
            let instead = match cell.symbol() {
                "…" => "~",
                "•" => "*",
                "·" => "-",
                "│" => "|",
                "↑" => "^",
                "↓" => "v",
                "←" => "<",
                "→" => ">",
                _ => "?",
            };
            cell.set_symbol(instead);
        }
    }
}

fn too_small(area: Rect, buf: &mut Buffer, theme: theme::Theme) {
    let (columns, lines) = layout::SMALLEST;
    let words = [
        format!("{columns}x{lines} is the least;"),
        format!("this is {}x{}", area.width, area.height),
        "Ctrl-Q quits".to_owned(),
    ];
    for (line, y) in words.iter().zip(area.top()..area.bottom()) {
        rows::text(
            line,
            Role::Warn,
            Rect {
                y,
                height: 1,
                ..area
            },
            buf,
            theme,
        );
    }
}
