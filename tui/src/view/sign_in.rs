//! Who is there: a form in the middle, with the server and whether it is safe.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{form, frame, hit, layout, rows};
use crate::keymap::Action;
use crate::model::Model;
use crate::model::sign_in::{SignIn, Way};
use crate::text::{Role, Row};

pub(super) fn draw(
    model: &Model,
    sign_in: &SignIn,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let size = (area.width, area.height);
    let places = layout::screen(size);
    let (title, other) = match sign_in.way {
        Way::SignIn => ("sign in", "no account yet? sign up with an invite"),
        Way::SignUp => ("sign up", "there is an account already? sign in"),
    };
    frame::header(model, &Row::new(Role::Text, title), places.header, buf);
    let inner = hit::sign_in(size, sign_in.form.fields.len());
    let server = Row::new(Role::Dim, "server ")
        .add(Role::Text, model.address.clone())
        .add(Role::Dim, format!(" · {}", model.security));
    rows::line(&server, Rect { height: 1, ..inner }, buf, theme);
    let below = Rect {
        y: inner.y + 1,
        height: 1,
        ..inner
    };
    rows::text(&sign_in.why, Role::Dim, below, buf, theme);
    let cursor = form::draw(model, &sign_in.form, 1, hit::fields(inner), buf);
    let last = Rect {
        y: inner.bottom().saturating_sub(1),
        height: 1,
        ..inner
    };
    let key = model
        .keymap
        .hint(Action::SwitchSignIn, true)
        .map_or_else(String::new, |chord| chord.shown(model.ascii) + " ");
    let other = Row::new(Role::Accent, key).add(Role::Dim, other);
    rows::line(&other, last, buf, theme);
    let actions = [
        (Action::SwitchSignIn, "sign up or in"),
        (Action::Help, "keys"),
        (Action::Palette, "everything"),
        (Action::Quit, "quit"),
    ];
    frame::hints(model, &actions, places.hints, buf);
    cursor
}
