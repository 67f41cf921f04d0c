//! Sending the fields of a small form.

use std::path::PathBuf;

use super::answer::request_id;
use crate::effect::{Call, Effect};
use crate::model::Model;
use crate::model::overlay::{AskedFor, ModelFor, Overlay};
use crate::model::purpose::Purpose;
use crate::model::workspace::Pane;

/// The prompt of a new project that is being written, under its key: none yet.
pub(super) fn draft(model: &Model) -> Option<(String, String)> {
    model.overlays.iter().find_map(|overlay| match overlay {
        Overlay::Ask(ask) if ask.purpose == AskedFor::NewProject => {
            Some((String::new(), ask.form.value(0).to_owned()))
        }
        _ => None,
    })
}

/// Characters of a name at most, as the schema says.
const NAME_MAX: usize = 100;

pub(super) fn submit(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Overlay::Ask(ask)) = model.overlays.last_mut() else {
        return;
    };
    let first = ask.form.value(0).trim().to_owned();
    let second = ask.form.value(1).trim().to_owned();
    match ask.purpose.clone() {
        AskedFor::NewProject => {
            if first.is_empty() {
                ask.form.error = Some("say what it should be".to_owned());
                ask.form.focus = 0;
                return;
            }
            ask.form.busy = true;
            let name = if second.is_empty() {
                name_from(&first)
            } else {
                second
            };
            let chosen = model.settings.model.clone();
            let id = model.ask(Purpose::NewProject {
                prompt: first.clone(),
                model: chosen.clone(),
            });
            effects.push(Effect::KeepDraft {
                key: String::new(),
                text: first,
            });
            effects.push(Effect::Call(
                id,
                Call::CreateProject {
                    name,
                    model: chosen,
                    request_id: request_id(model, id),
                },
            ));
        }
        AskedFor::Rename { id: project } => {
            if first.is_empty() {
                ask.form.error = Some("the name is missing".to_owned());
                return;
            }
            ask.form.busy = true;
            let id = model.ask(Purpose::Rename);
            effects.push(Effect::Call(
                id,
                Call::RenameProject {
                    id: project,
                    name: first,
                    request_id: request_id(model, id),
                },
            ));
        }
        AskedFor::SaveLogs => {
            if first.is_empty() {
                ask.form.error = Some("the file is missing".to_owned());
                return;
            }
            model.overlays.pop();
            if let Some(workspace) = model.workspace() {
                effects.push(Effect::Save {
                    path: PathBuf::from(first),
                    text: workspace.logs.shown_text(),
                });
            }
        }
        AskedFor::Search => {
            model.overlays.pop();
            search(model, &first);
        }
        AskedFor::ModelId(for_what) => {
            if first.is_empty() {
                ask.form.error = Some("the id is missing".to_owned());
                return;
            }
            model.overlays.pop();
            let chosen = crate::sanitise::line(&first).into_owned();
            choose_model(model, &for_what, chosen, effects);
        }
    }
}

fn search(model: &mut Model, words: &str) {
    let Some(workspace) = model.workspace_mut() else {
        return;
    };
    // What is looked at was cleaned in the same way.
    let words = &*crate::sanitise::line(words);
    words.clone_into(&mut workspace.search);
    let found = match workspace.pane {
        Pane::Prompt | Pane::Conversation => workspace.conversation.find(words),
        Pane::Tree => workspace.files.jump_to(words),
        Pane::Viewer => workspace.files.find(words),
        Pane::Logs => usize::from(workspace.logs.look_for(words)),
    };
    if !words.is_empty() && found == 0 {
        let text = format!("nothing here says \"{words}\"");
        model
            .notices
            .say(crate::text::Role::Warn, text, model.now_ms);
    }
}

/// Uses a model from now on.
pub(super) fn choose_model(
    model: &mut Model,
    for_what: &ModelFor,
    chosen: String,
    effects: &mut Vec<Effect>,
) {
    match for_what {
        ModelFor::New => {
            model.settings.model = chosen;
            effects.push(Effect::KeepSettings(model.settings.clone()));
        }
        ModelFor::Project(project) => {
            if let Some(workspace) = model.workspace_mut() {
                workspace.model.clone_from(&chosen);
            }
            let id = model.ask(Purpose::SetModel);
            effects.push(Effect::Call(
                id,
                Call::SetModel {
                    id: project.clone(),
                    model: chosen,
                    request_id: request_id(model, id),
                },
            ));
        }
    }
}

/// A name for a project: the beginning of its prompt.
#[must_use]
pub(super) fn name_from(prompt: &str) -> String {
    let line = prompt
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("app");
    let line = crate::sanitise::line(line);
    let name: String = line.chars().take(NAME_MAX).collect();
    if line.chars().count() <= 48 {
        return name;
    }
    // Whole words, as far as they are a name rather than a sentence.
    let mut short = String::new();
    for word in name.split_whitespace() {
        if !short.is_empty() && short.chars().count() + word.chars().count() >= 48 {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short.chars().take(NAME_MAX).collect()
}
