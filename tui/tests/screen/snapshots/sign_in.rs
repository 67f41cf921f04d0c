//! Who is there?

use super::{looks, seen, seen_drawn_to};
use crate::support::client::{Client, start};
use crate::support::messages::{hello, refusal, session_expired, sign_in_wanted};
use kiln_tui::model::Start;

fn asked(size: (u16, u16)) -> Client {
    let mut client = Client::with(
        size,
        Start {
            address: "https://kiln.example.com:443".to_owned(),
            security: "encrypted (TLS)",
            ..start()
        },
    );
    client.report(sign_in_wanted());
    client
}

#[test]
fn empty() {
    seen("sign_in_empty", asked);
    looks("sign_in_empty", asked((80, 24)));
}

#[test]
fn sending() {
    seen("sign_in_sending", |size| {
        let mut client = asked(size);
        client.write("ada@example.com");
        client.press("enter");
        client.write("correct horse battery");
        client.press("enter");
        client
    });
}

#[test]
fn the_session_has_expired() {
    let mut client = asked((80, 24));
    client.report(hello());
    client.report(session_expired());
    seen_drawn_to("sign_in_expired", client);
}

#[test]
fn in_the_smallest_terminal_the_field_with_the_keys_is_seen() {
    let mut client = asked((40, 10));
    assert!(client.shows("E-mail"));
    client.press("tab");
    client.write("secret");
    assert!(client.shows("Password") && client.shows("••••••"));
    client.press("alt-u tab tab tab");
    assert!(client.shows("Invite"));

    // A click finds the field that is drawn there.
    let mut client = asked((60, 14));
    client.press("alt-u tab tab tab");
    assert!(client.shows("Invite") && !client.shows("E-mail"));
    client.click_on("Name");
    client.write("Ada");
    assert!(client.shows("Ada") && client.shows("E-mail"));
}

#[test]
fn wrong_password() {
    seen("sign_in_wrong_password", |size| {
        let mut client = asked(size);
        client.write("ada@example.com");
        client.press("tab");
        client.write("not it");
        client.press("enter");
        client.refuse(refusal(
            "BAD_CREDENTIALS",
            "the e-mail or the password is wrong",
        ));
        client
    });
}

#[test]
fn sign_up() {
    seen("sign_up", |size| {
        let mut client = asked(size);
        client.write("ada@example.com");
        client.press("alt-u tab");
        client.write("Ada");
        client
    });
}
