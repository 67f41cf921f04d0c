//! The mouse: it does what a key does, where it points.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{action, overlay, panes, scroll};
use crate::effect::Effect;
use crate::keymap::Action;
use crate::model::overlay::Overlay;
use crate::model::workspace::{Pane, Tab};
use crate::model::{Model, Screen};
use crate::view::{hit, layout};

pub(super) fn mouse(model: &mut Model, event: MouseEvent, effects: &mut Vec<Effect>) {
    let point = (event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollUp => wheel(model, point, -scroll::WHEEL),
        MouseEventKind::ScrollDown => wheel(model, point, scroll::WHEEL),
        MouseEventKind::Down(MouseButton::Left) => click(model, point, effects),
        // Nothing is drawn for what means nothing.
        MouseEventKind::Down(_)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => {}
    }
}

fn wheel(model: &mut Model, (column, row): (u16, u16), rows: isize) {
    model.changed = true;
    if let Some(overlay) = model.overlays.last_mut() {
        match overlay {
            Overlay::Palette(list) => list.scroll(rows),
            Overlay::Models { list, .. } => list.scroll(rows),
            Overlay::Page(_) => {
                let step = if rows < 0 { Action::Up } else { Action::Down };
                for _ in 0..rows.unsigned_abs() {
                    scroll::perform(model, step);
                }
            }
            Overlay::Confirm(_) | Overlay::Ask(_) | Overlay::Provider(_) | Overlay::Settings(_) => {
            }
        }
        return;
    }
    let size = model.size;
    match &mut model.screen {
        Screen::SignIn(_) => {}
        Screen::Projects(screen) => screen.list.scroll(rows),
        Screen::Workspace(workspace) => {
            match layout::workspace(size, workspace).pane_at(column, row) {
                Some(Pane::Conversation) => workspace.conversation.scroll(rows),
                Some(Pane::Tree) => workspace.files.scroll_tree(rows),
                Some(Pane::Viewer) => workspace.files.scroll_rows(rows),
                Some(Pane::Logs) => workspace.logs.scroll(rows),
                Some(Pane::Prompt) | None => {}
            }
        }
    }
}

fn click(model: &mut Model, point: (u16, u16), effects: &mut Vec<Effect>) {
    model.changed = true;
    if !model.overlays.is_empty() {
        in_overlay(model, point, effects);
        return;
    }
    let size = model.size;
    match &mut model.screen {
        Screen::SignIn(sign_in) => {
            if let Some(field) = hit::field(size, &sign_in.form, point) {
                sign_in.form.focus = field;
            }
        }
        Screen::Projects(screen) => {
            let rows = hit::projects(size);
            if rows.contains(point.into()) {
                let row = usize::from(point.1 - rows.y);
                let before = screen.list.selected_place();
                let is_hit = screen.list.click(row, usize::from(rows.height));
                // The second click on the same line opens it.
                if is_hit && screen.list.selected_place() == before {
                    action::perform(model, Action::OpenProject, effects);
                }
            }
        }
        Screen::Workspace(_) => in_workspace(model, point, effects),
    }
}

fn in_overlay(model: &mut Model, point: (u16, u16), effects: &mut Vec<Effect>) {
    let area = hit::overlay(model);
    if !area.outer.contains(point.into()) {
        overlay::back(model, effects);
        return;
    }
    if !area.list.contains(point.into()) {
        return;
    }
    let row = usize::from(point.1 - area.list.y);
    let height = usize::from(area.list.height);
    let lines = super::provider::lines(model).len();
    let is_hit = match model.overlays.last_mut() {
        Some(Overlay::Palette(list)) => list.click(row, height),
        Some(Overlay::Models { list, .. }) => list.click(row, height),
        Some(Overlay::Provider(choice)) if choice.form.is_none() && row < lines => {
            choice.selected = row;
            true
        }
        Some(Overlay::Settings(line)) if row < super::settings::COUNT => {
            *line = row;
            true
        }
        Some(_) | None => false,
    };
    if is_hit {
        overlay::select(model, effects);
    }
}

fn in_workspace(model: &mut Model, point: (u16, u16), effects: &mut Vec<Effect>) {
    let size = model.size;
    let Some(workspace) = model.workspace_mut() else {
        return;
    };
    let places = layout::workspace(size, workspace);
    if let Some(tabs) = places.tabs
        && tabs.contains(point.into())
    {
        match hit::tab(point.0) {
            Some(Tab::Conversation) => workspace.go_to(Pane::Conversation),
            Some(Tab::Files) if workspace.files.has_open_file() => workspace.go_to(Pane::Viewer),
            Some(Tab::Files) => workspace.go_to(Pane::Tree),
            Some(Tab::Logs) => workspace.go_to(Pane::Logs),
            None => {}
        }
        return;
    }
    if places.status.contains(point.into()) {
        let url = workspace.project.preview_url.clone();
        if hit::address(places.status, &url).contains(point.into()) {
            action::perform(model, Action::OpenPreview, effects);
        }
        return;
    }
    let Some(pane) = places.pane_at(point.0, point.1) else {
        return;
    };
    workspace.pane = pane;
    let Some(slot) = places.slot(pane) else {
        return;
    };
    if !slot.content.contains(point.into()) {
        return;
    }
    let row = usize::from(point.1 - slot.content.y);
    match pane {
        Pane::Conversation => workspace.conversation.click(row),
        Pane::Tree => {
            if workspace.files.click(row) {
                panes::select(model, effects);
            }
        }
        Pane::Prompt => {
            let column = usize::from(point.0.saturating_sub(slot.content.x + hit::PROMPT_SIGN));
            workspace
                .prompt
                .apply(crate::model::editor::Edit::Place(column, row));
        }
        Pane::Viewer | Pane::Logs => {}
    }
}
