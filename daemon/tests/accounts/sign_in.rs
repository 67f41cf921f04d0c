//! Signing in: by peer credentials, and by password.

use futures::future::join_all;
use kiln_daemon::domain::account::Peer;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use kiln_proto::v1::{GetCurrentUserRequest, SignInLocalRequest, SignInRequest, SignOutRequest};
use tonic::Code;

use super::support::{
    PASSWORD, TestDatabase, TestServer, accounts, bytes_of, local_peer, member, peer, refusal,
    refused, settings, with_token,
};

fn form(email: &str, password: &str) -> SignInRequest {
    SignInRequest {
        email: email.into(),
        password: password.into(),
    }
}

#[tokio::test]
async fn the_user_who_runs_the_daemon_is_its_owner_over_the_unix_socket_alone() {
    let database = TestDatabase::new().await;
    let server = TestServer::start(accounts(&database, settings())).await;
    let mut unix = AuthServiceClient::new(server.unix().await);
    let first = unix
        .sign_in_local(SignInLocalRequest {})
        .await
        .unwrap()
        .into_inner();
    let user = first.user.unwrap();
    assert!(user.owner);
    assert_eq!(user.email, "");
    assert!(!user.display_name.is_empty());
    assert!(!user.personal_team_id.is_empty());

    let again = unix.sign_in_local(SignInLocalRequest {}).await.unwrap();
    let again = again.into_inner();
    assert_eq!(again.user.unwrap(), user);
    let tokens = [first.session.unwrap().token, again.session.unwrap().token];
    assert_ne!(tokens[0], tokens[1]);
    for token in &tokens {
        let (mut auth, _) = with_token(server.tcp().await, token);
        let answer = auth.get_current_user(GetCurrentUserRequest {}).await;
        assert_eq!(answer.unwrap().into_inner().user.unwrap(), user);
    }

    let mut tcp = AuthServiceClient::new(server.tcp().await);
    assert_eq!(
        refusal(tcp.sign_in_local(SignInLocalRequest {}).await),
        refused(Code::PermissionDenied, "NOT_LOCAL_OWNER")
    );
}

#[tokio::test]
async fn another_user_of_the_machine_is_not_the_owner() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let Peer::Unix { uid, gid, pid } = local_peer() else {
        panic!("the local peer is on the unix socket");
    };
    let other = Peer::Unix {
        uid: uid + 1,
        gid,
        pid,
    };
    assert_eq!(
        refusal(accounts.sign_in_local(other).await),
        refused(Code::PermissionDenied, "NOT_LOCAL_OWNER")
    );
    assert_eq!(database.count("select count(*) from users").await, 0);

    accounts.sign_in_local(local_peer()).await.unwrap();
    database.execute("update users set disabled = true").await;
    assert_eq!(
        refusal(accounts.sign_in_local(local_peer()).await),
        refused(Code::PermissionDenied, "NOT_LOCAL_OWNER")
    );
}

#[tokio::test]
async fn many_first_sign_ins_make_one_local_owner() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let sessions = join_all((0..20).map(|_| accounts.sign_in_local(local_peer()))).await;
    let users: std::collections::BTreeSet<_> = sessions
        .into_iter()
        .map(|session| session.unwrap().user.id)
        .collect();
    assert_eq!(users.len(), 1);
    assert_eq!(database.count("select count(*) from users").await, 1);
    assert_eq!(database.count("select count(*) from teams").await, 1);
    assert_eq!(database.count("select count(*) from team_members").await, 1);
}

#[tokio::test]
async fn a_password_signs_in_whatever_the_case_of_the_address() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = member(&accounts, "Ann@Example.com").await;
    let server = TestServer::start(accounts).await;
    let mut auth = AuthServiceClient::new(server.tcp().await);
    let answer = auth.sign_in(form("ann@EXAMPLE.com", PASSWORD)).await;
    let answer = answer.unwrap().into_inner();
    let user = answer.user.unwrap();
    assert_eq!(user.id, caller.user_id.to_string());
    assert_eq!(user.email, "ann@example.com");
    assert_eq!(user.display_name, "ann");
    assert!(!user.owner);
    let token = answer.session.unwrap().token;
    let (mut auth, _) = with_token(server.tcp().await, &token);
    auth.sign_out(SignOutRequest {}).await.unwrap();
    assert_eq!(
        refusal(auth.sign_out(SignOutRequest {}).await),
        refused(Code::Unauthenticated, "SESSION_EXPIRED")
    );
}

/// Row 8: nothing tells an unknown address from a wrong password, an account
/// without password, or one that was switched off; each costs one hash.
#[tokio::test]
async fn every_failed_sign_in_looks_the_same_and_costs_the_same() {
    let database = TestDatabase::new().await;
    let passwords = kiln_daemon::password::Passwords::default();
    let accounts = kiln_daemon::app::accounts::Accounts::new(
        database.pool.clone(),
        passwords.clone(),
        settings(),
    );
    for name in ["ann", "bob", "cleo", "dan"] {
        member(&accounts, &format!("{name}@example.com")).await;
    }
    database
        .execute("update users set password_hash = null where email = 'bob@example.com'")
        .await;
    database
        .execute("update users set disabled = true where email = 'cleo@example.com'")
        .await;
    let long = "x".repeat(200);
    let tries = [
        ("nobody@example.com", PASSWORD),
        ("ann@example.com", "five warm ovens, no bread"),
        ("bob@example.com", PASSWORD),
        ("cleo@example.com", PASSWORD),
        ("dan@example.com", ""),
        ("dan@example.com", &long),
    ];
    let mut seen = Vec::new();
    for (email, password) in tries {
        let before = passwords.runs();
        let answer = accounts.sign_in(email, password, peer(2)).await;
        assert_eq!(passwords.runs() - before, 1, "{email}");
        seen.push(bytes_of(answer));
    }
    assert_eq!(seen[0].0, Code::Unauthenticated);
    assert_eq!(seen[0].1, "email or password is wrong");
    for other in &seen {
        assert_eq!(other, &seen[0]);
    }
    let failed = "select count(*) from audit_entries where action = 'sign_in_failed'";
    assert_eq!(database.count(failed).await, 6);
}

/// Row 11.
#[tokio::test]
async fn what_is_no_address_is_said_to_be_none() {
    let database = TestDatabase::new().await;
    let server = TestServer::start(accounts(&database, settings())).await;
    let mut auth = AuthServiceClient::new(server.tcp().await);
    let long = format!("{}@example.com", "a".repeat(250));
    for email in ["", "ann", "a\r\nb@example.com", "a\0@example.com", &long] {
        assert_eq!(
            refusal(auth.sign_in(form(email, PASSWORD)).await),
            refused(Code::InvalidArgument, "EMAIL_INVALID"),
            "{email:?}"
        );
    }
    assert_eq!(database.count("select count(*) from throttles").await, 0);
}

#[tokio::test]
async fn a_hash_with_old_parameters_is_replaced_at_the_next_sign_in() {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};

    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    member(&accounts, "ann@example.com").await;
    let params = Params::new(8_192, 1, 1, None).unwrap();
    let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(PASSWORD.as_bytes())
        .unwrap()
        .to_string();
    sqlx::query("update users set password_hash = $1 where email = 'ann@example.com'")
        .bind(&old)
        .execute(&database.pool)
        .await
        .unwrap();
    let current =
        "select count(*) from users where password_hash like '$argon2id$v=19$m=19456,t=2,p=1$%'";
    assert_eq!(database.count(current).await, 0);
    for _ in 0..2 {
        accounts
            .sign_in("ann@example.com", PASSWORD, peer(2))
            .await
            .unwrap();
        assert_eq!(database.count(current).await, 1);
    }
}
