//! The choice of where models come from.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::cli::output::format;
use crate::keymap::Action;
use crate::model::Model;
use crate::model::overlay::ProviderChoice;
use crate::text::{Role, Row};
use crate::update::provider;
use crate::view::hit::OverlayPlaces;
use crate::view::{form, frame, rows};

pub(super) fn choose(
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
