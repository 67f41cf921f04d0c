//! Making accounts: with an invite, with the code of a new server, or openly.

use futures::future::join_all;
use kiln_daemon::app::accounts::{Accounts, Bootstrap, NewInvite, SignUpForm, StartedSession};
use kiln_daemon::config::SignUp;
use kiln_daemon::domain::account::{Caller, TeamRole};
use kiln_daemon::domain::error::{Error, Result};
use kiln_daemon::domain::id::TeamId;
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use kiln_proto::v1::{CreateInviteRequest, SignUpRequest, TeamRole as RoleMessage};
use tonic::Code;
use tonic_types::StatusExt;

use super::support::{
    PASSWORD, TestDatabase, TestServer, accounts, bytes_of, invite, local_owner, member, peer,
    refusal, refused, settings, with_token,
};

async fn sign_up(accounts: &Accounts, email: &str, invite: &str) -> Result<StartedSession> {
    let form = SignUpForm {
        email,
        password: PASSWORD,
        display_name: "",
        invite,
    };
    accounts.sign_up(form, peer(1)).await
}

fn to_team(team_id: Option<TeamId>, role: TeamRole) -> NewInvite {
    NewInvite {
        team_id,
        role,
        valid_days: 7,
        request_id: None,
    }
}

/// A team that is nobody's own, owned by a caller.
async fn shared_team(database: &TestDatabase, owner: &Caller) -> TeamId {
    let id = uuid::Uuid::now_v7();
    sqlx::query("insert into teams (id, name) values ($1, 'bakers')")
        .bind(id)
        .execute(&database.pool)
        .await
        .unwrap();
    sqlx::query("insert into team_members (team_id, user_id, role) values ($1, $2, 'owner')")
        .bind(id)
        .bind(owner.user_id.uuid())
        .execute(&database.pool)
        .await
        .unwrap();
    id.into()
}

#[tokio::test]
async fn an_invite_makes_one_account_over_the_api() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let (_, mut teams) = with_token(server.tcp().await, session.token.expose());
    let made = teams.create_invite(CreateInviteRequest::default()).await;
    let made = made.unwrap().into_inner();
    let days = (made.expire_time.unwrap().seconds
        - time::OffsetDateTime::now_utc().unix_timestamp())
    .div_euclid(86_400);
    assert!((6..=7).contains(&days), "{days}");

    let mut auth = AuthServiceClient::new(server.tcp().await);
    let mut form = SignUpRequest {
        email: "Ann@example.com".into(),
        password: PASSWORD.into(),
        display_name: "Ann of the ovens".into(),
        invite: made.invite,
    };
    let answer = auth.sign_up(form.clone()).await.unwrap().into_inner();
    let user = answer.user.unwrap();
    assert_eq!(user.email, "ann@example.com");
    assert_eq!(user.display_name, "Ann of the ovens");
    assert!(!user.owner);
    form.email = "bob@example.com".into();
    assert_eq!(
        refusal(auth.sign_up(form).await),
        refused(Code::PermissionDenied, "INVITE_INVALID")
    );
}

#[tokio::test]
async fn an_invite_to_a_team_makes_a_member_and_one_to_a_personal_team_does_not() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, owner) = local_owner(&accounts).await;
    let team_id = shared_team(&database, &owner).await;
    let (code, _) = accounts
        .create_invite(&owner, to_team(Some(team_id), TeamRole::Viewer))
        .await
        .unwrap();
    let ann = sign_up(&accounts, "ann@example.com", code.expose())
        .await
        .unwrap();
    let (bob, _) = member(&accounts, "bob@example.com").await;
    let memberships = async |user: &StartedSession| -> Vec<(uuid::Uuid, String)> {
        sqlx::query_as(
            "select team_id, role from team_members where user_id = $1 order by created_at, role",
        )
        .bind(user.user.id.uuid())
        .fetch_all(&database.pool)
        .await
        .unwrap()
    };
    let own = |session: &StartedSession| (session.user.personal_team_id.uuid(), "owner".to_owned());
    assert_eq!(
        memberships(&ann).await,
        [own(&ann), (team_id.uuid(), "viewer".to_owned())]
    );
    assert_eq!(memberships(&bob).await, [own(&bob)]);
}

#[tokio::test]
async fn owners_invite_members_may_not_and_to_others_the_team_does_not_exist() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, owner) = local_owner(&accounts).await;
    let team_id = shared_team(&database, &owner).await;
    let (code, _) = accounts
        .create_invite(&owner, to_team(Some(team_id), TeamRole::Editor))
        .await
        .unwrap();
    let ann = sign_up(&accounts, "ann@example.com", code.expose())
        .await
        .unwrap();
    let ann = accounts
        .authenticate(ann.token.expose(), None)
        .await
        .unwrap();
    let (_, bob) = member(&accounts, "bob@example.com").await;
    let invite = |caller: Caller, team_id: TeamId| {
        let accounts = accounts.clone();
        async move {
            accounts
                .create_invite(&caller, to_team(Some(team_id), TeamRole::Editor))
                .await
        }
    };
    assert_eq!(
        refusal(invite(ann, team_id).await),
        refused(Code::PermissionDenied, "ROLE_REQUIRED")
    );
    let foreign = bytes_of(invite(bob.clone(), team_id).await);
    let unknown = bytes_of(invite(bob, uuid::Uuid::now_v7().into()).await);
    assert_eq!(foreign.0, Code::NotFound);
    assert_eq!(foreign, unknown);
}

#[tokio::test]
async fn of_many_sign_ups_with_one_invite_one_succeeds() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let invite = invite(&accounts).await;
    let emails: Vec<String> = (0..8).map(|n| format!("user{n}@example.com")).collect();
    let answers = join_all(
        emails
            .iter()
            .map(|email| sign_up(&accounts, email, &invite)),
    )
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for answer in refused {
        assert!(matches!(answer, Err(Error::InviteInvalid)), "{answer:?}");
    }
    let users = "select count(*) from users where email is not null";
    assert_eq!(database.count(users).await, 1);
}

/// Row 10: without an invite nothing is learned about an address.
#[tokio::test]
async fn the_invite_is_looked_at_before_anything_else() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    member(&accounts, "ann@example.com").await;
    let used = {
        let code = invite(&accounts).await;
        sign_up(&accounts, "bob@example.com", &code).await.unwrap();
        code
    };
    let ended = invite(&accounts).await;
    database
        .execute(
            "update invites set expires_at = now() - interval '1 second' where used_at is null",
        )
        .await;
    let (session, _) = local_owner(&accounts).await;
    let mut seen = Vec::new();
    for code in ["", "garbage", &used, &ended, session.token.expose()] {
        for email in ["ann@example.com", "new@example.com", "no address"] {
            seen.push(bytes_of(sign_up(&accounts, email, code).await));
        }
    }
    assert_eq!(seen[0].0, Code::PermissionDenied);
    for other in &seen {
        assert_eq!(other, &seen[0]);
    }

    let good = invite(&accounts).await;
    assert_eq!(
        refusal(sign_up(&accounts, "ANN@example.com", &good).await),
        refused(Code::AlreadyExists, "EMAIL_TAKEN")
    );
    // It was not used up by that.
    sign_up(&accounts, "new@example.com", &good).await.unwrap();
}

/// Rows 11 and 12.
#[tokio::test]
async fn all_that_is_wrong_with_a_form_is_said_at_once() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let code = invite(&accounts).await;
    let server = TestServer::start(accounts).await;
    let mut auth = AuthServiceClient::new(server.tcp().await);
    let mut reasons = async |email: &str, password: &str, display_name: &str| {
        let form = SignUpRequest {
            email: email.into(),
            password: password.into(),
            display_name: display_name.into(),
            invite: code.clone(),
        };
        let status = auth.sign_up(form).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let first = status.get_details_error_info().unwrap().reason;
        let all: Vec<String> = status
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .into_iter()
            .map(|violation| violation.reason)
            .collect();
        assert_eq!(first, all[0]);
        all
    };
    let ok = "ann@example.com";
    assert_eq!(reasons(ok, "eleven char", "").await, ["PASSWORD_TOO_SHORT"]);
    assert_eq!(
        reasons(ok, &"Zq7 ".repeat(33), "").await,
        ["PASSWORD_TOO_LONG"]
    );
    assert_eq!(reasons(ok, "password1234", "").await, ["PASSWORD_COMMON"]);
    assert_eq!(
        reasons(ok, "ANN@example.com", "").await,
        ["PASSWORD_COMMON"]
    );
    assert_eq!(
        reasons("a\r\n@example.com", "short", "a\u{1b}[2J").await,
        ["EMAIL_INVALID", "PASSWORD_TOO_SHORT", "NAME_INVALID"]
    );
    let counted = "select count(*) from throttles where bucket = 'sign_up_origin'";
    assert_eq!(database.count(counted).await, 0);
}

#[tokio::test]
async fn an_open_server_needs_no_invite_and_a_closed_one_takes_none() {
    let database = TestDatabase::new().await;
    let mut open = settings();
    open.sign_up = SignUp::Open;
    let open = accounts(&database, open);
    sign_up(&open, "ann@example.com", "").await.unwrap();
    let wrong = sign_up(&open, "bob@example.com", "kiln_i_typo").await;
    assert_eq!(
        refusal(wrong),
        refused(Code::PermissionDenied, "INVITE_INVALID")
    );
    let code = invite(&open).await;

    let mut closed = settings();
    closed.sign_up = SignUp::Closed;
    let closed = accounts(&database, closed);
    for code in ["", "garbage", &code] {
        assert_eq!(
            refusal(sign_up(&closed, "bob@example.com", code).await),
            refused(Code::PermissionDenied, "SIGN_UP_CLOSED")
        );
    }
}

#[tokio::test]
async fn the_code_of_a_new_server_makes_its_first_owner_and_no_second() {
    let database = TestDatabase::new().await;
    let mut closed = settings();
    closed.sign_up = SignUp::Closed;
    let accounts = accounts(&database, closed);
    let Ok(Bootstrap::New(code)) = accounts.ensure_bootstrap_code(None).await else {
        panic!("a new server has none");
    };
    let kept = format!("{}\n", code.expose());
    let kept = accounts.ensure_bootstrap_code(Some(&kept)).await;
    assert!(matches!(kept, Ok(Bootstrap::Kept)), "{kept:?}");
    // Another daemon on this database, or a lost file: a code of its own.
    let Ok(Bootstrap::New(other)) = accounts.ensure_bootstrap_code(Some("gone")).await else {
        panic!("what was lost is made anew");
    };

    let (one, two) = tokio::join!(
        sign_up(&accounts, "ann@example.com", code.expose()),
        sign_up(&accounts, "bob@example.com", other.expose()),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let owner = one.or(two).unwrap();
    assert!(owner.user.is_owner);
    for code in [&code, &other] {
        assert_eq!(
            refusal(sign_up(&accounts, "eve@example.com", code.expose()).await),
            refused(Code::PermissionDenied, "SIGN_UP_CLOSED")
        );
    }
    let done = accounts.ensure_bootstrap_code(Some(code.expose())).await;
    assert!(matches!(done, Ok(Bootstrap::NotNeeded)), "{done:?}");
}

#[tokio::test]
async fn a_local_owner_ends_the_code() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let Ok(Bootstrap::New(code)) = accounts.ensure_bootstrap_code(None).await else {
        panic!("a new server has none");
    };
    local_owner(&accounts).await;
    assert_eq!(
        refusal(sign_up(&accounts, "eve@example.com", code.expose()).await),
        refused(Code::PermissionDenied, "INVITE_INVALID")
    );
}

#[tokio::test]
async fn invites_keep_their_bounds() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let (_, mut teams) = with_token(server.tcp().await, session.token.expose());
    for (request, reason) in [
        (
            CreateInviteRequest {
                team_id: "x".into(),
                ..CreateInviteRequest::default()
            },
            "ID_INVALID",
        ),
        (
            CreateInviteRequest {
                valid_days: 31,
                ..CreateInviteRequest::default()
            },
            "FIELD_INVALID",
        ),
        (
            CreateInviteRequest {
                role: 9,
                ..CreateInviteRequest::default()
            },
            "FIELD_INVALID",
        ),
        (
            CreateInviteRequest {
                request_id: "x".repeat(256),
                ..CreateInviteRequest::default()
            },
            "REQUEST_ID_INVALID",
        ),
    ] {
        assert_eq!(
            refusal(teams.create_invite(request).await),
            refused(Code::InvalidArgument, reason)
        );
    }
    let request = CreateInviteRequest {
        role: RoleMessage::Owner.into(),
        request_id: "once".into(),
        ..CreateInviteRequest::default()
    };
    teams.create_invite(request.clone()).await.unwrap();
    assert_eq!(
        refusal(teams.create_invite(request).await),
        refused(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    assert_eq!(database.count("select count(*) from invites").await, 1);
}
