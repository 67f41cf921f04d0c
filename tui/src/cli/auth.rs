//! `kiln auth`: who you are, signing in, up and out, invites. Passwords come
//! from a question that shows nothing, or from stdin; never from an argument.

use kiln_proto::v1 as pb;
use secrecy::{ExposeSecret, SecretString};

use super::Context;
use super::args::{Auth, AuthCommand, Role};
use super::exit::{Failure, Stop};
use super::output::json::{self, Object};
use super::output::{Line, Output, Style, format, human};
use super::{prompt, token};
use crate::client::{Client, Error};

pub(super) async fn run(context: &Context, args: Auth) -> Result<(), Stop> {
    match args.command {
        AuthCommand::Status => status(context).await,
        AuthCommand::SignIn {
            email,
            password_stdin,
        } => sign_in(context, email, password_stdin).await,
        AuthCommand::SignUp {
            email,
            name,
            password_stdin,
        } => sign_up(context, email, name, password_stdin).await,
        AuthCommand::SignOut => sign_out(context).await,
        AuthCommand::Invite { team, role, days } => invite(context, team, role, days).await,
        AuthCommand::Token { command } => token::run(context, command).await,
    }
}

async fn status(context: &Context) -> Result<(), Stop> {
    let client = context.client().await?;
    let who = client
        .get_current_user(pb::GetCurrentUserRequest {})
        .await?;
    show(context, &client.address().to_string(), &who)
}

/// Says who is calling.
pub(super) fn show(
    context: &Context,
    address: &str,
    who: &pb::GetCurrentUserResponse,
) -> Result<(), Stop> {
    let user = who.user.clone().unwrap_or_default();
    let expire_time = who.credential_expire_time.as_ref();
    if context.output.json() {
        return context
            .output
            .object(&json::user(&user, address, expire_time));
    }
    let mut line = human::label("user", &named(&user));
    if user.owner {
        line = line.add(Style::Dim, ", owner of the daemon");
    }
    if expire_time.is_some() {
        let until = format::until(expire_time, format::now());
        line = line.add(Style::Dim, format!(", signed in; the session ends {until}"));
    }
    context.output.result(&line)
}

fn named(user: &pb::User) -> String {
    match (user.email.as_str(), user.display_name.as_str()) {
        ("", "") => "the local owner".to_owned(),
        ("", name) => name.to_owned(),
        (email, "") => email.to_owned(),
        (email, name) => format!("{name} <{email}>"),
    }
}

async fn sign_in(
    context: &Context,
    email: Option<String>,
    password_stdin: bool,
) -> Result<(), Stop> {
    refuse_with_token(context)?;
    let client = context.client().await?;
    if email.is_none() && !password_stdin && client.address().is_unix() {
        let user = client.sign_in_local().await?;
        return signed_in(context, &client, Some(&user));
    }
    let email = ask_email(email, password_stdin).await?;
    let password = ask_password("Password: ", password_stdin).await?;
    let answer = client
        .sign_in(pb::SignInRequest {
            email,
            password: password.expose_secret().to_owned(),
        })
        .await?;
    client
        .keep_session(answer.session, answer.user.as_ref())
        .await?;
    signed_in(context, &client, answer.user.as_ref())
}

async fn sign_up(
    context: &Context,
    email: Option<String>,
    name: Option<String>,
    password_stdin: bool,
) -> Result<(), Stop> {
    refuse_with_token(context)?;
    let client = context.client().await?;
    let piped = password_stdin || !prompt::can_ask();
    let email = ask_email(email, password_stdin).await?;
    let password = ask_password("Password (12 characters or more): ", password_stdin).await?;
    if !piped {
        let again = ask_password("Password again: ", false).await?;
        if again.expose_secret() != password.expose_secret() {
            return Err(Failure::usage("the passwords are not the same").into());
        }
    }
    let invite = match std::env::var("KILN_INVITE") {
        Ok(invite) if !invite.is_empty() => invite,
        _ if piped => prompt::read_line().await?,
        _ => prompt::line("Invite (empty if the server is open): ").await?,
    };
    let answer = client
        .sign_up(pb::SignUpRequest {
            email,
            password: password.expose_secret().to_owned(),
            display_name: name.unwrap_or_default(),
            invite: invite.trim().to_owned(),
        })
        .await?;
    client
        .keep_session(answer.session, answer.user.as_ref())
        .await?;
    signed_in(context, &client, answer.user.as_ref())
}

async fn sign_out(context: &Context) -> Result<(), Stop> {
    refuse_with_token(context)?;
    let options = context.options()?;
    let output = &context.output;
    let store = options.store.clone();
    let address = options.address.clone();
    if store.load(&address).map_err(Error::from)?.is_none() {
        return signed_out(output, true, "there was no session");
    }
    let told = async {
        let client = Client::connect(options).await?;
        client.sign_out(pb::SignOutRequest {}).await
    };
    let told = match told.await {
        // Over already is as good.
        Ok(pb::SignOutResponse {}) | Err(Error::NotSignedIn { .. }) => true,
        Err(Error::Unreachable { .. } | Error::Interrupted(_)) => false,
        Err(error) => return Err(error.into()),
    };
    store.remove(&address).map_err(Error::from)?;
    let text = match (told, address.is_unix()) {
        (true, true) => "signed out; the daemon's own user is signed in again by the next command",
        (true, false) => "signed out",
        (false, _) => {
            "signed out on this machine; the daemon does not answer and could not be told: there the session \
             goes on until it expires"
        }
    };
    signed_out(output, told, text)
}

/// `told`: whether the daemon knows.
fn signed_out(output: &Output, told: bool, text: &str) -> Result<(), Stop> {
    if output.json() {
        return output.object(
            &Object::new("result")
                .with("outcome", "SIGNED_OUT")
                .with("daemon_told", told),
        );
    }
    let style = if told { Style::Plain } else { Style::Warn };
    output.note(&Line::styled(style, text));
    Ok(())
}

async fn invite(
    context: &Context,
    team: Option<String>,
    role: Role,
    days: i32,
) -> Result<(), Stop> {
    let role = match role {
        Role::Viewer => pb::TeamRole::Viewer,
        Role::Editor => pb::TeamRole::Editor,
        Role::Owner => pb::TeamRole::Owner,
    };
    let client = context.client().await?;
    let answer = client
        .create_invite(pb::CreateInviteRequest {
            team_id: team.unwrap_or_default(),
            role: role.into(),
            valid_days: days,
            request_id: uuid::Uuid::new_v4().to_string(),
        })
        .await?;
    let output = &context.output;
    if output.json() {
        return output.object(&json::invite(&answer));
    }
    output.result(&Line::plain(answer.invite.as_str()))?;
    let until = format::until(answer.expire_time.as_ref(), format::now());
    output.note(&Line::styled(
        Style::Dim,
        format!("shown this once; works once; ends {until}; they run `kiln auth sign-up`"),
    ));
    Ok(())
}

fn signed_in(context: &Context, client: &Client, user: Option<&pb::User>) -> Result<(), Stop> {
    let address = client.address().to_string();
    let user = user.cloned().unwrap_or_default();
    if context.output.json() {
        return context.output.object(&json::user(&user, &address, None));
    }
    context.output.note(
        &Line::plain("signed in to ")
            .add(Style::Plain, address)
            .add(Style::Plain, " as ")
            .add(Style::Strong, named(&user)),
    );
    Ok(())
}

/// A session would be kept and then not be used.
fn refuse_with_token(context: &Context) -> Result<(), Stop> {
    if context.options()?.token.is_some() {
        return Err(
            Failure::usage("an API token is set, and is used in place of any session")
                .hint("unset KILN_TOKEN, or leave out --token-file")
                .into(),
        );
    }
    Ok(())
}

async fn ask_email(email: Option<String>, password_stdin: bool) -> Result<String, Stop> {
    match email {
        Some(email) => Ok(email),
        None if !password_stdin && prompt::can_ask() => {
            Ok(prompt::line("E-mail: ").await?.trim().to_owned())
        }
        None => Err(Failure::usage("the e-mail is missing")
            .hint("kiln auth sign-in EMAIL --password-stdin")
            .into()),
    }
}

async fn ask_password(question: &str, from_stdin: bool) -> Result<SecretString, Stop> {
    if !from_stdin && prompt::can_ask() {
        return prompt::password(question).await;
    }
    let password = SecretString::from(prompt::read_line().await?);
    if password.expose_secret().is_empty() {
        return Err(Failure::usage("the first line of stdin, the password, is empty").into());
    }
    Ok(password)
}
