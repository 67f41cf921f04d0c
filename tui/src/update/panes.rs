//! What the panes of a workspace do with the actions that are theirs.

use super::{answer, overlay};
use crate::effect::Effect;
use crate::keymap::{Action, Scope};
use crate::model::Model;
use crate::model::files::Chosen;
use crate::model::overlay::{Ask, Overlay};
use crate::model::workspace::{Pane, Workspace};
use crate::text::Role;

/// Does an action of a pane; false where it means nothing there.
pub(super) fn perform(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    let now_ms = model.now_ms;
    let Some(workspace) = model.workspace_mut() else {
        return false;
    };
    // From the palette a pane's own action may come while another has the keys.
    match action.entry().scope {
        Scope::Logs if workspace.pane != Pane::Logs => workspace.go_to(Pane::Logs),
        Scope::Conversation if workspace.pane != Pane::Conversation => {
            workspace.go_to(Pane::Conversation);
        }
        _ => {}
    }
    match action {
        Action::Search => {
            if workspace.pane == Pane::Prompt {
                workspace.go_to(Pane::Conversation);
            }
            model.overlays.push(Overlay::Ask(Ask::search()));
        }
        Action::NextMatch => return next_match(workspace, true),
        Action::PreviousMatch => return next_match(workspace, false),
        Action::Select => return select(model, effects),
        Action::Copy => return copy(model, effects),
        Action::Left | Action::Right => return sideways(workspace, action == Action::Right),
        Action::FoldAll => workspace.conversation.toggle_all(),
        Action::PreviousTurn => workspace.conversation.previous_turn(),
        Action::NextTurn => workspace.conversation.next_turn(),
        Action::CloseFile => {
            workspace.files.close();
            workspace.go_to(Pane::Tree);
        }
        Action::WrapFile => workspace.files.toggle_wrap(),
        Action::FollowLogs => workspace.logs.toggle_follow(),
        Action::WrapLogs => workspace.logs.toggle_wrap(),
        Action::LogTimes => workspace.logs.toggle_times(),
        // The title says which.
        Action::LogStream => workspace.logs.next_streams(),
        Action::OnlyMatches => {
            if workspace.search.is_empty() {
                let text = "search first (/): then only the lines that match are shown";
                model.notices.say(Role::Warn, text, now_ms);
            } else {
                workspace.logs.toggle_only_matches();
            }
        }
        Action::SaveLogs => {
            let name: String = workspace
                .project
                .name
                .chars()
                .map(|c| if c.is_alphanumeric() { c } else { '-' })
                .take(40)
                .collect();
            let asked = Ask::save_logs(&format!("{}-logs.txt", name.trim_matches('-')));
            model.overlays.push(Overlay::Ask(asked));
        }
        _ => return false,
    }
    true
}

fn next_match(workspace: &mut Workspace, forwards: bool) -> bool {
    match (workspace.pane, forwards) {
        (Pane::Conversation, true) => workspace.conversation.next_match(),
        (Pane::Conversation, false) => workspace.conversation.previous_match(),
        (Pane::Viewer, true) => workspace.files.next_match(),
        (Pane::Viewer, false) => workspace.files.previous_match(),
        (Pane::Logs, true) => return workspace.logs.next_match(),
        (Pane::Logs, false) => return workspace.logs.previous_match(),
        (Pane::Prompt | Pane::Tree, _) => return false,
    }
    true
}

fn sideways(workspace: &mut Workspace, right: bool) -> bool {
    match workspace.pane {
        Pane::Tree if right => workspace.files.expand(),
        Pane::Tree => workspace.files.collapse(),
        Pane::Viewer => workspace.files.scroll_sideways(right),
        Pane::Logs => workspace.logs.scroll_sideways(right),
        Pane::Conversation => workspace.conversation.toggle_selected(right),
        Pane::Prompt => return false,
    }
    true
}

/// Opens what is selected, or folds and unfolds it.
pub(super) fn select(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let Some(workspace) = model.workspace_mut() else {
        return false;
    };
    match workspace.pane {
        Pane::Conversation => workspace.conversation.toggle(),
        Pane::Tree => match workspace.files.choose() {
            Some(Chosen::File(path)) => {
                workspace.go_to(Pane::Viewer);
                answer::read(model, path, effects);
            }
            Some(Chosen::Folder) => {}
            None => return false,
        },
        Pane::Prompt | Pane::Viewer | Pane::Logs => return false,
    }
    true
}

fn copy(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let now_ms = model.now_ms;
    let Some(workspace) = model.workspace_mut() else {
        return false;
    };
    let text = match workspace.pane {
        Pane::Conversation => workspace.conversation.selected_text(),
        Pane::Tree => workspace.files.selected_path().map(str::to_owned),
        Pane::Viewer => workspace.files.open_text(),
        Pane::Logs => workspace.logs.selected_text(),
        Pane::Prompt => None,
    };
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            let said = format!(
                "copied {}",
                crate::cli::output::format::plural(text.lines().count(), "line")
            );
            effects.push(Effect::Clipboard(text));
            model.notices.say(Role::Ok, said, now_ms);
        }
        None => model.notices.say(Role::Dim, "nothing is selected", now_ms),
    }
    true
}

/// The model that the next prompt would use, and whether it is a demo.
#[must_use]
pub(crate) fn model_label(model: &Model) -> (String, bool) {
    let id = overlay::current_model(model);
    let demo = id.starts_with("demo/");
    (id, demo)
}
