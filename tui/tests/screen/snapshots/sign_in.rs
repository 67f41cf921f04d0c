//! Who is there?

use super::{looks, seen};
use crate::support::client::{Client, start};
use crate::support::messages::{refusal, sign_in_wanted};
use kiln_tui::model::Start;

fn asked(size: (u16, u16)) -> Client {
    let mut client = Client::with(
        size,
        Start {
            address: "https://kiln.example.com".to_owned(),
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
