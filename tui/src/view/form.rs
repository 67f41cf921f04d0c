//! Labelled fields, one below the other.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{frame, rows};
use crate::model::Model;
use crate::model::form::Form;
use crate::text::{Role, Row};

/// The first field that is seen, so that the one with the keys is: where there is
/// little room, those above it go.
#[must_use]
pub(super) fn first_seen(tall: u16, focus: usize, room: u16) -> usize {
    let height = |index| if index == 0 { tall.max(1) } else { 1 };
    (0..focus)
        .find(|first| {
            let above: u16 = (*first..focus).map(|index| height(index) + 2).sum();
            above + 1 + height(focus) <= room
        })
        .unwrap_or(focus)
}

/// Draws the fields; `tall` is how many rows the first one has for its text.
/// Gives the place of the cursor.
pub(super) fn draw(
    model: &Model,
    form: &Form,
    tall: u16,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let mut y = area.y;
    let mut cursor = None;
    let first = first_seen(tall, form.focus, area.height);
    for (index, field) in form.fields.iter().enumerate().skip(first) {
        let focused = index == form.focus && !form.busy;
        let height = if index == 0 { tall.max(1) } else { 1 };
        if y + 1 >= area.bottom() {
            break;
        }
        let label = Rect {
            y,
            height: 1,
            ..area
        };
        let role = if focused { Role::Accent } else { Role::Dim };
        rows::line(&Row::new(role, field.label), label, buf, theme);
        let text = Rect {
            x: area.x + 2,
            y: y + 1,
            width: area.width.saturating_sub(2),
            height: height.min(area.bottom().saturating_sub(y + 1)),
        };
        for line in text.top()..text.bottom() {
            let sign = match (focused, model.ascii) {
                (true, false) => "▌",
                (true, true) => ">",
                (false, false) => "│",
                (false, true) => "|",
            };
            let role = if focused {
                Role::BorderFocus
            } else {
                Role::Border
            };
            buf.set_stringn(area.x, line, sign, 1, theme.style(role));
        }
        let drawn = field
            .editor
            .rows(usize::from(text.width), usize::from(text.height));
        if field.editor.is_empty() {
            rows::text(field.hint, Role::Dim, text, buf, theme);
        } else {
            rows::draw(&drawn.rows, text, buf, theme);
        }
        if focused {
            let (column, row) = drawn.cursor;
            cursor = Some(Position::new(
                text.x + u16::try_from(column).unwrap_or(0),
                text.y + u16::try_from(row).unwrap_or(0),
            ));
        }
        y += 1 + height + 1;
    }
    let word = match (&form.error, form.busy) {
        (Some(error), _) => Some((Role::Error, error.clone())),
        (None, true) => Some((Role::Running, format!("{} sending", frame::spinner(model)))),
        (None, false) => None,
    };
    if let Some((role, text)) = word {
        let lines = frame::wrapped(&text, usize::from(area.width));
        for (line, y) in lines.iter().zip(y..area.bottom()) {
            rows::text(
                line,
                role,
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
    cursor
}
