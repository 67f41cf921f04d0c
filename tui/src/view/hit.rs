//! What a point on the screen belongs to: the places of lists, tabs and fields,
//! which drawing and the mouse must agree about.

use ratatui::layout::Rect;

use super::{form, frame, layout};
use crate::model::Model;
use crate::model::form::Form;
use crate::model::overlay::Overlay;
use crate::model::workspace::Tab;
use crate::update::{page, provider, settings};

/// Columns of the sign before a prompt.
pub const PROMPT_SIGN: u16 = 2;

/// Where the lines of the projects are.
#[must_use]
pub fn projects(size: (u16, u16)) -> Rect {
    let body = layout::screen(size).body;
    Rect {
        x: body.x + 1,
        y: body.y + 3,
        width: body.width.saturating_sub(2),
        height: body.height.saturating_sub(3),
    }
}

/// The tabs: what each says, and how wide it is.
#[must_use]
pub fn tabs() -> [(Tab, &'static str); 3] {
    [
        (Tab::Conversation, " 1 Chat "),
        (Tab::Files, " 2 Files "),
        (Tab::Logs, " 3 Logs "),
    ]
}

/// Which tab a column belongs to.
#[must_use]
pub fn tab(column: u16) -> Option<Tab> {
    let mut x = 1;
    for (tab, word) in tabs() {
        let width = u16::try_from(word.len()).unwrap_or(0);
        if (x..x + width).contains(&column) {
            return Some(tab);
        }
        x += width + 1;
    }
    None
}

/// Where the address of the app is, at the end of the status line.
#[must_use]
pub fn address(status: Rect, url: &str) -> Rect {
    let width = u16::try_from(crate::text::columns::width(url))
        .unwrap_or(u16::MAX)
        .min(status.width);
    Rect {
        x: status.right().saturating_sub(width + 1),
        width,
        ..status
    }
}

/// Which field of the sign-in screen a point belongs to.
#[must_use]
pub fn field(size: (u16, u16), form: &Form, (column, row): (u16, u16)) -> Option<usize> {
    let count = form.fields.len();
    let inner = sign_in(size, count);
    let first = form::first_seen(1, form.focus, fields(inner).height);
    (first..count).find(|index| {
        let top = inner.y + 2 + 3 * u16::try_from(*index - first).unwrap_or(0);
        (top..top + 2).contains(&row) && (inner.left()..inner.right()).contains(&column)
    })
}

/// Where its fields are.
#[must_use]
pub fn fields(inner: Rect) -> Rect {
    Rect {
        y: inner.y + 2,
        height: inner.height.saturating_sub(4),
        ..inner
    }
}

/// Where the form of the sign-in screen is.
#[must_use]
pub fn sign_in(size: (u16, u16), count: usize) -> Rect {
    let rows = u16::try_from(count * 3 + 7).unwrap_or(20);
    layout::centered(size, 64, rows)
}

/// Where an overlay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverlayPlaces {
    /// All of it, its frame included.
    pub outer: Rect,
    /// What is within the frame.
    pub inner: Rect,
    /// The lines that can be chosen.
    pub list: Rect,
}

/// Where the overlay on top is; nowhere where there is none.
#[must_use]
pub fn overlay(model: &Model) -> OverlayPlaces {
    model
        .overlays
        .last()
        .map_or_else(OverlayPlaces::default, |overlay| of(model, overlay))
}

/// Where an overlay is.
#[must_use]
pub fn of(model: &Model, overlay: &Overlay) -> OverlayPlaces {
    let size = model.size;
    let tall = size.1.saturating_sub(4);
    let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let (width, height, above, below) = match overlay {
        Overlay::Palette(list) => (76, rows(list.items().len()) + 4, 2, 0),
        Overlay::Models { list, .. } => (100, rows(list.items().len().max(4)) + 6, 2, 2),
        Overlay::Page(shown) => {
            let columns = page::width(size.0);
            let text = page::wrapped(shown, size.0).len().min(page::height(size.1));
            (rows(columns) + 4, rows(text) + 2, 0, 0)
        }
        Overlay::Confirm(_) => (60, 7, 0, 0),
        Overlay::Ask(ask) => (76, rows(ask_rows(ask.form.fields.len(), overlay)) + 2, 0, 0),
        Overlay::Provider(choice) => {
            let lines = rows(provider::lines(model).len());
            let extra = if choice.form.is_some() { 3 } else { 0 };
            // Two rows are there for what is wrong; some of it needs more.
            let error = choice.error.as_deref().unwrap_or_default();
            let columns = usize::from(size.0.saturating_sub(2).min(78).saturating_sub(4));
            let more = rows(frame::wrapped(error, columns).len()).saturating_sub(2);
            (78, lines + 9 + extra + more, 4, 3 + extra + more)
        }
        Overlay::Settings(_) => (60, rows(settings::COUNT) + 2, 0, 0),
    };
    let outer = layout::centered(size, width, height.min(tall));
    let inner = Rect {
        x: outer.x + 2,
        y: outer.y + 1,
        width: outer.width.saturating_sub(4),
        height: outer.height.saturating_sub(2),
    };
    let list = Rect {
        y: inner.y + above.min(inner.height),
        height: inner.height.saturating_sub(above + below),
        ..inner
    };
    OverlayPlaces { outer, inner, list }
}

/// Rows of the fields of a small form, with what is below them.
#[must_use]
pub fn ask_rows(fields: usize, overlay: &Overlay) -> usize {
    use crate::model::overlay::AskedFor;
    let tall = matches!(overlay, Overlay::Ask(ask) if ask.purpose == AskedFor::NewProject);
    // A label and a line each, room between, and two lines for what is wrong.
    fields * 3 + 2 + if tall { 4 } else { 0 }
}
