//! Going from one screen to another, without losing what was being written.

use crate::effect::Effect;
use crate::model::project::{Project, Sandbox};
use crate::model::workspace::Workspace;
use crate::model::{Model, ProjectsScreen, Screen};

/// Opens a project.
pub(super) fn workspace(model: &mut Model, project: Project, effects: &mut Vec<Effect>) {
    keep(model, effects);
    let draft = model.drafts.get(&project.id).cloned().unwrap_or_default();
    let lives = project.sandbox == Sandbox::Running;
    let mut workspace = Workspace::new(project, &draft, model.ascii);
    workspace.log_life = u64::from(lives);
    model.overlays.clear();
    model.screen = Screen::Workspace(Box::new(workspace));
    model.changed = true;
}

/// Goes to the projects; the one that was open is selected.
pub(super) fn projects(model: &mut Model, effects: &mut Vec<Effect>) {
    keep(model, effects);
    let mut screen = ProjectsScreen::default();
    if let Some(workspace) = model.workspace() {
        screen.list.select(&workspace.project.id);
    }
    model.overlays.clear();
    model.screen = Screen::Projects(Box::new(screen));
    super::scroll::refresh_projects(model);
    model.changed = true;
}

/// The prompt that is being written, and its project.
pub(super) fn draft(model: &Model) -> Option<(String, String)> {
    let workspace = model.workspace()?;
    let text = workspace.prompt.draft().to_owned();
    Some((workspace.project.id.clone(), text))
}

/// Keeps what is being written, for this run of the client and for the next.
pub(super) fn keep(model: &mut Model, effects: &mut Vec<Effect>) {
    for (key, text) in super::written(model) {
        model.drafts.insert(key.clone(), text.clone());
        effects.push(Effect::KeepDraft { key, text });
    }
}
