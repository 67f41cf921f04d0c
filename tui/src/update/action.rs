//! What each action does.

use super::{answer, input, open, overlay, page, scroll, settings};
use crate::effect::{Call, Effect};
use crate::keymap::{Action, Scope};
use crate::model::editor::Edit;
use crate::model::overlay::{Ask, Confirm, Confirmed, Overlay};
use crate::model::project::Project;
use crate::model::purpose::Purpose;
use crate::model::workspace::{Pane, Tab};
use crate::model::{Model, Screen};
use crate::text::Role;
use crate::view::layout;

/// Does an action; false where it means nothing here, so that its key may mean
/// something else.
pub(super) fn perform(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Palette => match model.overlays.last() {
            Some(Overlay::Palette(_)) => {
                model.overlays.pop();
            }
            Some(_) | None => overlay::palette(model),
        },
        Action::Help => {
            let scopes: Vec<Scope> = input::scopes(model)
                .into_iter()
                .filter(|scope| *scope != Scope::Everywhere)
                .collect();
            let page = page::help(&model.keymap, &scopes, model.ascii);
            model.overlays.push(Overlay::Page(page));
        }
        Action::Grpcurl => {
            let page = page::grpcurl(model);
            model.overlays.push(Overlay::Page(page));
        }
        Action::Back => back(model, effects),
        Action::Interrupt => interrupt(model, effects),
        Action::Quit => effects.push(Effect::Quit),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Retry => {
            if model.connection.is_online() {
                return false;
            }
            effects.push(Effect::Retry);
        }
        Action::Models => overlay::models(model, effects),
        Action::Provider => overlay::provider_choice(model, effects),
        Action::Settings => model.overlays.push(Overlay::Settings(0)),
        Action::NextTheme => settings::next_theme(model, effects),
        Action::ToggleMouse => settings::toggle_mouse(model, effects),
        Action::SignOut => overlay::confirm(
            model,
            Confirm {
                question: "Sign out of this server?".to_owned(),
                detail: "The session on this machine is forgotten. Projects stay.".to_owned(),
                verb: "sign out",
                then: Confirmed::SignOut,
            },
        ),
        Action::Up
        | Action::Down
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom => return scroll::perform(model, action),
        Action::ClosePage => {
            model.overlays.pop();
        }
        Action::Select if !model.overlays.is_empty() => return overlay::select(model, effects),
        Action::Copy if !model.overlays.is_empty() => return copy_page(model, effects),
        _ if !model.overlays.is_empty() => return false,
        Action::SwitchSignIn => match &mut model.screen {
            Screen::SignIn(sign_in) => sign_in.switch(),
            Screen::Projects(_) | Screen::Workspace(_) => return false,
        },
        Action::OpenProject
        | Action::NewProject
        | Action::RenameProject
        | Action::DeleteProject
        | Action::FilterProjects
        | Action::OpenListedPreview => return on_projects(model, action, effects),
        Action::Select if matches!(model.screen, Screen::Projects(_)) => {
            return on_projects(model, Action::OpenProject, effects);
        }
        Action::Left
        | Action::Right
        | Action::Search
        | Action::NextMatch
        | Action::PreviousMatch
        | Action::Select
        | Action::Copy
        | Action::FoldAll
        | Action::PreviousTurn
        | Action::NextTurn
        | Action::CloseFile
        | Action::WrapFile
        | Action::FollowLogs
        | Action::WrapLogs
        | Action::LogTimes
        | Action::LogStream
        | Action::OnlyMatches
        | Action::SaveLogs => return super::panes::perform(model, action, effects),
        Action::NextPane
        | Action::PreviousPane
        | Action::ShowConversation
        | Action::ShowFiles
        | Action::ShowLogs
        | Action::WritePrompt
        | Action::OpenPreview
        | Action::CopyAddress
        | Action::CancelGeneration
        | Action::StartApp
        | Action::StopApp
        | Action::RestartApp
        | Action::ToProjects
        | Action::Send
        | Action::Newline
        | Action::PreviousPrompt
        | Action::NextPrompt
        | Action::EditPrompt => return in_workspace(model, action, effects),
    }
    true
}

fn back(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.overlays.is_empty() {
        overlay::back(model, effects);
        return;
    }
    match &mut model.screen {
        Screen::SignIn(_) => {}
        Screen::Projects(screen) => {
            screen.filtering = false;
            screen.list.clear_filter();
            model.notices.clear();
        }
        Screen::Workspace(workspace) => match workspace.pane {
            Pane::Viewer => {
                workspace.files.close();
                workspace.go_to(Pane::Tree);
            }
            Pane::Conversation | Pane::Tree | Pane::Logs => {
                workspace.pane = Pane::Prompt;
                workspace.tab = Tab::Conversation;
            }
            Pane::Prompt if workspace.tab != Tab::Conversation => {
                workspace.tab = Tab::Conversation;
            }
            Pane::Prompt => open::projects(model, effects),
        },
    }
}

/// Cancels what runs; where nothing does, the second time quits.
fn interrupt(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.overlays.is_empty() {
        overlay::back(model, effects);
        return;
    }
    if model.connection.is_online()
        && model
            .workspace()
            .is_some_and(|workspace| workspace.conversation.is_busy())
        && cancel(model, effects)
    {
        return;
    }
    if model.quit_asked {
        effects.push(Effect::Quit);
        return;
    }
    model.quit_asked = true;
    model.notices.say(
        Role::Accent,
        "Ctrl-C again quits; the daemon and the apps go on",
        model.now_ms,
    );
}

fn cancel(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let running = model
        .workspace()
        .and_then(|workspace| workspace.conversation.running_id().map(str::to_owned));
    let Some(generation_id) = running else {
        return false;
    };
    if model
        .pending
        .values()
        .any(|purpose| *purpose == Purpose::Cancel)
    {
        return true;
    }
    let id = model.ask(Purpose::Cancel);
    effects.push(Effect::Call(id, Call::Cancel { generation_id }));
    model.notices.say(Role::Warn, "cancelling…", model.now_ms);
    true
}

fn copy_page(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    match model.overlays.last() {
        Some(Overlay::Page(page)) if !page.copies.is_empty() => {
            effects.push(Effect::Clipboard(page.copies.clone()));
            model.notices.say(Role::Ok, "copied", model.now_ms);
            true
        }
        Some(_) | None => false,
    }
}

fn on_projects(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    let selected = match &model.screen {
        Screen::Projects(screen) => screen.list.selected().cloned(),
        Screen::SignIn(_) | Screen::Workspace(_) => return false,
    };
    match (action, selected) {
        (Action::NewProject, _) => new_project(model),
        (Action::FilterProjects, _) => {
            if let Screen::Projects(screen) = &mut model.screen {
                screen.filtering = true;
            }
        }
        (Action::OpenProject, Some(project)) => open::workspace(model, project, effects),
        // Nothing there to open: what the empty screen offers.
        (Action::OpenProject, None) if model.projects.items().is_empty() => new_project(model),
        (Action::RenameProject, Some(project)) => {
            let asked = Ask::rename(project.id, &project.name);
            model.overlays.push(Overlay::Ask(asked));
        }
        (Action::DeleteProject, Some(project)) => overlay::confirm(
            model,
            Confirm {
                question: format!("Delete \"{}\"?", project.name),
                detail: "Its files, history and app go with it, for good.".to_owned(),
                verb: "delete",
                then: Confirmed::DeleteProject { id: project.id },
            },
        ),
        (Action::OpenListedPreview, Some(project)) => show_preview(model, &project, effects),
        _ => return false,
    }
    true
}

fn new_project(model: &mut Model) {
    let draft = model.drafts.get("").cloned().unwrap_or_default();
    model.overlays.push(Overlay::Ask(Ask::new_project(&draft)));
}

fn show_preview(model: &mut Model, project: &Project, effects: &mut Vec<Effect>) {
    if project.preview_url.is_empty() {
        let text = "there is nothing to see yet: the first prompt makes the app";
        model.notices.say(Role::Warn, text, model.now_ms);
    } else {
        effects.push(Effect::Open(project.preview_url.clone()));
    }
}

fn in_workspace(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    let size = model.size;
    let Some(workspace) = model.workspace_mut() else {
        return false;
    };
    match action {
        Action::NextPane => next_pane(workspace, size, 1),
        Action::PreviousPane => next_pane(workspace, size, -1),
        Action::ShowConversation => workspace.go_to(Pane::Conversation),
        Action::ShowFiles if workspace.files.has_open_file() => workspace.go_to(Pane::Viewer),
        Action::ShowFiles => workspace.go_to(Pane::Tree),
        Action::ShowLogs => workspace.go_to(Pane::Logs),
        Action::WritePrompt => {
            workspace.pane = Pane::Prompt;
        }
        Action::OpenPreview => {
            let project = workspace.project.clone();
            show_preview(model, &project, effects);
        }
        Action::CopyAddress => {
            let url = workspace.project.preview_url.clone();
            if url.is_empty() {
                let text = "there is no address yet";
                model.notices.say(Role::Warn, text, model.now_ms);
            } else {
                let text = format!("copied {url}");
                effects.push(Effect::Clipboard(url));
                model.notices.say(Role::Ok, text, model.now_ms);
            }
        }
        Action::CancelGeneration => {
            if !cancel(model, effects) {
                model.notices.say(Role::Dim, "nothing runs", model.now_ms);
            }
        }
        Action::StartApp | Action::StopApp | Action::RestartApp => {
            sandbox(model, action, effects);
        }
        Action::ToProjects => open::projects(model, effects),
        Action::Send => return send(model, effects),
        Action::Newline => {
            workspace.prompt.apply(Edit::Newline);
        }
        Action::PreviousPrompt => {
            workspace.prompt.apply(Edit::HistoryPrevious);
        }
        Action::NextPrompt => {
            workspace.prompt.apply(Edit::HistoryNext);
        }
        Action::EditPrompt => {
            effects.push(Effect::Edit(workspace.prompt.text().to_owned()));
        }
        _ => return false,
    }
    true
}

fn sandbox(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(workspace) = model.workspace() else {
        return;
    };
    let project_id = workspace.project.id.clone();
    let (word, call) = match action {
        Action::StartApp => ("starting the app…", Call::StartSandbox { project_id }),
        Action::StopApp => ("stopping the app…", Call::StopSandbox { project_id }),
        _ => ("restarting the app…", Call::RestartSandbox { project_id }),
    };
    let id = model.ask(Purpose::Sandbox(word));
    effects.push(Effect::Call(id, call));
    model.notices.say(Role::Running, word, model.now_ms);
}

/// Panes that are seen, in the order of Tab.
fn next_pane(workspace: &mut crate::model::workspace::Workspace, size: (u16, u16), step: isize) {
    let layout = layout::workspace(size, workspace);
    let narrow = layout.tabs.is_some();
    let has_file = workspace.files.has_open_file();
    let panes: Vec<Pane> = [
        Some(Pane::Prompt),
        Some(Pane::Conversation),
        (layout.tree.is_some() || (narrow && !has_file)).then_some(Pane::Tree),
        (has_file && (layout.viewer.is_some() || narrow)).then_some(Pane::Viewer),
        Some(Pane::Logs),
    ]
    .into_iter()
    .flatten()
    .collect();
    let at = panes
        .iter()
        .position(|pane| *pane == workspace.pane)
        .unwrap_or(0);
    let count = panes.len();
    let next = (at + count).saturating_add_signed(step) % count;
    workspace.go_to(panes[next]);
    if panes[next] == Pane::Prompt {
        workspace.tab = Tab::Conversation;
    }
}

fn send(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let online = model.connection.is_online();
    let now_ms = model.now_ms;
    let Some(workspace) = model.workspace_mut() else {
        return false;
    };
    if workspace.prompt.text().trim().is_empty() {
        return true;
    }
    if workspace.conversation.is_busy() {
        let text = "one prompt at a time: Ctrl-X cancels what runs. What you wrote stays here";
        model.notices.say(Role::Warn, text, now_ms);
        return true;
    }
    if !online {
        let text = "there is no connection: what you wrote stays here until there is";
        model.notices.say(Role::Warn, text, now_ms);
        return true;
    }
    let prompt = workspace.prompt.take();
    workspace.tab = Tab::Conversation;
    let project_id = workspace.project.id.clone();
    let chosen = workspace.model.clone();
    effects.push(Effect::KeepDraft {
        key: project_id.clone(),
        text: String::new(),
    });
    model.drafts.remove(&project_id);
    answer::send(model, &project_id, prompt, chosen, effects);
    true
}
