//! Choosing where models come from.

use crate::effect::{Call, Effect, Source};
use crate::model::Model;
use crate::model::form::{Field, Form};
use crate::model::overlay::Overlay;
use crate::model::purpose::Purpose;
use crate::text::Role;

/// A line of the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// OpenRouter, with a key.
    OpenRouter,
    /// An endpoint that was found.
    Found(usize),
    /// An endpoint by its address.
    Address,
    /// The demo model.
    Demo,
}

/// The lines that there are to choose from.
#[must_use]
pub(crate) fn lines(model: &Model) -> Vec<Line> {
    let found = model
        .provider
        .as_ref()
        .map_or(0, |provider| provider.endpoints.len());
    let mut lines = vec![Line::OpenRouter];
    lines.extend((0..found).map(Line::Found));
    lines.extend([Line::Address, Line::Demo]);
    lines
}

/// Takes the selected line, or shows the field that it needs.
pub(super) fn select(model: &mut Model, effects: &mut Vec<Effect>) {
    let lines = lines(model);
    let endpoints = model
        .provider
        .as_ref()
        .map(|provider| provider.endpoints.clone())
        .unwrap_or_default();
    let Some(Overlay::Provider(choice)) = model.overlays.last_mut() else {
        return;
    };
    if choice.busy {
        return;
    }
    choice.error = None;
    let source = match lines.get(choice.selected) {
        Some(Line::OpenRouter) => {
            let field = Field::masked("Key", "paste it here; it goes to the daemon only");
            choice.form = Some(Form::new(vec![field]));
            return;
        }
        Some(Line::Address) => {
            let field = Field::plain("Address", "http://127.0.0.1:8080/v1");
            choice.form = Some(Form::new(vec![field]));
            return;
        }
        Some(Line::Found(index)) => match endpoints.get(*index) {
            Some(endpoint) => Source::Endpoint(endpoint.base_url.clone()),
            None => return,
        },
        // It serves already: nothing is to be changed, and nobody is asked again.
        Some(Line::Demo) if choice.first_run => {
            model.overlays.pop();
            model.settings.welcomed = true;
            effects.push(Effect::KeepSettings(model.settings.clone()));
            return;
        }
        Some(Line::Demo) => Source::Demo,
        None => return,
    };
    send(model, source, effects);
}

/// Sends what was filled in.
pub(super) fn submit(model: &mut Model, effects: &mut Vec<Effect>) {
    let lines = lines(model);
    let Some(Overlay::Provider(choice)) = model.overlays.last_mut() else {
        return;
    };
    let Some(form) = &choice.form else { return };
    let value = form.value(0).trim().to_owned();
    if value.is_empty() {
        choice.error = Some("nothing was filled in".to_owned());
        return;
    }
    let source = match lines.get(choice.selected) {
        Some(Line::OpenRouter) => Source::OpenRouter(value.into()),
        Some(Line::Address) => Source::Endpoint(value),
        Some(Line::Found(_) | Line::Demo) | None => return,
    };
    send(model, source, effects);
}

fn send(model: &mut Model, source: Source, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Provider(choice)) = model.overlays.last_mut() {
        choice.busy = true;
        choice.error = None;
    }
    let id = model.ask(Purpose::SetProvider);
    effects.push(Effect::Call(id, Call::SetProvider(source)));
}

/// The daemon took it.
pub(super) fn chosen(model: &mut Model, effects: &mut Vec<Effect>) {
    model
        .overlays
        .pop_if(|overlay| matches!(overlay, Overlay::Provider(_)));
    model
        .notices
        .say(Role::Ok, "models come from there now", model.now_ms);
    // What was known of models is old now.
    model.catalogue = None;
    model.settings.model.clear();
    model.settings.welcomed = true;
    effects.push(Effect::KeepSettings(model.settings.clone()));
    effects.push(Effect::Reconnect);
    let id = model.ask(Purpose::Models);
    effects.push(Effect::Call(id, Call::ListModels));
}
