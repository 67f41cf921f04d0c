//! What a stolen dump or log gives away: nothing that signs anybody in.

use std::io::Write;
use std::sync::{Arc, Mutex};

use kiln_daemon::app::accounts::{Bootstrap, NewApiToken, SignUpForm};
use kiln_daemon::config::SignUp;
use kiln_daemon::domain::account::Scope;
use kiln_proto::v1::SignInRequest;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use sha2::{Digest, Sha256};
use tonic::Code;

use super::support::{
    PASSWORD, TestDatabase, TestServer, accounts, invite, local_owner, member, peer, refusal,
    refused, settings, with_token,
};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// T7 and T18, for all that accounts hand out.
#[tokio::test]
async fn no_secret_is_found_in_a_dump_or_in_the_log() {
    let captured = Captured::default();
    let writer = captured.clone();
    // For the whole process: blocking threads and connections log too.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .try_init()
        .unwrap();

    let database = TestDatabase::new().await;
    let mut settings = settings();
    settings.sign_up = SignUp::Open;
    let accounts = accounts(&database, settings);
    let Bootstrap::New(bootstrap) = accounts.ensure_bootstrap_code(None).await.unwrap() else {
        panic!("nobody owns it yet");
    };
    let invite = invite(&accounts).await;
    let (member_session, _) = member(&accounts, "ann@example.com").await;
    let (owner_session, owner) = local_owner(&accounts).await;
    let new = NewApiToken {
        name: "ci".into(),
        scopes: vec![Scope::Admin],
        valid_days: 1,
        request_id: Some("once".into()),
    };
    let (api_token, _) = accounts.create_api_token(&owner, new).await.unwrap();

    // The same through the API, where transport and codec could log.
    let server = TestServer::start(accounts.clone()).await;
    let mut auth = AuthServiceClient::new(server.tcp().await);
    let form = SignInRequest {
        email: "ann@example.com".into(),
        password: PASSWORD.into(),
    };
    let answer = auth.sign_in(form).await.unwrap().into_inner();
    let signed_in = answer.session.unwrap().token;
    for token in [signed_in.as_str(), api_token.expose()] {
        let (mut auth, _) = with_token(server.tcp().await, token);
        auth.get_current_user(kiln_proto::v1::GetCurrentUserRequest {})
            .await
            .unwrap();
    }
    let weak = SignUpForm {
        email: "bob@example.com",
        password: "password1234",
        display_name: "",
        invite: "",
    };
    let error = accounts.sign_up(weak, peer(1)).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("password1234"));

    let dump = database.dump().await;
    assert!(dump.contains("ann@example.com"), "the dump is one");
    let log = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    assert!(log.contains("correlation_id"), "the log is one");
    for secret in [
        PASSWORD,
        "password1234",
        bootstrap.expose(),
        &invite,
        member_session.token.expose(),
        owner_session.token.expose(),
        api_token.expose(),
        &signed_in,
    ] {
        // Without prefix and checksum too.
        let body = secret
            .strip_prefix("kiln_")
            .map_or(secret, |rest| &rest[2..45]);
        assert!(!dump.contains(body), "the dump holds {body}");
        assert!(!log.contains(body), "the log holds {body}");
    }
}

#[tokio::test]
async fn a_hash_from_a_dump_signs_nobody_in() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let hash = Sha256::digest(session.token.expose());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for presented in [hex.clone(), format!("kiln_s_{hex}")] {
        assert_eq!(
            refusal(accounts.authenticate(&presented, None).await),
            refused(Code::Unauthenticated, "TOKEN_INVALID")
        );
    }
}
