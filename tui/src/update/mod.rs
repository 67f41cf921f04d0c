//! How what happened changes the model, and what is to be done about it. Pure:
//! no IO, no clock, no waiting. Time comes with the message.
//!
//! - `input`, `mouse`: keys, pasted text and the mouse become actions.
//! - `action`: what each action does.
//! - `news`: what came over the connection. `answer`: what calls brought.
//! - `panes`: what the panes of a workspace do with them. `scroll`: moving.
//! - `overlay`, `ask`, `provider`: what lies over a screen.
//! - `open`: going from one screen to another.

mod action;
mod answer;
mod ask;
pub(crate) mod input;
mod mouse;
mod news;
mod open;
pub(crate) mod overlay;
pub(crate) mod page;
pub(crate) mod panes;
pub(crate) mod provider;
mod scroll;
pub(crate) mod settings;
mod sign_in;

use crate::client::link::Topic;
use crate::effect::Effect;
use crate::model::{Model, Screen};
use crate::msg::{Local, Msg};
use crate::text::Role;
use crate::view::layout;

/// Takes a message, and says what is to be done.
pub fn update(model: &mut Model, msg: Msg, now_ms: i64) -> Vec<Effect> {
    model.now_ms = now_ms;
    let mut effects = Vec::new();
    match msg {
        Msg::Input(input) => input::input(model, input, &mut effects),
        Msg::News(news) => news::news(model, news, &mut effects),
        Msg::Answered { id, result } => answer::answered(model, id, result, &mut effects),
        Msg::Local(local) => done_here(model, local),
        Msg::Tick => {
            model.changed = true;
        }
    }
    if model.notices.expire(now_ms) {
        model.changed = true;
    }
    follow(model, &mut effects);
    lay_out(model);
    effects
}

/// What is being written, by the key under which it is kept.
#[must_use]
pub fn written(model: &Model) -> Vec<(String, String)> {
    open::draft(model)
        .into_iter()
        .chain(ask::draft(model))
        .collect()
}

/// Says what is to be followed, where that changed.
fn follow(model: &mut Model, effects: &mut Vec<Effect>) {
    let mut topics = vec![Topic::Projects];
    if let Some(workspace) = model.workspace() {
        topics.push(Topic::Project(workspace.project.id.clone()));
        if workspace.log_life > 0 {
            topics.push(Topic::Logs {
                project_id: workspace.project.id.clone(),
                life: workspace.log_life,
            });
        }
    }
    if topics != model.followed {
        model.followed.clone_from(&topics);
        effects.push(Effect::Follow(topics));
    }
}

/// Brings what is seen into its place; only where something changed.
fn lay_out(model: &mut Model) {
    if !model.changed || !layout::fits(model.size) {
        return;
    }
    let (size, now_ms) = (model.size, model.now_ms);
    let Screen::Workspace(workspace) = &mut model.screen else {
        return;
    };
    let places = layout::workspace(size, workspace);
    if let Some(slot) = places.conversation {
        workspace
            .conversation
            .layout(slot.content.width, slot.content.height, now_ms);
    }
    if let Some(slot) = places.tree {
        workspace
            .files
            .layout_tree(slot.content.width, slot.content.height);
    }
    if let Some(slot) = places.viewer {
        workspace
            .files
            .layout_viewer(slot.content.width, slot.content.height);
    }
    if let Some(slot) = places.logs {
        let columns = usize::from(slot.content.width).saturating_sub(1);
        workspace
            .logs
            .set_size(columns, usize::from(slot.content.height));
        // Older lines are looked at in portions; the rest has its turn next.
        workspace.logs.work();
    }
}

fn done_here(model: &mut Model, local: Local) {
    model.changed = true;
    let (role, text) = match local {
        Local::Edited(Ok(text)) => {
            if let Some(workspace) = model.workspace_mut() {
                workspace.prompt.restore(&text);
            }
            return;
        }
        Local::Opened(Ok(())) => (Role::Ok, "opened in the browser".to_owned()),
        Local::Saved(Ok(path)) => (Role::Ok, format!("written to {path}")),
        Local::Edited(Err(why)) | Local::Opened(Err(why)) | Local::Saved(Err(why)) => {
            (Role::Warn, why)
        }
    };
    let text = crate::sanitise::line(&text).into_owned();
    model.notices.say(role, text, model.now_ms);
}
