//! Sending who is there.

use crate::effect::{Call, Effect};
use crate::model::purpose::Purpose;
use crate::model::sign_in::Way;
use crate::model::{Model, Screen};

pub(super) fn submit(model: &mut Model, effects: &mut Vec<Effect>) {
    let Screen::SignIn(sign_in) = &mut model.screen else {
        return;
    };
    let form = &mut sign_in.form;
    // Enter goes on to what is still to be filled in.
    if !form.at_last() {
        form.next();
        return;
    }
    let text = |index: usize| form.value(index).to_owned();
    let call = match sign_in.way {
        Way::SignIn => Call::SignIn {
            email: text(0).trim().to_owned(),
            password: text(1).into(),
        },
        Way::SignUp => Call::SignUp {
            email: text(0).trim().to_owned(),
            display_name: text(1).trim().to_owned(),
            password: text(2).into(),
            invite: text(3).trim().to_owned().into(),
        },
    };
    if text(0).trim().is_empty() {
        form.error = Some("the e-mail is missing".to_owned());
        form.focus = 0;
        return;
    }
    form.busy = true;
    form.error = None;
    let id = model.ask(Purpose::SignIn);
    effects.push(Effect::Call(id, call));
}
