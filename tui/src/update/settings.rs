//! Changing what can be chosen about the client.

use crate::effect::Effect;
use crate::model::Model;
use crate::text::Role;

/// How many lines there are to choose from: theme, mouse, model.
pub(crate) const COUNT: usize = 3;

/// Changes the line that is selected.
pub(super) fn change(model: &mut Model, line: usize, effects: &mut Vec<Effect>) {
    match line {
        0 => next_theme(model, effects),
        1 => toggle_mouse(model, effects),
        _ => super::overlay::models(model, effects),
    }
}

pub(super) fn next_theme(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.no_color {
        model
            .notices
            .say(Role::Warn, "colours are off: NO_COLOR is set", model.now_ms);
        return;
    }
    model.settings.palette = model.settings.palette.next();
    effects.push(Effect::KeepSettings(model.settings.clone()));
    let text = format!("theme: {}", model.settings.palette.name());
    model.notices.say(Role::Accent, text, model.now_ms);
}

pub(super) fn toggle_mouse(model: &mut Model, effects: &mut Vec<Effect>) {
    model.settings.mouse = !model.settings.mouse;
    effects.push(Effect::Mouse(model.settings.mouse));
    effects.push(Effect::KeepSettings(model.settings.clone()));
    let text = if model.settings.mouse {
        "the mouse works here"
    } else {
        "the mouse is the terminal's: it selects text"
    };
    model.notices.say(Role::Accent, text, model.now_ms);
}
