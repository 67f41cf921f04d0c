//! What lies over a screen: opening it, choosing in it, answering it.

use crossterm::event::{KeyCode, KeyEvent};

use super::{action, ask, provider};
use crate::effect::{Call, Effect};
use crate::keymap::{Action, Scope};
use crate::model::list::FilterList;
use crate::model::overlay::{
    Ask, Confirm, Confirmed, ModelFor, Overlay, PaletteItem, ProviderChoice,
};
use crate::model::purpose::Purpose;
use crate::model::{Model, Screen};

/// Everything that can be done here.
pub(super) fn palette(model: &mut Model) {
    let scopes = super::input::scopes(model);
    let in_workspace = model.workspace().is_some();
    let mut items: Vec<PaletteItem> = Action::ALL
        .iter()
        .copied()
        .filter(|action| action.entry().palette)
        .filter(|action| {
            // In a workspace a pane's own actions can be found from any pane.
            match action.entry().scope {
                Scope::Conversation | Scope::Logs | Scope::Prompt | Scope::Workspace => {
                    in_workspace
                }
                Scope::Tree | Scope::Viewer => {
                    in_workspace && scopes.contains(&action.entry().scope)
                }
                Scope::Projects => matches!(model.screen, Screen::Projects(_)),
                Scope::Everywhere | Scope::Pane => true,
                Scope::SignIn => matches!(model.screen, Screen::SignIn(_)),
                Scope::Page => false,
            }
        })
        .filter(|action| *action != Action::Retry || !model.connection.is_online())
        .map(|action| PaletteItem { action })
        .collect();
    // What belongs to this place comes first.
    items.sort_by_key(|item| {
        let scope = item.action.entry().scope;
        let far = scopes.iter().position(|known| *known == scope);
        (scope == Scope::Everywhere, far.unwrap_or(scopes.len()))
    });
    model
        .overlays
        .push(Overlay::Palette(FilterList::new(items)));
}

/// The models, to choose one.
pub(super) fn models(model: &mut Model, effects: &mut Vec<Effect>) {
    let (for_what, now) = match model.workspace() {
        Some(workspace) => (
            ModelFor::Project(workspace.project.id.clone()),
            current_model(model),
        ),
        None => (ModelFor::New, current_model(model)),
    };
    let items = model
        .catalogue
        .as_ref()
        .map(|catalogue| catalogue.models.clone())
        .unwrap_or_default();
    let mut list = FilterList::new(items);
    list.select(&now);
    model.overlays.push(Overlay::Models { list, for_what });
    let id = model.ask(Purpose::Models);
    effects.push(Effect::Call(id, Call::ListModels));
}

/// The model that the next prompt would use.
#[must_use]
pub(crate) fn current_model(model: &Model) -> String {
    let server = model
        .server
        .as_ref()
        .map(|server| server.default_model.clone())
        .unwrap_or_default();
    let chosen = match model.workspace() {
        Some(workspace) if !workspace.model.is_empty() => &workspace.model,
        Some(workspace) => &workspace.project.default_model,
        None => &model.settings.model,
    };
    if chosen.is_empty() {
        server
    } else {
        chosen.clone()
    }
}

/// Where models come from.
pub(super) fn provider_choice(model: &mut Model, effects: &mut Vec<Effect>) {
    model
        .overlays
        .push(Overlay::Provider(ProviderChoice::new(false)));
    let id = model.ask(Purpose::Provider);
    effects.push(Effect::Call(id, Call::GetProvider));
}

/// Takes what is selected.
pub(super) fn select(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    match model.overlays.last() {
        Some(Overlay::Palette(list)) => {
            let chosen = list.selected().map(|item| item.action);
            model.overlays.pop();
            if let Some(chosen) = chosen {
                action::perform(model, chosen, effects);
            }
        }
        Some(Overlay::Models { list, for_what }) => {
            let for_what = for_what.clone();
            let typed = list.filter().text().trim().to_owned();
            match list.selected().map(|entry| entry.id.clone()) {
                Some(id) => {
                    model.overlays.pop();
                    ask::choose_model(model, &for_what, id, effects);
                }
                // Any id of the provider may be used, also one that is not listed.
                None => {
                    model.overlays.pop();
                    let asked = Ask::model_id(for_what, &typed);
                    model.overlays.push(Overlay::Ask(asked));
                }
            }
        }
        Some(Overlay::Settings(line)) => {
            let line = *line;
            super::settings::change(model, line, effects);
        }
        Some(Overlay::Provider(choice)) if choice.form.is_none() => {
            provider::select(model, effects);
        }
        Some(Overlay::Page(_)) => {
            model.overlays.pop();
        }
        Some(Overlay::Provider(_) | Overlay::Confirm(_) | Overlay::Ask(_)) | None => {
            return false;
        }
    }
    true
}

/// Goes back from what is on top; what was written is kept.
pub(super) fn back(model: &mut Model, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Provider(choice)) = model.overlays.last_mut()
        && choice.form.take().is_some()
    {
        choice.error = None;
        return;
    }
    let closed = model.overlays.pop();
    // Put aside for this run; the next asks again.
    model.settings.welcomed |= matches!(closed, Some(Overlay::Provider(_)));
    if let Some(Overlay::Ask(asked)) = closed
        && asked.purpose == crate::model::overlay::AskedFor::NewProject
    {
        let text = asked.form.value(0).to_owned();
        model.drafts.insert(String::new(), text.clone());
        effects.push(Effect::KeepDraft {
            key: String::new(),
            text,
        });
    }
}

/// Asks before something is done that cannot be undone.
pub(super) fn confirm(model: &mut Model, question: Confirm) {
    model.overlays.push(Overlay::Confirm(question));
}

/// A key that answers a question.
pub(super) fn confirm_key(model: &mut Model, key: &KeyEvent, effects: &mut Vec<Effect>) -> bool {
    match key.code {
        KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
            if let Some(Overlay::Confirm(confirm)) = model.overlays.pop() {
                confirmed(model, confirm.then, effects);
            }
        }
        KeyCode::Char('n' | 'N') => {
            model.overlays.pop();
        }
        _ => return false,
    }
    model.changed = true;
    true
}

fn confirmed(model: &mut Model, then: Confirmed, effects: &mut Vec<Effect>) {
    match then {
        Confirmed::DeleteProject { id } => {
            let call = model.ask(Purpose::Delete { id: id.clone() });
            effects.push(Effect::Call(call, Call::DeleteProject { id }));
        }
        Confirmed::SignOut => {
            let call = model.ask(Purpose::SignOut);
            effects.push(Effect::Call(call, Call::SignOut));
        }
        Confirmed::Quit => effects.push(Effect::Quit),
    }
}
