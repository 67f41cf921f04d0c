//! Keys and pasted text: to what is on top, as an action or as text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{action, mouse, overlay, sign_in};
use crate::effect::Effect;
use crate::keymap::{Action, Chord, Scope};
use crate::model::editor::{Applied, Edit};
use crate::model::overlay::Overlay;
use crate::model::workspace::Pane;
use crate::model::{Model, Screen};
use crate::msg::Input;
use crate::text::Role;

pub(super) fn input(model: &mut Model, input: Input, effects: &mut Vec<Effect>) {
    match input {
        Input::Key(key) => self::key(model, &key, effects),
        Input::Mouse(event) => mouse::mouse(model, event, effects),
        Input::Paste(text) => {
            if let Some(applied) = edit(model, Edit::Paste(text)) {
                typed(model, applied);
            }
        }
        Input::Resize(columns, rows) => {
            model.size = (columns, rows);
            model.changed = true;
        }
        Input::Focus(focused) => model.focused = focused,
    }
}

fn key(model: &mut Model, key: &KeyEvent, effects: &mut Vec<Effect>) {
    let chord = Chord::of(key);
    let typing = is_typing(model);
    let found = model
        .keymap
        .action(chord, &scopes(model), typing)
        .or_else(|| page_from_prompt(model, chord, key));
    if found != Some(Action::Interrupt) && std::mem::take(&mut model.quit_asked) {
        model.changed = true;
    }
    if let Some(Overlay::Confirm(_)) = model.overlays.last()
        && overlay::confirm_key(model, key, effects)
    {
        return;
    }
    if let Some(action) = found
        && action::perform(model, action, effects)
    {
        model.changed = true;
        return;
    }
    if form_key(model, key, effects) {
        model.changed = true;
        return;
    }
    if let Some(change) = edit_of(key)
        && let Some(applied) = edit(model, change)
    {
        typed(model, applied);
    }
}

/// From the prompt, pages scroll what is above it, with the keys that mean
/// nothing to text.
fn page_from_prompt(model: &Model, chord: Chord, key: &KeyEvent) -> Option<Action> {
    let in_prompt = model.overlays.is_empty()
        && model
            .workspace()
            .is_some_and(|workspace| workspace.pane == Pane::Prompt);
    if !in_prompt || edit_of(key).is_some() {
        return None;
    }
    model
        .keymap
        .action(chord, &[Scope::Pane], true)
        .filter(|action| matches!(action, Action::PageUp | Action::PageDown))
}

/// Where keys are looked up, from the innermost to the outermost.
#[must_use]
pub(crate) fn scopes(model: &Model) -> Vec<Scope> {
    if let Some(overlay) = model.overlays.last() {
        return match overlay {
            Overlay::Page(_) => vec![Scope::Page, Scope::Pane, Scope::Everywhere],
            Overlay::Palette(_)
            | Overlay::Models { .. }
            | Overlay::Provider(_)
            | Overlay::Settings(_) => vec![Scope::Pane, Scope::Everywhere],
            Overlay::Confirm(_) | Overlay::Ask(_) => vec![Scope::Everywhere],
        };
    }
    match &model.screen {
        Screen::SignIn(_) => vec![Scope::SignIn, Scope::Everywhere],
        Screen::Projects(_) => vec![Scope::Projects, Scope::Pane, Scope::Everywhere],
        Screen::Workspace(workspace) => {
            let inner: &[Scope] = match workspace.pane {
                Pane::Prompt => &[Scope::Prompt],
                Pane::Conversation => &[Scope::Conversation, Scope::Pane],
                Pane::Tree => &[Scope::Tree, Scope::Pane],
                Pane::Viewer => &[Scope::Viewer, Scope::Pane],
                Pane::Logs => &[Scope::Logs, Scope::Pane],
            };
            let mut scopes = inner.to_vec();
            scopes.extend([Scope::Workspace, Scope::Everywhere]);
            scopes
        }
    }
}

/// Changes the text that has the keys; `None` where there is none.
fn edit(model: &mut Model, edit: Edit) -> Option<Applied> {
    if let Some(overlay) = model.overlays.last_mut() {
        return match overlay {
            Overlay::Palette(list) => Some(list.edit(edit)),
            Overlay::Models { list, .. } => Some(list.edit(edit)),
            Overlay::Ask(ask) => Some(ask.form.focused()?.apply(edit)),
            Overlay::Provider(choice) => Some(choice.form.as_mut()?.focused()?.apply(edit)),
            Overlay::Page(_) | Overlay::Confirm(_) | Overlay::Settings(_) => None,
        };
    }
    match &mut model.screen {
        Screen::SignIn(sign_in) => Some(sign_in.form.focused()?.apply(edit)),
        Screen::Projects(screen) => screen.filtering.then(|| screen.list.edit(edit)),
        Screen::Workspace(workspace) => {
            (workspace.pane == Pane::Prompt).then(|| workspace.prompt.apply(edit))
        }
    }
}

/// Whether letters are text now.
#[must_use]
pub(crate) fn is_typing(model: &Model) -> bool {
    match model.overlays.last() {
        Some(Overlay::Palette(_) | Overlay::Models { .. } | Overlay::Ask(_)) => true,
        Some(Overlay::Provider(choice)) => choice.form.is_some(),
        Some(Overlay::Page(_) | Overlay::Confirm(_) | Overlay::Settings(_)) => false,
        None => match &model.screen {
            Screen::SignIn(_) => true,
            Screen::Projects(screen) => screen.filtering,
            Screen::Workspace(workspace) => workspace.pane == Pane::Prompt,
        },
    }
}

fn typed(model: &mut Model, applied: Applied) {
    model.changed |= applied != Applied::Nothing;
    if let Applied::Cut { dropped } = applied {
        model.notices.say(
            Role::Warn,
            format!("that is too long: {dropped} bytes were left out"),
            model.now_ms,
        );
    }
    if applied == Applied::Nothing {
        return;
    }
    if let Some(Overlay::Ask(ask)) = model.overlays.last_mut() {
        ask.form.error = None;
    }
    if let Screen::SignIn(sign_in) = &mut model.screen {
        sign_in.form.error = None;
    }
}

/// Keys that move between fields, and the one that sends them.
fn form_key(model: &mut Model, key: &KeyEvent, effects: &mut Vec<Effect>) -> bool {
    let (code, modifiers) = (key.code, key.modifiers);
    let form = match model.overlays.last_mut() {
        Some(Overlay::Ask(ask)) => Some(&mut ask.form),
        Some(Overlay::Provider(choice)) => choice.form.as_mut(),
        Some(_) => None,
        None => match &mut model.screen {
            Screen::SignIn(sign_in) => Some(&mut sign_in.form),
            Screen::Projects(_) | Screen::Workspace(_) => None,
        },
    };
    let Some(form) = form else { return false };
    match code {
        KeyCode::Tab => form.next(),
        KeyCode::BackTab => form.previous(),
        KeyCode::Down if form.fields.len() > 1 => form.next(),
        KeyCode::Up if form.fields.len() > 1 => form.previous(),
        KeyCode::Enter if modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT) => {
            return false;
        }
        KeyCode::Enter if !form.busy => submit(model, effects),
        KeyCode::Enter => {}
        _ => return false,
    }
    true
}

fn submit(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.overlays.last() {
        Some(Overlay::Ask(_)) => super::ask::submit(model, effects),
        Some(Overlay::Provider(_)) => super::provider::submit(model, effects),
        Some(_) => {}
        None => sign_in::submit(model, effects),
    }
}

/// What a key means to text. The keys are those of readline.
fn edit_of(key: &KeyEvent) -> Option<Edit> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    Some(match key.code {
        KeyCode::Char(c) if ctrl && !alt => match c.to_ascii_lowercase() {
            'a' => Edit::LineStart,
            'e' => Edit::LineEnd,
            'b' => Edit::Left,
            'f' => Edit::Right,
            'd' => Edit::Delete,
            'h' => Edit::Backspace,
            'w' => Edit::DeleteWordLeft,
            'u' => Edit::KillToStart,
            'k' => Edit::KillToEnd,
            'j' => Edit::Newline,
            '_' | '/' | '7' => Edit::Undo,
            _ => return None,
        },
        KeyCode::Char(c) if alt && !ctrl => match c {
            'b' => Edit::WordLeft,
            'f' => Edit::WordRight,
            'd' => Edit::DeleteWordRight,
            'z' => Edit::Undo,
            'Z' => Edit::Redo,
            'y' => Edit::Yank,
            _ => return None,
        },
        KeyCode::Char(c) => Edit::Insert(c),
        KeyCode::Enter if alt || shift => Edit::Newline,
        KeyCode::Backspace if ctrl || alt => Edit::DeleteWordLeft,
        KeyCode::Backspace => Edit::Backspace,
        KeyCode::Delete if ctrl || alt => Edit::DeleteWordRight,
        KeyCode::Delete => Edit::Delete,
        KeyCode::Left if ctrl || alt => Edit::WordLeft,
        KeyCode::Left => Edit::Left,
        KeyCode::Right if ctrl || alt => Edit::WordRight,
        KeyCode::Right => Edit::Right,
        KeyCode::Home if ctrl => Edit::TextStart,
        KeyCode::Home => Edit::LineStart,
        KeyCode::End if ctrl => Edit::TextEnd,
        KeyCode::End => Edit::LineEnd,
        KeyCode::Up => Edit::Up,
        KeyCode::Down => Edit::Down,
        _ => return None,
    })
}
