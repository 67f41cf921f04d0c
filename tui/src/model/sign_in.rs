//! Who is there: signing in, or making an account with an invite.

use super::form::{Field, Form};

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// There is an account.
    #[default]
    SignIn,
    /// There is none yet.
    SignUp,
}

/// The screen.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Which of the two.
    pub way: Way,
    /// Its fields.
    pub form: Form,
    /// Why the daemon asks; empty where that is plain.
    pub why: String,
}

impl SignIn {
    /// For an account that is there.
    #[must_use]
    pub fn new(why: String) -> Self {
        Self {
            way: Way::SignIn,
            form: fields(Way::SignIn, ""),
            why,
        }
    }

    /// The other way, with what was typed already.
    pub fn switch(&mut self) {
        let email = self.form.value(0).to_owned();
        self.way = match self.way {
            Way::SignIn => Way::SignUp,
            Way::SignUp => Way::SignIn,
        };
        self.form = fields(self.way, &email);
    }
}

fn fields(way: Way, email: &str) -> Form {
    let email = Field::plain("E-mail", "you@example.com").with(email);
    Form::new(match way {
        Way::SignIn => vec![email, Field::masked("Password", "")],
        Way::SignUp => vec![
            email,
            Field::plain("Name", "what to call you; may stay empty"),
            Field::masked("Password", "12 characters or more"),
            Field::masked("Invite", "from the owner: kiln auth invite"),
        ],
    })
}
