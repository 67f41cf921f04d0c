//! What came over the connection.

use super::open;
use crate::client::link::Topic;
use crate::effect::{Call, Effect};
use crate::failure::Failure;
use crate::ingest::report::News;
use crate::model::connection::Connection;
use crate::model::event::{Body, Event};
use crate::model::overlay::Overlay;
use crate::model::project::Sandbox;
use crate::model::purpose::Purpose;
use crate::model::sign_in::SignIn;
use crate::model::{Model, Screen};
use crate::text::Role;

pub(super) fn news(model: &mut Model, news: News, effects: &mut Vec<Effect>) {
    match news {
        News::Connection(connection) => connected(model, connection, effects),
        News::Hello(server, account) => {
            let again = model.server.is_some();
            if model
                .account
                .as_ref()
                .is_some_and(|known| *known != account)
            {
                model.projects.forget();
            }
            model.connection = Connection::Online;
            model.server = Some(server);
            model.account = Some(account);
            model.changed = true;
            if let Screen::SignIn(_) = model.screen {
                open::projects(model, effects);
            }
            if again {
                model.notices.say(
                    Role::Ok,
                    "connected again; nothing was missed",
                    model.now_ms,
                );
            }
            let id = model.ask(Purpose::Provider);
            effects.push(Effect::Call(id, Call::GetProvider));
        }
        News::Projects {
            fresh,
            changed,
            deleted,
            complete,
        } => {
            model.projects.apply(fresh, changed, &deleted, complete);
            model.changed = true;
            projects_changed(model, effects);
        }
        News::Events {
            project_id,
            events,
            head,
        } => happened(model, &project_id, events, head, effects),
        News::Logs {
            project_id,
            life,
            lines,
        } => {
            let Some(workspace) = model.workspace_mut() else {
                return;
            };
            if workspace.project.id == project_id && workspace.log_life == life {
                workspace.logs.apply(&lines);
                model.changed = true;
            }
        }
        News::Ended { topic, failure } => ended(model, &topic, failure, effects),
    }
}

fn connected(model: &mut Model, connection: Connection, effects: &mut Vec<Effect>) {
    if let Connection::SignIn { failure } = &connection {
        match &mut model.screen {
            Screen::SignIn(sign_in) => sign_in.form.busy = false,
            Screen::Projects(_) | Screen::Workspace(_) => {
                // Whoever was never signed in knows why they are asked, and where
                // that is stands above it already.
                let place = format!("not signed in to {}: ", model.address);
                let why = match failure.reason.as_str() {
                    "AUTH_REQUIRED" => String::new(),
                    _ => failure.message.trim_start_matches(&place).to_owned(),
                };
                open::keep(model, effects);
                model.overlays.clear();
                model.screen = Screen::SignIn(Box::new(SignIn::new(why)));
            }
        }
    }
    // A new try is not worth a flicker: what was wrong stays to be read.
    let hides = matches!(connection, Connection::Connecting)
        && matches!(model.connection, Connection::Waiting { .. });
    if !hides {
        model.connection = connection;
    }
    model.changed = true;
}

fn projects_changed(model: &mut Model, effects: &mut Vec<Effect>) {
    super::scroll::refresh_projects(model);
    first_run(model);
    let Screen::Workspace(workspace) = &mut model.screen else {
        return;
    };
    let id = workspace.project.id.clone();
    match model.projects.get(&id) {
        Some(project) => {
            let before = workspace.project.sandbox;
            workspace.project = project.clone();
            let now = workspace.project.sandbox;
            sandbox_is(model, before, now);
        }
        None if model.projects.is_complete() => gone(model, effects),
        None => {}
    }
}

/// Logs are followed while there is a sandbox that writes them.
fn sandbox_is(model: &mut Model, before: Sandbox, now: Sandbox) {
    let Some(workspace) = model.workspace_mut() else {
        return;
    };
    let runs = now == Sandbox::Running;
    if runs && (before != Sandbox::Running || workspace.log_life == 0) {
        workspace.log_life += 1;
    }
}

fn gone(model: &mut Model, effects: &mut Vec<Effect>) {
    let name = model
        .workspace()
        .map(|workspace| workspace.project.name.clone())
        .unwrap_or_default();
    open::projects(model, effects);
    model.notices.say(
        Role::Warn,
        format!("the project \"{name}\" was deleted"),
        model.now_ms,
    );
}

fn happened(
    model: &mut Model,
    project_id: &str,
    events: Vec<Event>,
    head: i64,
    effects: &mut Vec<Effect>,
) {
    let focused = model.focused;
    let Some(workspace) = model.workspace_mut() else {
        return;
    };
    if workspace.project.id != project_id {
        return;
    }
    let live = workspace.caught_up;
    let mut list_files = false;
    let mut deleted = false;
    let mut over = false;

    let mut sandbox = Vec::new();
    for event in events {
        match &event.body {
            Body::RevisionCreated { changes, .. } => {
                list_files = true;
                workspace.files.mark_changes(changes);
            }
            Body::GenerationFinished { .. } => {
                workspace.files.nothing_is_written();
                over = true;
            }
            Body::FileStarted { path, .. } => workspace.files.is_written(path),
            Body::FileFinished { .. } => workspace.files.nothing_is_written(),
            Body::StepOutput { step, text } => {
                let nanos = event.time_ms.saturating_mul(1_000_000);
                workspace.logs.push_step_output(step.word(), text, nanos);
            }
            Body::SandboxStateChanged { state, .. } => sandbox.push(*state),
            Body::ProjectDeleted => deleted = true,
            _ => {}
        }
        workspace.conversation.apply(event);
    }
    let seen = workspace.conversation.last_sequence();
    if seen >= head && !workspace.caught_up {
        workspace.caught_up = true;
        list_files = true;
        // What was sent in other runs can be brought back here too.
        let sent: Vec<String> = workspace
            .conversation
            .prompts()
            .map(str::to_owned)
            .collect();
        workspace.prompt.remember(sent.iter().map(String::as_str));
    }
    if list_files && workspace.caught_up {
        ask_for_files(model, effects);
    }
    // An app may have ended and started again within one batch; of a history only
    // its end matters.
    let known = if live {
        0
    } else {
        sandbox.len().saturating_sub(1)
    };
    for now in sandbox.into_iter().skip(known) {
        let Some(workspace) = model.workspace_mut() else {
            break;
        };
        let before = std::mem::replace(&mut workspace.project.sandbox, now);
        sandbox_is(model, before, now);
    }
    if over && live {
        // What was said of the way there is old now.
        model.notices.clear();
    }
    if over && live && !focused {
        effects.push(Effect::Bell);
    }
    model.changed = true;
    if deleted {
        gone(model, effects);
    }
}

/// Asks for the newest files of the open project.
pub(super) fn ask_for_files(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(workspace) = model.workspace() else {
        return;
    };
    let project_id = workspace.project.id.clone();
    let id = model.ask(Purpose::Files {
        project_id: project_id.clone(),
    });
    effects.push(Effect::Call(id, Call::ListFiles { project_id }));
}

fn ended(model: &mut Model, topic: &Topic, failure: Option<Failure>, effects: &mut Vec<Effect>) {
    model.changed = true;
    let now_ms = model.now_ms;
    match topic {
        Topic::Projects => {
            if let Some(failure) = failure {
                model.connection = Connection::Refused { failure };
            }
        }
        Topic::Project(id) => {
            let Some(workspace) = model.workspace_mut() else {
                return;
            };
            if workspace.project.id != *id {
                return;
            }
            match failure {
                Some(failure) if failure.reason == "NOT_FOUND" => gone(model, effects),
                Some(failure) => workspace.broken = Some(failure.sentence()),
                None => {}
            }
        }
        Topic::Logs { project_id, life } => {
            let Some(workspace) = model.workspace_mut() else {
                return;
            };
            if workspace.project.id != *project_id || workspace.log_life != *life {
                return;
            }
            // No sandbox, no logs: they are followed again once it lives.
            let expected = failure
                .as_ref()
                .is_none_or(|failure| failure.reason == "SANDBOX_STATE");
            if let Some(failure) = failure.filter(|_| !expected) {
                workspace
                    .logs
                    .push_step_output("logs", &failure.sentence(), now_ms * 1_000_000);
            }
        }
    }
}

/// The first thing that a new user sees: where models are to come from.
pub(super) fn first_run(model: &mut Model) {
    let first = model
        .provider
        .as_ref()
        .is_some_and(|provider| provider.unchosen && provider.can_change);
    let free = model.overlays.is_empty() && matches!(model.screen, Screen::Projects(_));
    let asked = model.settings.welcomed;
    if first && !asked && free && model.projects.is_complete() && model.projects.items().is_empty()
    {
        model.overlays.push(Overlay::Provider(
            crate::model::overlay::ProviderChoice::new(true),
        ));
    }
}
