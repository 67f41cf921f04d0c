//! Moving in whatever has the keys, and bringing lists up to date with what they
//! are made from.

use super::provider;
use crate::keymap::Action;
use crate::model::list::Go;
use crate::model::overlay::Overlay;
use crate::model::workspace::Pane;
use crate::model::{Model, Screen};

/// Rows of the wheel.
pub(super) const WHEEL: isize = 3;

/// Does a movement; false where nothing moves.
pub(super) fn perform(model: &mut Model, action: Action) -> bool {
    let Some(go) = go(action) else { return false };
    let lines = provider::lines(model).len();
    let (columns, rows) = model.size;
    if let Some(overlay) = model.overlays.last_mut() {
        match overlay {
            Overlay::Palette(list) => {
                list.go(go);
            }
            Overlay::Models { list, .. } => {
                list.go(go);
            }
            Overlay::Page(page) => {
                let height = super::page::height(rows);
                let count = super::page::wrapped(page, columns).len();
                let last = count.saturating_sub(height);
                page.top = match go {
                    Go::Up => page.top.saturating_sub(1),
                    Go::Down => page.top + 1,
                    Go::PageUp => page.top.saturating_sub(height),
                    Go::PageDown => page.top + height,
                    Go::First => 0,
                    Go::Last => last,
                }
                .min(last);
            }
            Overlay::Provider(choice) if choice.form.is_none() => {
                choice.selected = go.from(choice.selected, lines, lines);
            }
            Overlay::Settings(selected) => {
                *selected = go.from(*selected, super::settings::COUNT, super::settings::COUNT);
            }
            Overlay::Provider(_) | Overlay::Confirm(_) | Overlay::Ask(_) => return false,
        }
        return true;
    }
    match &mut model.screen {
        Screen::SignIn(_) => return false,
        Screen::Projects(screen) => {
            screen.list.go(go);
        }
        Screen::Workspace(workspace) => match workspace.pane {
            Pane::Prompt => return prompt(workspace, action),
            Pane::Conversation => match go {
                Go::Up => workspace.conversation.select_previous(),
                Go::Down => workspace.conversation.select_next(),
                Go::PageUp => workspace.conversation.page_up(),
                Go::PageDown => workspace.conversation.page_down(),
                Go::First => workspace.conversation.to_top(),
                Go::Last => workspace.conversation.to_end(),
            },
            Pane::Tree => workspace.files.go(go),
            Pane::Viewer => workspace.files.scroll_viewer(go),
            Pane::Logs => workspace.logs.go(go),
        },
    }
    true
}

/// From the prompt, pages scroll what is above it.
fn prompt(workspace: &mut crate::model::workspace::Workspace, action: Action) -> bool {
    use crate::model::workspace::Tab;
    match (action, workspace.tab) {
        (Action::PageUp, Tab::Conversation) => workspace.conversation.page_up(),
        (Action::PageDown, Tab::Conversation) => workspace.conversation.page_down(),
        (Action::PageUp, Tab::Logs) => workspace.logs.go(Go::PageUp),
        (Action::PageDown, Tab::Logs) => workspace.logs.go(Go::PageDown),
        (Action::PageUp, Tab::Files) => workspace.files.scroll_viewer(Go::PageUp),
        (Action::PageDown, Tab::Files) => workspace.files.scroll_viewer(Go::PageDown),
        _ => return false,
    }
    true
}

fn go(action: Action) -> Option<Go> {
    Some(match action {
        Action::Up => Go::Up,
        Action::Down => Go::Down,
        Action::PageUp => Go::PageUp,
        Action::PageDown => Go::PageDown,
        Action::Top => Go::First,
        Action::Bottom => Go::Last,
        _ => return None,
    })
}

/// Brings the list of projects up to date.
pub(super) fn refresh_projects(model: &mut Model) {
    if let Screen::Projects(screen) = &mut model.screen {
        screen.list.set_items(model.projects.items().to_vec());
    }
}

/// Brings the list of models up to date.
pub(super) fn refresh_models(model: &mut Model) {
    let Some(catalogue) = &model.catalogue else {
        return;
    };
    if let Some(Overlay::Models { list, .. }) = model.overlays.last_mut() {
        list.set_items(catalogue.models.clone());
    }
}
