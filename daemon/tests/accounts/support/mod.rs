//! What the tests stand on: a database of their own, and a daemon's API.

mod database;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use kiln_daemon::app::accounts::{
    Accounts, Settings, SignUpForm, StartedSession, Throttles, WindowLimit,
};
use kiln_daemon::config::SignUp;
use kiln_daemon::domain::account::{Caller, Peer};
use kiln_daemon::password::Passwords;
use tonic::{Code, Status};
use tonic_types::StatusExt;

pub(crate) use database::TestDatabase;
pub(crate) use server::{RawCodec, TestServer, with_token};

/// A password that keeps all rules.
pub(crate) const PASSWORD: &str = "four warm ovens, no bread";

/// Settings for tests that are not about limits on sign-ups.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::of_this_process(SignUp::Invite);
    let many = WindowLimit::new(10_000, 3_600);
    settings.throttles = Throttles {
        sign_in_origin: many,
        sign_in_global: many,
        sign_up_form_origin: many,
        sign_up_origin: many,
        sign_up_origin_day: many,
        ..Throttles::default()
    };
    settings
}

pub(crate) fn accounts(database: &TestDatabase, settings: Settings) -> Accounts {
    Accounts::new(database.pool.clone(), Passwords::default(), settings)
}

/// A peer with an address, made from a number.
pub(crate) fn peer(number: u32) -> Peer {
    let [a, b, c, _] = number.to_le_bytes();
    Peer::Tcp(SocketAddr::from(([10, c, b, a], 40_000)))
}

/// The user who runs this process, over the unix socket.
pub(crate) fn local_peer() -> Peer {
    Peer::Unix {
        uid: settings().local_uid,
        gid: 0,
        pid: None,
    }
}

/// The local owner, signed in.
pub(crate) async fn local_owner(accounts: &Accounts) -> (StartedSession, Caller) {
    let session = accounts.sign_in_local(local_peer()).await.unwrap();
    let caller = accounts
        .authenticate(session.token.expose(), None)
        .await
        .unwrap();
    (session, caller)
}

/// Somebody who signed up with an invite of the local owner.
pub(crate) async fn member(accounts: &Accounts, email: &str) -> (StartedSession, Caller) {
    let invite = invite(accounts).await;
    let form = SignUpForm {
        email,
        password: PASSWORD,
        display_name: "",
        invite: &invite,
    };
    let session = accounts.sign_up(form, peer(1)).await.unwrap();
    let caller = accounts
        .authenticate(session.token.expose(), None)
        .await
        .unwrap();
    (session, caller)
}

/// A code for an account.
pub(crate) async fn invite(accounts: &Accounts) -> String {
    let (_, owner) = local_owner(accounts).await;
    let new = kiln_daemon::app::accounts::NewInvite {
        team_id: None,
        role: kiln_daemon::domain::account::TeamRole::Editor,
        valid_days: 7,
        request_id: None,
    };
    let (code, _) = accounts.create_invite(&owner, new).await.unwrap();
    code.expose().to_owned()
}

/// What a client makes of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

pub(crate) fn refused(code: Code, reason: &str) -> Refused {
    Refused {
        code,
        reason: reason.into(),
    }
}

/// The code and the reason of a refusal.
pub(crate) fn refusal<T>(answer: Result<T, impl Into<Status>>) -> Refused {
    let status: Status = match answer {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.into(),
    };
    let info = status.get_details_error_info();
    Refused {
        code: status.code(),
        reason: info
            .unwrap_or_else(|| panic!("no reason in {status:?}"))
            .reason,
    }
}

/// When a throttled client may come back.
pub(crate) fn retry_after<T>(answer: Result<T, impl Into<Status>>) -> Duration {
    let status: Status = match answer {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.into(),
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
        .unwrap_or_else(|| panic!("no delay in {status:?}"))
}

/// All that a client can see of an error, but for the correlation id.
pub(crate) fn bytes_of<T>(answer: Result<T, impl Into<Status>>) -> (Code, String, Vec<u8>) {
    let status: Status = match answer {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.into(),
    };
    (
        status.code(),
        status.message().to_owned(),
        status.details().to_vec(),
    )
}
