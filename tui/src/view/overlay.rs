//! What lies over a screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::hit::{self, OverlayPlaces};
use super::{form, frame, rows};
use crate::cli::output::format;
use crate::keymap::Action;
use crate::model::Model;
use crate::model::catalogue::ModelEntry;
use crate::model::list::{FilterList, Seen};
use crate::model::overlay::{
    Ask, AskedFor, Confirm, ModelFor, Overlay, Page, PaletteItem, ProviderChoice,
};
use crate::text::columns;
use crate::text::{Role, Row};
use crate::update::{page, panes, provider};

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
        Overlay::Palette(list) => palette(model, list, places, buf),
        Overlay::Models { list, .. } => models(model, list, places, buf),
        Overlay::Page(page) => {
            text(model, page, places, buf);
            None
        }
        Overlay::Confirm(confirm) => {
            question(model, confirm, places.inner, buf);
            None
        }
        Overlay::Ask(ask) => fields(model, ask, places.inner, buf),
        Overlay::Provider(choice) => choose_provider(model, choice, places, buf),
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

fn palette(
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
        beside(places),
        buf,
        theme,
        model.ascii,
    );
    filter(model, list, "type to find", places.inner, buf)
}

fn models(
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
        beside(places),
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

fn choose_provider(
    model: &Model,
    choice: &ProviderChoice,
    places: OverlayPlaces,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let inner = places.inner;
    let current = model
        .provider
        .as_ref()
        .map_or("", |provider| provider.current.as_str());
    let intro = if choice.first_run {
        "Where shall the models come from? This can be changed at any time".to_owned()
    } else {
        format!(
            "Now: {}",
            if current.is_empty() {
                "the demo model"
            } else {
                current
            }
        )
    };
    let mut head = vec![Row::new(Role::Text, intro)];
    let detail = model
        .provider
        .as_ref()
        .map_or("", |provider| provider.detail.as_str());
    let change = if model.keymap.keys(Action::Provider).is_empty() {
        "(Ctrl-P, then \"models come from\").".to_owned()
    } else {
        String::new()
    };
    head.push(if detail.is_empty() && choice.first_run {
        Row::new(Role::Dim, change)
    } else {
        Row::new(Role::Warn, detail)
    });
    rows::draw(
        &head,
        Rect {
            height: 3.min(inner.height),
            ..inner
        },
        buf,
        theme,
    );
    for ((index, line), y) in provider::lines(model)
        .iter()
        .enumerate()
        .zip(places.list.top()..inner.bottom())
    {
        let place = Rect {
            y,
            height: 1,
            ..inner
        };
        rows::line(&provider_line(model, line), place, buf, theme);
        if index == choice.selected {
            rows::select(place, buf, theme, choice.form.is_none());
        }
    }
    let count = u16::try_from(provider::lines(model).len()).unwrap_or(4);
    let below = Rect {
        y: places.list.y + count + 1,
        height: inner.bottom().saturating_sub(places.list.y + count + 1),
        ..inner
    };
    let mut cursor = None;
    let mut rest = below;
    if let Some(form) = &choice.form {
        let shown = crate::model::form::Form {
            busy: choice.busy,
            error: None,
            ..form.clone()
        };
        cursor = form::draw(
            model,
            &shown,
            1,
            Rect {
                height: below.height.min(3),
                ..below
            },
            buf,
        );
        rest = Rect {
            y: below.y + 3.min(below.height),
            height: below.height.saturating_sub(3),
            ..below
        };
    } else if choice.busy {
        rows::text(
            &format!("{} asking it", frame::spinner(model)),
            Role::Running,
            rest,
            buf,
            theme,
        );
    }
    if let Some(error) = &choice.error {
        for (line, y) in frame::wrapped(error, usize::from(rest.width))
            .iter()
            .zip(rest.top()..rest.bottom())
        {
            rows::text(
                line,
                Role::Error,
                Rect {
                    y,
                    height: 1,
                    ..rest
                },
                buf,
                theme,
            );
        }
    }
    cursor
}

fn provider_line(model: &Model, line: &provider::Line) -> Row {
    match line {
        provider::Line::OpenRouter => {
            Row::new(Role::Strong, "OpenRouter").add(Role::Dim, "  every large model; paste a key")
        }
        provider::Line::Found(index) => {
            let found = model
                .provider
                .as_ref()
                .and_then(|provider| provider.endpoints.get(*index));
            match found {
                Some(found) => Row::new(Role::Strong, found.name.clone()).add(
                    Role::Dim,
                    format!(
                        "  found here · {} · {}",
                        format::plural(usize::try_from(found.model_count).unwrap_or(0), "model"),
                        found.base_url
                    ),
                ),
                None => Row::default(),
            }
        }
        provider::Line::Address => Row::new(Role::Strong, "Another endpoint")
            .add(Role::Dim, "  OpenAI-compatible, on the daemon's machine"),
        provider::Line::Demo => Row::new(Role::Strong, "The demo model")
            .add(Role::Dim, "  canned answers, free: to try Kiln"),
    }
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
