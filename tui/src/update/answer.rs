//! What calls brought.

use super::{news, open, scroll};
use crate::effect::{Answer, Call, CallId, Effect};
use crate::failure::Failure;
use crate::model::overlay::Overlay;
use crate::model::purpose::Purpose;
use crate::model::{Model, Screen};
use crate::text::Role;

pub(super) fn answered(
    model: &mut Model,
    id: CallId,
    result: Result<Answer, Failure>,
    effects: &mut Vec<Effect>,
) {
    // An answer to a question that nobody asks any more.
    let Some(purpose) = model.pending.remove(&id) else {
        return;
    };
    model.changed = true;
    match result {
        Ok(answer) => went_well(model, purpose, answer, effects),
        Err(failure) => went_wrong(model, purpose, &failure, effects),
    }
}

fn went_well(model: &mut Model, purpose: Purpose, answer: Answer, effects: &mut Vec<Effect>) {
    match (purpose, answer) {
        (Purpose::NewProject { prompt, model: id }, Answer::Project(project)) => {
            model.projects.insert(project.clone());
            let project_id = project.id.clone();
            // What was written is a project now, and no draft any more.
            model.overlays.clear();
            effects.push(Effect::KeepDraft {
                key: String::new(),
                text: String::new(),
            });
            model.drafts.remove("");
            open::workspace(model, project, effects);
            if !prompt.trim().is_empty() {
                send(model, &project_id, prompt, id, effects);
            }
        }
        (Purpose::Rename | Purpose::SetModel, Answer::Project(project)) => {
            if let Some(workspace) = model.workspace_mut()
                && workspace.project.id == project.id
            {
                workspace.project = project.clone();
                workspace.model.clear();
            }
            model.projects.insert(project);
            model
                .overlays
                .pop_if(|overlay| matches!(overlay, Overlay::Ask(_)));
            scroll::refresh_projects(model);
        }
        (Purpose::Delete { id }, _) => {
            model.projects.remove(&id);
            scroll::refresh_projects(model);
            model.notices.say(Role::Ok, "deleted", model.now_ms);
        }
        (Purpose::StartGeneration { project_id, .. }, Answer::Started(generation_id)) => {
            if let Some(workspace) = model.workspace_mut()
                && workspace.project.id == project_id
            {
                workspace.conversation.begun(&generation_id);
            }
        }
        (Purpose::Files { project_id }, Answer::Files { revision_id, files }) => {
            let Some(workspace) = model.workspace_mut() else {
                return;
            };
            if workspace.project.id != project_id {
                return;
            }
            let newer = workspace.listed_revision != revision_id;
            workspace.listed_revision.clone_from(&revision_id);
            workspace.files.set_listing(files);
            if newer && let Some(path) = workspace.files.open_path().map(str::to_owned) {
                read(model, path, effects);
            }
        }
        (Purpose::File { project_id, path }, Answer::File { size, text, .. }) => {
            if let Some(workspace) = model.workspace_mut()
                && workspace.project.id == project_id
            {
                workspace.files.set_content(&path, size, text);
            }
        }
        (Purpose::Models, Answer::Models(catalogue)) => {
            model.catalogue = Some(catalogue);
            scroll::refresh_models(model);
        }
        (Purpose::Provider, Answer::Provider(provider)) => {
            model.provider = Some(provider);
            news::first_run(model);
        }
        (Purpose::SetProvider, _) => super::provider::chosen(model, effects),
        (Purpose::SignIn, _) => {
            if let Screen::SignIn(sign_in) = &mut model.screen {
                sign_in.form.busy = false;
            }
            effects.push(Effect::Reconnect);
        }
        (Purpose::SignOut, _) => {
            model.projects.forget();
            model.account = None;
            effects.push(Effect::Reconnect);
        }
        (Purpose::Cancel | Purpose::Sandbox(_), _) => {}
        // An answer of another kind than the question: nothing to take from it.
        (
            Purpose::NewProject { .. }
            | Purpose::Rename
            | Purpose::SetModel
            | Purpose::StartGeneration { .. }
            | Purpose::Files { .. }
            | Purpose::File { .. }
            | Purpose::Models
            | Purpose::Provider,
            _,
        ) => {}
    }
}

fn went_wrong(model: &mut Model, purpose: Purpose, failure: &Failure, effects: &mut Vec<Effect>) {
    let sentence = failure.sentence();
    match purpose {
        Purpose::NewProject { .. } | Purpose::Rename => {
            if let Some(Overlay::Ask(ask)) = model.overlays.last_mut() {
                ask.form.busy = false;
                ask.form.error = Some(sentence);
                return;
            }
        }
        Purpose::StartGeneration { project_id, prompt } => {
            if let Some(workspace) = model.workspace_mut()
                && workspace.project.id == project_id
            {
                workspace.conversation.fail_begin(&sentence);
                // Nothing is lost: the prompt is where it was.
                if workspace.prompt.is_empty() {
                    workspace.prompt.restore(&prompt);
                }
            }
            return;
        }
        Purpose::File { project_id, path } => {
            if let Some(workspace) = model.workspace_mut()
                && workspace.project.id == project_id
            {
                workspace.files.set_error(&path, &sentence);
            }
            return;
        }
        // No revision yet: the tree says so itself.
        Purpose::Files { .. } if failure.reason == "NO_REVISION" => {
            if let Some(workspace) = model.workspace_mut() {
                workspace.files.set_listing(Vec::new());
            }
            return;
        }
        // An older daemon: nothing can be chosen, which is no fault.
        Purpose::Provider => return,
        Purpose::SetProvider => {
            if let Some(Overlay::Provider(choice)) = model.overlays.last_mut() {
                choice.busy = false;
                choice.error = Some(sentence);
                return;
            }
        }
        Purpose::SignIn => {
            if let Screen::SignIn(sign_in) = &mut model.screen {
                sign_in.form.busy = false;
                sign_in.form.error = Some(sentence);
                return;
            }
        }
        Purpose::SignOut => {
            // The session is forgotten here in any case.
            effects.push(Effect::Reconnect);
        }
        Purpose::SetModel
        | Purpose::Delete { .. }
        | Purpose::Cancel
        | Purpose::Files { .. }
        | Purpose::Sandbox(_)
        | Purpose::Models => {}
    }
    model.notices.say(Role::Error, sentence, model.now_ms);
}

/// Sends a prompt; it is seen at once.
pub(super) fn send(
    model: &mut Model,
    project_id: &str,
    prompt: String,
    id: String,
    effects: &mut Vec<Effect>,
) {
    let now_ms = model.now_ms;
    if let Some(workspace) = model.workspace_mut() {
        workspace
            .conversation
            .begin(&crate::sanitise::text(&prompt), now_ms);
    }
    let call = model.ask(Purpose::StartGeneration {
        project_id: project_id.to_owned(),
        prompt: prompt.clone(),
    });
    effects.push(Effect::Call(
        call,
        Call::StartGeneration {
            project_id: project_id.to_owned(),
            prompt,
            model: id,
            request_id: request_id(model, call),
        },
    ));
}

/// Asks for a file of the newest revision that is listed.
pub(super) fn read(model: &mut Model, path: String, effects: &mut Vec<Effect>) {
    let Some(workspace) = model.workspace() else {
        return;
    };
    let project_id = workspace.project.id.clone();
    let revision_id = workspace.listed_revision.clone();
    let id = model.ask(Purpose::File {
        project_id: project_id.clone(),
        path: path.clone(),
    });
    effects.push(Effect::Call(
        id,
        Call::ReadFile {
            project_id,
            revision_id,
            path,
        },
    ));
}

/// Names a mutation, so that a retry of the same is not done twice.
pub(super) fn request_id(model: &Model, call: CallId) -> String {
    format!("{}-{}-{}", model.run, model.now_ms, call.0)
}
