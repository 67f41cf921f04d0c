//! What lies over a screen.
//!
//! - `lists`: lists that are searched by writing. `provider`: where models come from.

mod lists;
mod provider;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::hit::{self, OverlayPlaces};
use super::{form, frame, rows};
use crate::model::Model;
use crate::model::overlay::{Ask, AskedFor, Confirm, ModelFor, Overlay, Page};
use crate::text::{Role, Row, columns};
use crate::update::{page, panes};

/// Draws one; gives the place of the cursor.
pub(super) fn draw(
    model: &Model,
    overlay: &Overlay,
    on_top: bool,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let places = hit::of(model, overlay);
    let places = OverlayPlaces {
        outer: places.outer.intersection(area),
        ..places
    };
    let title = match overlay {
        Overlay::Palette(_) => "Everything",
        Overlay::Models {
            for_what: ModelFor::Project(_),
            ..
        } => "Model for this project",
        Overlay::Models {
            for_what: ModelFor::New,
            ..
        } => "Model for new projects",
        Overlay::Page(page) => page.title,
        Overlay::Confirm(_) => "Are you sure?",
        Overlay::Ask(ask) => ask.title,
        Overlay::Provider(choice) if choice.first_run => "Welcome to Kiln",
        Overlay::Provider(_) => "Where models come from",
        Overlay::Settings(_) => "Settings",
    };
    frame_of(model, title, places.outer, on_top, buf);
    match overlay {
        Overlay::Palette(list) => lists::palette(model, list, places, buf),
        Overlay::Models { list, .. } => lists::models(model, list, places, buf),
        Overlay::Page(page) => {
            text(model, page, places, buf);
            None
        }
        Overlay::Confirm(confirm) => {
            question(model, confirm, places.inner, buf);
            None
        }
        Overlay::Ask(ask) => fields(model, ask, places.inner, buf),
        Overlay::Provider(choice) => provider::choose(model, choice, places, buf),
        Overlay::Settings(line) => {
            settings(model, *line, places.inner, buf);
            None
        }
    }
}

/// A frame with a title.
fn frame_of(model: &Model, title: &str, area: Rect, on_top: bool, buf: &mut Buffer) {
    let theme = model.theme();
    rows::clear(area, buf, theme.raised());
    if area.width < 2 || area.height < 2 {
        return;
    }
    let role = if on_top {
        Role::BorderFocus
    } else {
        Role::Border
    };
    let (corners, across, down) = if model.ascii {
        (["+", "+", "+", "+"], "-", "|")
    } else {
        (["╭", "╮", "╰", "╯"], "─", "│")
    };
    let line = across.repeat(usize::from(area.width - 2));
    let style = theme.style(role);
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    buf.set_stringn(
        area.x,
        area.y,
        format!("{}{line}{}", corners[0], corners[1]),
        usize::from(area.width),
        style,
    );
    buf.set_stringn(
        area.x,
        bottom,
        format!("{}{line}{}", corners[2], corners[3]),
        usize::from(area.width),
        style,
    );
    for y in area.y + 1..bottom {
        buf.set_stringn(area.x, y, down, 1, style);
        buf.set_stringn(right, y, down, 1, style);
    }
    let name = Rect {
        x: area.x + 2,
        width: area.width.saturating_sub(4),
        height: 1,
        ..area
    };
    let shown = Row::new(Role::Heading, format!(" {title} "));
    rows::line(&shown, name, buf, theme);
}

fn beside(places: OverlayPlaces) -> Rect {
    Rect {
        width: places.list.width + 2,
        ..places.list
    }
}

fn text(model: &Model, shown: &Page, places: OverlayPlaces, buf: &mut Buffer) {
    let theme = model.theme();
    let all = page::wrapped(shown, model.size.0);
    let last = all.len().saturating_sub(usize::from(places.list.height));
    let top = shown.top.min(last);
    rows::draw(all.iter().skip(top), places.list, buf, theme);
    rows::scrollbar(top, all.len(), beside(places), buf, theme, model.ascii);
}

fn question(model: &Model, confirm: &Confirm, inner: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    let mut lines = vec![Row::new(Role::Strong, confirm.question.clone())];
    lines.extend(
        frame::wrapped(&confirm.detail, usize::from(inner.width))
            .into_iter()
            .map(|line| Row::new(Role::Text, line)),
    );
    lines.push(Row::default());
    lines.push(
        Row::new(Role::Accent, "y")
            .add(Role::Text, format!(" {}   ", confirm.verb))
            .add(Role::Accent, "n")
            .add(Role::Text, " leave it"),
    );
    rows::draw(&lines, inner, buf, theme);
}

fn fields(model: &Model, ask: &Ask, inner: Rect, buf: &mut Buffer) -> Option<Position> {
    let tall = if ask.purpose == AskedFor::NewProject {
        5
    } else {
        1
    };
    let theme = model.theme();
    let cursor = form::draw(model, &ask.form, tall, inner, buf);
    if ask.form.error.is_none() && !ask.form.busy && inner.height > 2 {
        let last = Rect {
            y: inner.bottom() - 1,
            height: 1,
            ..inner
        };
        let words = match ask.purpose {
            AskedFor::NewProject => {
                let (id, demo) = panes::model_label(model);
                let id = if id.is_empty() {
                    "none yet".to_owned()
                } else {
                    id
                };
                let canned = if demo { " (canned answers)" } else { "" };
                let makes = format!("Enter makes it with {id}{canned} · Alt-M another model");
                let all = format!("{makes} · Tab next field");
                if columns::width(&all) <= usize::from(inner.width) {
                    all
                } else {
                    makes
                }
            }
            AskedFor::Rename { .. }
            | AskedFor::SaveLogs
            | AskedFor::Search
            | AskedFor::ModelId(_) => "Enter takes it · Esc leaves it".to_owned(),
        };
        rows::text(&words, Role::Dim, last, buf, theme);
    }
    cursor
}

fn settings(model: &Model, selected: usize, inner: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    let (id, _) = panes::model_label(model);
    let palette = if model.no_color {
        "plain (NO_COLOR)"
    } else {
        model.settings.palette.name()
    };
    let lines = [
        ("Theme", palette.to_owned()),
        (
            "Mouse",
            if model.settings.mouse {
                "works here"
            } else {
                "is the terminal's"
            }
            .to_owned(),
        ),
        ("Model", if id.is_empty() { "none".to_owned() } else { id }),
    ];
    for ((index, (name, value)), y) in lines
        .into_iter()
        .enumerate()
        .zip(inner.top()..inner.bottom())
    {
        let place = Rect {
            y,
            height: 1,
            ..inner
        };
        let row = Row::new(Role::Dim, format!("{name:<10}")).add(Role::Text, value);
        rows::line(&row, place, buf, theme);
        if index == selected {
            rows::select(place, buf, theme, true);
        }
    }
}
