//! Lists that are searched by writing: the palette, and the models.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::cli::output::format;
use crate::model::Model;
use crate::model::catalogue::ModelEntry;
use crate::model::list::{FilterList, Seen};
use crate::model::overlay::PaletteItem;
use crate::text::columns;
use crate::text::{Role, Row};
use crate::view::hit::OverlayPlaces;
use crate::view::{frame, rows};

/// The line in which a filter is typed.
fn filter<T: crate::model::list::Entry>(
    model: &Model,
    list: &FilterList<T>,
    hint: &str,
    inner: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let line = Rect { height: 1, ..inner };
    let sign = if model.ascii { "> " } else { "❯ " };
    rows::line(&Row::new(Role::Accent, sign), line, buf, theme);
    let field = Rect {
        x: line.x + 2,
        width: line.width.saturating_sub(2),
        ..line
    };
    let drawn = list.filter().rows(usize::from(field.width), 1);
    if list.filter().is_empty() {
        rows::text(hint, Role::Dim, field, buf, theme);
    } else {
        rows::draw(&drawn.rows, field, buf, theme);
    }
    let column = u16::try_from(drawn.cursor.0).unwrap_or(0);
    Some(Position::new(field.x + column, field.y))
}

pub(super) fn palette(
    model: &Model,
    list: &FilterList<PaletteItem>,
    places: OverlayPlaces,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let area = places.list;
    for (seen, y) in list.seen(usize::from(area.height)).zip(area.top()..) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let keys: Vec<String> = model
            .keymap
            .keys(seen.item.action)
            .iter()
            .take(2)
            .map(|chord| chord.shown(model.ascii))
            .collect();
        rows::line(
            &marked(seen.item.action.entry().title, seen.positions, Role::Text),
            line,
            buf,
            theme,
        );
        rows::right(&Row::new(Role::Dim, keys.join("  ")), line, buf, theme);
        if seen.is_selected {
            rows::select(line, buf, theme, true);
        }
    }
    if list.is_empty() {
        rows::text("Nothing is called that.", Role::Dim, area, buf, theme);
    }
    let window = list.window(usize::from(area.height));
    rows::scrollbar(
        window.start,
        list.len(),
        super::beside(places),
        buf,
        theme,
        model.ascii,
    );
    filter(model, list, "type to find", places.inner, buf)
}

pub(super) fn models(
    model: &Model,
    list: &FilterList<ModelEntry>,
    places: OverlayPlaces,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let area = places.list;
    let current = crate::update::overlay::current_model(model);
    for (seen, y) in list.seen(usize::from(area.height)).zip(area.top()..) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        rows::line(
            &entry(&seen, &current, area.width, model.ascii),
            line,
            buf,
            theme,
        );
        if seen.is_selected {
            rows::select(line, buf, theme, true);
        }
    }
    let words = match (&model.catalogue, list.is_empty()) {
        (None, _) => Some(format!("{} asking for the models", frame::spinner(model))),
        (Some(_), true) if list.filter().is_empty() => {
            Some("The provider lists no models. Type an id, then Enter.".to_owned())
        }
        (Some(_), true) => Some("Not in the list: Enter uses it as an id all the same.".to_owned()),
        (Some(_), false) => None,
    };
    if let Some(words) = words {
        rows::text(&words, Role::Dim, area, buf, theme);
    }
    let below = Rect {
        y: area.bottom() + 1,
        height: 1,
        ..area
    };
    let warning = model
        .catalogue
        .as_ref()
        .map_or("", |catalogue| catalogue.warning.as_str());
    let foot = if warning.is_empty() {
        Row::new(
            Role::Dim,
            "price: a million tokens in / out · Enter takes it · Esc leaves it",
        )
    } else {
        Row::new(Role::Warn, warning)
    };
    if below.y < places.outer.bottom().saturating_sub(1) {
        rows::line(&foot, below, buf, theme);
    }
    let window = list.window(usize::from(area.height));
    rows::scrollbar(
        window.start,
        list.len(),
        super::beside(places),
        buf,
        theme,
        model.ascii,
    );
    filter(
        model,
        list,
        "type to find, or an id of your own",
        places.inner,
        buf,
    )
}

fn entry(seen: &Seen<'_, ModelEntry>, current: &str, width: u16, ascii: bool) -> Row {
    let entry = seen.item;
    let sign = match (entry.id == current, ascii) {
        (true, false) => "● ",
        (true, true) => "* ",
        (false, _) => "  ",
    };
    let right = if width >= 70 { 36 } else { 20 };
    let room = usize::from(width).saturating_sub(right + 2);
    let mut row = Row::new(Role::Ok, sign);
    let shown = format::truncate(&entry.id, room);
    let visible: Vec<usize> = seen
        .positions
        .iter()
        .copied()
        .filter(|at| *at < shown.len())
        .collect();
    let id = marked(&shown, &visible, Role::Text);
    let pad = room.saturating_sub(columns::width(&shown));
    row.pieces.extend(id.pieces);
    row.push(Role::Text, " ".repeat(pad + 1));
    let mut facts = String::new();
    if width >= 70 {
        facts.push_str(&format!("{:>7}  ", entry.window()));
    }
    facts.push_str(&entry.price());
    if width >= 70
        && let Some(role) = entry.roles.first()
    {
        facts.push_str(&format!("  {role}"));
    }
    row.push(
        if entry.demo { Role::Warn } else { Role::Dim },
        format::truncate(&facts, right),
    );
    row
}

/// Text with what a filter found marked.
fn marked(text: &str, positions: &[usize], role: Role) -> Row {
    let mut row = Row::default();
    for (at, c) in text.char_indices() {
        let role = if positions.contains(&at) {
            Role::Accent
        } else {
            role
        };
        row.push(role, c);
    }
    row
}
