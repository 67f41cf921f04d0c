//! Drawing rows: pieces get the looks of their meanings, and what does not fit
//! is cut with a sign that says so.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::Theme;
use crate::text::{Role, Row};

/// Draws rows from the top of an area downwards.
pub(super) fn draw<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    area: Rect,
    buf: &mut Buffer,
    theme: Theme,
) {
    for (row, y) in rows.into_iter().zip(area.top()..area.bottom()) {
        line(
            row,
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

/// Draws one row.
pub(super) fn line(row: &Row, area: Rect, buf: &mut Buffer, theme: Theme) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for piece in &row.pieces {
        let left = usize::from(area.right().saturating_sub(x));
        if left == 0 {
            break;
        }
        let (end, _) = buf.set_stringn(x, area.y, &piece.text, left, theme.style(piece.role));
        x = end;
    }
    if row.width() > usize::from(area.width) {
        cut_mark(area, buf, theme);
    }
}

/// Draws text of one meaning, cut where it must be.
pub(super) fn text(text: &str, role: Role, area: Rect, buf: &mut Buffer, theme: Theme) {
    line(&Row::new(role, text), area, buf, theme);
}

/// Draws a row so that it ends where the area ends.
pub(super) fn right(row: &Row, area: Rect, buf: &mut Buffer, theme: Theme) {
    let width = u16::try_from(row.width())
        .unwrap_or(u16::MAX)
        .min(area.width);
    let area = Rect {
        x: area.right().saturating_sub(width),
        width,
        ..area
    };
    line(row, area, buf, theme);
}

/// Gives an area the looks of a selection.
pub(super) fn select(area: Rect, buf: &mut Buffer, theme: Theme, focused: bool) {
    buf.set_style(area.intersection(buf.area), theme.selection(focused));
}

/// Empties an area and gives it a ground.
pub(super) fn clear(area: Rect, buf: &mut Buffer, ground: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    buf.set_style(area, ground);
}

/// A line across, with a title in it.
pub(super) fn rule(
    title: &Row,
    area: Rect,
    buf: &mut Buffer,
    theme: Theme,
    focused: bool,
    ascii: bool,
) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let role = if focused {
        Role::BorderFocus
    } else {
        Role::Border
    };
    let sign = match (ascii, focused) {
        (true, true) => "=",
        (true, false) => "-",
        (false, true) => "━",
        (false, false) => "─",
    };
    let across = sign.repeat(usize::from(area.width));
    text(&across, role, area, buf, theme);
    if title.pieces.is_empty() || area.width < 6 {
        return;
    }
    let mut shown = Row::new(role, " ");
    shown.pieces.extend(title.pieces.iter().cloned());
    shown.push(role, " ");
    let width = u16::try_from(shown.width())
        .unwrap_or(u16::MAX)
        .min(area.width - 2);
    line(
        &shown,
        Rect {
            x: area.x + 1,
            width,
            ..area
        },
        buf,
        theme,
    );
}

/// A mark beside an area that says where in the whole its rows are.
pub(super) fn scrollbar(
    top: usize,
    total: usize,
    area: Rect,
    buf: &mut Buffer,
    theme: Theme,
    ascii: bool,
) {
    let area = area.intersection(buf.area);
    let height = usize::from(area.height);
    if total <= height || height == 0 || area.width < 2 {
        return;
    }
    let length = (height * height / total).clamp(1, height);
    let room = height - length;
    let begin = (top * room).div_ceil((total - height).max(1)).min(room);
    let x = area.right() - 1;
    for offset in 0..length {
        let y = area.y + u16::try_from(begin + offset).unwrap_or(0);
        let sign = if ascii { "|" } else { "▐" };
        buf.set_stringn(x, y, sign, 1, theme.style(Role::Border));
    }
}

fn cut_mark(area: Rect, buf: &mut Buffer, theme: Theme) {
    if area.width < 2 {
        return;
    }
    buf.set_stringn(area.right() - 1, area.y, "…", 1, theme.style(Role::Dim));
}
