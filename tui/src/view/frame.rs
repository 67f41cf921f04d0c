//! What surrounds every screen: who and where one is, how the connection is,
//! what keys do here, and what just happened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{layout, rows};
use crate::failure::Failure;
use crate::keymap::Action;
use crate::model::Model;
use crate::model::connection::Connection;
use crate::model::overlay::Overlay;
use crate::text::{Role, Row};
use crate::update::input;

/// What turns while something goes on.
const SPINNER: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];
const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];
/// How long each of its positions is seen; milliseconds.
const TURN_MS: i64 = 120;

/// The first line: the client, the place, and the connection at its end.
pub(super) fn header(model: &Model, place: &Row, area: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    rows::clear(area, buf, theme.raised());
    let state = connection(model, area.width);
    let width = u16::try_from(state.width())
        .unwrap_or(u16::MAX)
        .min(area.width);
    let mut left = Row::new(Role::Heading, " kiln ");
    if !place.pieces.is_empty() {
        left.push(Role::Dim, if model.ascii { "> " } else { "› " });
        left.pieces.extend(place.pieces.iter().cloned());
    }
    let room = Rect {
        width: area.width.saturating_sub(width + 1),
        ..area
    };
    rows::line(&left, room, buf, theme);
    rows::right(&state, area, buf, theme);
}

/// The connection in a few words.
fn connection(model: &Model, width: u16) -> Row {
    let sign = |unicode, ascii| if model.ascii { ascii } else { unicode };
    let mut row = match &model.connection {
        Connection::Connecting => Row::new(Role::Running, format!("{} connecting", spinner(model))),
        Connection::Online => Row::new(Role::Ok, sign("●", "*")).add(Role::Dim, " online"),
        Connection::Waiting {
            retry_at_ms,
            attempt,
            ..
        } => {
            let seconds = (retry_at_ms - model.now_ms).max(0).div_euclid(1000) + 1;
            let again = if *retry_at_ms <= model.now_ms {
                "trying".to_owned()
            } else {
                format!("next try in {seconds} s")
            };
            let tries = if *attempt > 1 {
                format!(" ({attempt})")
            } else {
                String::new()
            };
            Row::new(Role::Error, format!("{} offline", sign("○", "o")))
                .add(Role::Warn, format!(" · {again}{tries}"))
        }
        Connection::SignIn { .. } => {
            Row::new(Role::Warn, sign("◌", "o")).add(Role::Warn, " not signed in")
        }
        Connection::Refused { .. } => Row::new(Role::Error, sign("✗", "x"))
            .add(Role::Error, " cannot connect · Ctrl-R tries again"),
    };
    if width >= 100
        && let Some(account) = &model.account
        && !account.name.is_empty()
    {
        row.push(Role::Dim, format!(" · {}", account.name));
    }
    row.push(Role::Text, " ");
    row
}

/// Why there is no connection, where there is none.
#[must_use]
pub(super) fn trouble(model: &Model) -> Option<&Failure> {
    match &model.connection {
        Connection::Waiting { failure, .. } | Connection::Refused { failure } => Some(failure),
        Connection::Connecting | Connection::Online | Connection::SignIn { .. } => None,
    }
}

/// A failure in at most so many rows: with what to do about it where there is room
/// for that.
#[must_use]
pub(super) fn failure(failure: &Failure, width: u16, height: u16) -> Vec<Row> {
    let (width, height) = (usize::from(width), usize::from(height));
    let mut lines = wrapped(&failure.sentence(), width);
    let mut last = Vec::new();
    if lines.len() > height {
        lines = wrapped(&failure.message, width);
        // What to do matters more than the whole of why.
        if let Some(hint) = failure.hint.as_deref().filter(|_| lines.len() >= height) {
            last.push(hint.to_owned());
        }
    }
    let height = height.saturating_sub(last.len());
    // What still does not fit is cut with a sign.
    if let Some(rest) = lines
        .get(height.saturating_sub(1)..)
        .filter(|r| r.len() > 1)
    {
        let rest = rest.join(" ");
        lines.truncate(height.saturating_sub(1));
        lines.push(rest);
    }
    lines.truncate(height);
    lines
        .into_iter()
        .chain(last)
        .map(|line| Row::new(Role::Warn, line))
        .collect()
}

/// Something that turns with the time.
#[must_use]
pub(super) fn spinner(model: &Model) -> &'static str {
    let turn = usize::try_from(model.now_ms / TURN_MS).unwrap_or(0);
    if model.ascii {
        SPINNER_ASCII[turn % SPINNER_ASCII.len()]
    } else {
        SPINNER[turn % SPINNER.len()]
    }
}

/// The last line: what keys do here, as many as fit.
pub(super) fn hints(model: &Model, actions: &[(Action, &str)], area: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    rows::clear(area, buf, theme.raised());
    let typing = input::is_typing(model);
    // What lies over a screen has the keys, and has its own.
    let over: &[(Action, &str)] = match model.overlays.last() {
        Some(Overlay::Page(page)) if page.copies.is_empty() => {
            &[(Action::PageDown, "more"), (Action::Back, "close")]
        }
        Some(Overlay::Page(_)) => &[(Action::Copy, "copy"), (Action::Back, "close")],
        Some(Overlay::Confirm(_)) => &[(Action::Back, "leave it")],
        Some(Overlay::Ask(_)) => &[(Action::Send, "take it"), (Action::Back, "close")],
        Some(Overlay::Settings(_)) => &[
            (Action::Select, "change"),
            (Action::Up, "up"),
            (Action::Down, "down"),
            (Action::Back, "close"),
        ],
        Some(Overlay::Palette(_) | Overlay::Models { .. } | Overlay::Provider(_)) => &[
            (Action::Select, "take it"),
            (Action::Up, "up"),
            (Action::Down, "down"),
            (Action::Back, "close"),
        ],
        None => actions,
    };
    let shown: Vec<(bool, String, &str)> = over
        .iter()
        .filter_map(|(action, word)| {
            let key = model.keymap.hint(*action, typing)?.shown(model.ascii);
            let leads_on = matches!(action, Action::Palette | Action::Help);
            Some((leads_on, key, *word))
        })
        .collect();
    let width = |key: &str, word: &str| key.chars().count() + word.chars().count() + 3;
    // What leads to everything else has its place first.
    let mut room = usize::from(area.width).saturating_sub(1);
    let (mut kept, mut full) = (0, false);
    for (_, key, word) in shown.iter().filter(|(leads_on, ..)| *leads_on) {
        kept += width(key, word);
    }
    let mut row = Row::new(Role::Text, " ");
    for (leads_on, key, word) in &shown {
        let wanted = width(key, word);
        if *leads_on {
            kept -= wanted;
        }
        full |= !leads_on && wanted + kept > room;
        if wanted > room || (full && !leads_on) {
            continue;
        }
        room -= wanted;
        row.push(Role::Accent, key.clone());
        row.push(Role::Dim, format!(" {word}  "));
    }
    rows::line(
        &row,
        Rect {
            width: area.width,
            ..area
        },
        buf,
        theme,
    );
}

/// What just happened, over the right of the lines above the hints.
pub(super) fn notices(model: &Model, area: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    let width = area.width.saturating_sub(4).min(90);
    // Where nobody writes or reads what matters: above the prompt and its status.
    let mut bottom = match model.workspace() {
        Some(workspace) => {
            layout::workspace((area.width, area.height), workspace)
                .status
                .y
        }
        None => area.bottom().saturating_sub(1),
    };
    for notice in model.notices.shown().iter().rev() {
        let text = wrapped(&notice.text, usize::from(width.saturating_sub(4)));
        let height = u16::try_from(text.len()).unwrap_or(1);
        let widest = text
            .iter()
            .map(|line| crate::text::columns::width(line))
            .max();
        let box_width = u16::try_from(widest.unwrap_or(0))
            .unwrap_or(width)
            .min(width)
            + 4;
        if bottom < height + 1 {
            break;
        }
        let place = Rect::new(
            area.right().saturating_sub(box_width + 1),
            bottom - height,
            box_width,
            height,
        );
        rows::clear(place, buf, theme.raised());
        for (line, y) in text.iter().zip(place.top()..) {
            let sign = if model.ascii { "| " } else { "▌ " };
            let row = Row::new(notice.role, sign).add(notice.role, line.clone());
            rows::line(
                &row,
                Rect {
                    y,
                    height: 1,
                    ..place
                },
                buf,
                theme,
            );
        }
        bottom -= height;
    }
}

/// Text in lines that fit, cut between words.
#[must_use]
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    use crate::text::columns;
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        for range in columns::cut(word, width) {
            let piece = &word[range];
            let joined = columns::width(&line) + 1 + columns::width(piece);
            if !line.is_empty() && joined > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(piece);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}
