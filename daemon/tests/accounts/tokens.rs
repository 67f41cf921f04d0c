//! API tokens: what they may do, how they end, and that retries make no second.

use futures::future::join_all;
use kiln_daemon::app::accounts::NewApiToken;
use kiln_daemon::domain::account::Scope;
use kiln_daemon::domain::error::Error;
use kiln_proto::v1::{
    ApiToken, ApiTokenScope, CreateApiTokenRequest, CreateInviteRequest, GetCurrentUserRequest,
    ListApiTokensRequest, RevokeApiTokenRequest, SignOutRequest,
};
use tonic::Code;
use tonic_types::StatusExt;

use super::support::{
    TestDatabase, TestServer, accounts, bytes_of, local_owner, member, refusal, refused, settings,
    with_token,
};

fn named(name: &str) -> CreateApiTokenRequest {
    CreateApiTokenRequest {
        name: name.into(),
        ..CreateApiTokenRequest::default()
    }
}

fn new(request_id: Option<&str>) -> NewApiToken {
    NewApiToken {
        name: "ci".into(),
        scopes: vec![Scope::Read],
        valid_days: 1,
        request_id: request_id.map(Into::into),
    }
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let (mut auth, _) = with_token(server.tcp().await, session.token.expose());

    let made = auth
        .create_api_token(named("ci"))
        .await
        .unwrap()
        .into_inner();
    let described = made.api_token.unwrap();
    assert!(made.token.starts_with("kiln_k_"));
    assert_eq!(described.name, "ci");
    use ApiTokenScope as S;
    assert_eq!(
        described.scopes,
        [S::Read, S::Generate, S::Sandbox].map(i32::from)
    );
    let lasts = described.expire_time.unwrap().seconds - described.create_time.unwrap().seconds;
    assert_eq!(lasts, 90 * 86_400);
    assert_eq!(described.last_use_time, None);

    let (mut by_token, mut teams) = with_token(server.tcp().await, &made.token);
    by_token
        .get_current_user(GetCurrentUserRequest {})
        .await
        .unwrap();
    let status = teams
        .create_invite(CreateInviteRequest::default())
        .await
        .unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(info.reason, "SCOPE_REQUIRED");
    assert_eq!(info.metadata["scope"], "admin");

    // A token that cannot even read.
    let generate = CreateApiTokenRequest {
        scopes: vec![S::Generate.into()],
        ..named("generate")
    };
    let made = auth.create_api_token(generate).await.unwrap().into_inner();
    let (mut by_token, _) = with_token(server.tcp().await, &made.token);
    assert_eq!(
        refusal(by_token.get_current_user(GetCurrentUserRequest {}).await),
        refused(Code::PermissionDenied, "SCOPE_REQUIRED")
    );

    // One that may do everything, but make credentials and end sessions.
    let admin = CreateApiTokenRequest {
        scopes: vec![S::Admin.into(), S::Admin.into()],
        ..named("admin")
    };
    let made = auth.create_api_token(admin).await.unwrap().into_inner();
    assert_eq!(made.api_token.unwrap().scopes, [i32::from(S::Admin)]);
    let (mut by_token, mut teams) = with_token(server.tcp().await, &made.token);
    teams
        .create_invite(CreateInviteRequest::default())
        .await
        .unwrap();
    let session_required = refused(Code::PermissionDenied, "SESSION_REQUIRED");
    assert_eq!(
        refusal(by_token.create_api_token(named("more")).await),
        session_required
    );
    assert_eq!(
        refusal(by_token.sign_out(SignOutRequest {}).await),
        session_required
    );
}

#[tokio::test]
async fn making_a_token_needs_a_sign_in_of_the_last_ten_minutes() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = local_owner(&accounts).await;
    database
        .execute("update sessions set created_at = now() - interval '9 minutes 30 seconds'")
        .await;
    accounts.create_api_token(&caller, new(None)).await.unwrap();
    database
        .execute("update sessions set created_at = now() - interval '10 minutes 1 second'")
        .await;
    assert_eq!(
        refusal(accounts.create_api_token(&caller, new(None)).await),
        refused(Code::FailedPrecondition, "FRESH_SIGN_IN_REQUIRED")
    );
    accounts.sign_out(&caller).await.unwrap();
    let over = accounts.create_api_token(&caller, new(None)).await;
    assert!(matches!(over, Err(Error::SessionExpired)), "{over:?}");
}

#[tokio::test]
async fn a_user_has_twenty_tokens_at_most_however_fast_they_ask() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = local_owner(&accounts).await;
    let answers = join_all((0..25).map(|_| accounts.create_api_token(&caller, new(None)))).await;
    let (made, over): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), over.len()), (20, 5));
    for answer in over {
        assert_eq!(
            refusal(answer),
            refused(Code::ResourceExhausted, "LIMIT_REACHED")
        );
    }
    // A refused call takes no request id; a revoked token makes room.
    let late = accounts.create_api_token(&caller, new(Some("late"))).await;
    assert!(matches!(late, Err(Error::LimitReached { limit: 20 })));
    let (_, first) = made.into_iter().next().unwrap().unwrap();
    accounts.revoke_api_token(&caller, first.id).await.unwrap();
    accounts
        .create_api_token(&caller, new(Some("late")))
        .await
        .unwrap();
}

/// Row 67, for calls whose answer is a secret.
#[tokio::test]
async fn a_repeat_makes_no_second_token_and_shows_no_secret() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = local_owner(&accounts).await;
    let (_, ann) = member(&accounts, "ann@example.com").await;
    let reused = refused(Code::AlreadyExists, "REQUEST_ID_REUSED");
    let tries =
        join_all((0..4).map(|_| accounts.create_api_token(&caller, new(Some("one"))))).await;
    let (made, repeats): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for repeat in repeats {
        assert_eq!(refusal(repeat), reused);
    }
    assert_eq!(database.count("select count(*) from api_tokens").await, 1);
    // Ids are an account's own, and are kept for a day.
    accounts
        .create_api_token(&ann, new(Some("one")))
        .await
        .unwrap();
    database
        .execute("update request_ids set created_at = now() - interval '23 hours'")
        .await;
    let repeat = accounts.create_api_token(&caller, new(Some("one"))).await;
    assert_eq!(refusal(repeat), reused);
    database
        .execute("update request_ids set created_at = now() - interval '24 hours 1 second'")
        .await;
    accounts
        .create_api_token(&caller, new(Some("one")))
        .await
        .unwrap();
}

#[tokio::test]
async fn tokens_are_listed_newest_first_page_by_page() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, caller) = local_owner(&accounts).await;
    let (_, ann) = member(&accounts, "ann@example.com").await;
    let mut names = Vec::new();
    for number in 0..5 {
        let name = format!("token {number}");
        let new = NewApiToken {
            name: name.clone(),
            ..new(None)
        };
        accounts.create_api_token(&caller, new).await.unwrap();
        names.insert(0, name);
    }
    // The same moment for some of them: the id decides.
    database
        .execute("update api_tokens set created_at = now() where name in ('token 3', 'token 4')")
        .await;
    accounts.create_api_token(&ann, new(None)).await.unwrap();

    let server = TestServer::start(accounts.clone()).await;
    let (mut auth, _) = with_token(server.tcp().await, session.token.expose());
    let mut listed: Vec<ApiToken> = Vec::new();
    let mut request = ListApiTokensRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let mut sizes = Vec::new();
    loop {
        let page = auth
            .list_api_tokens(request.clone())
            .await
            .unwrap()
            .into_inner();
        sizes.push(page.api_tokens.len());
        listed.extend(page.api_tokens);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    let listed: Vec<String> = listed.into_iter().map(|token| token.name).collect();
    assert_eq!(listed, names);

    // Row 73.
    for (page_size, page_token, reason) in [
        (-1, "", "FIELD_INVALID"),
        (0, "nonsense", "PAGE_TOKEN_INVALID"),
    ] {
        let request = ListApiTokensRequest {
            page_size,
            page_token: page_token.into(),
        };
        assert_eq!(
            refusal(auth.list_api_tokens(request).await),
            refused(Code::InvalidArgument, reason)
        );
    }
    // A position in one user's list is none in another's.
    let first = ListApiTokensRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let mine = auth.list_api_tokens(first).await.unwrap().into_inner();
    let ann = accounts
        .sign_in(
            "ann@example.com",
            super::support::PASSWORD,
            super::support::peer(1),
        )
        .await
        .unwrap();
    let (mut auth, _) = with_token(server.tcp().await, ann.token.expose());
    let theirs = ListApiTokensRequest {
        page_size: 2,
        page_token: mine.next_page_token,
    };
    assert_eq!(
        refusal(auth.list_api_tokens(theirs).await),
        refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_and_only_its_user_can_revoke_it() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, caller) = local_owner(&accounts).await;
    let (ann, _) = member(&accounts, "ann@example.com").await;
    let (token, described) = accounts.create_api_token(&caller, new(None)).await.unwrap();
    let server = TestServer::start(accounts.clone()).await;
    let revoke = |id: String| RevokeApiTokenRequest { api_token_id: id };

    let (mut by_ann, _) = with_token(server.tcp().await, ann.token.expose());
    let foreign = by_ann
        .revoke_api_token(revoke(described.id.to_string()))
        .await;
    let unknown = by_ann
        .revoke_api_token(revoke(uuid::Uuid::now_v7().to_string()))
        .await;
    let (foreign, unknown) = (foreign.unwrap_err(), unknown.unwrap_err());
    assert_eq!(foreign.code(), Code::NotFound);
    // Metadata too, but for the date, which is not there.
    assert_eq!(
        format!("{:?}", foreign.metadata()),
        format!("{:?}", unknown.metadata())
    );
    assert_eq!(bytes_of::<()>(Err(foreign)), bytes_of::<()>(Err(unknown)));
    assert_eq!(
        refusal(by_ann.revoke_api_token(revoke("x".into())).await),
        refused(Code::InvalidArgument, "ID_INVALID")
    );

    let by_token = accounts.authenticate(token.expose(), None).await.unwrap();
    accounts.recheck(&by_token).await.unwrap();
    let (mut by_owner, _) = with_token(server.tcp().await, session.token.expose());
    for _ in 0..2 {
        by_owner
            .revoke_api_token(revoke(described.id.to_string()))
            .await
            .unwrap();
        assert_eq!(
            refusal(accounts.authenticate(token.expose(), None).await),
            refused(Code::Unauthenticated, "SESSION_EXPIRED")
        );
    }
    let over = accounts.recheck(&by_token).await;
    assert!(matches!(over, Err(Error::SessionExpired)));
    let left = accounts.list_api_tokens(&caller, None, 10).await.unwrap();
    assert_eq!(left, []);
    let revoked = "select count(*) from audit_entries where action = 'api_token_revoke'";
    assert_eq!(database.count(revoked).await, 1);
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute_and_a_token_ends_on_time() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = local_owner(&accounts).await;
    let (token, _) = accounts.create_api_token(&caller, new(None)).await.unwrap();
    let last_use =
        async || accounts.list_api_tokens(&caller, None, 1).await.unwrap()[0].last_used_at;
    let used = async || accounts.authenticate(token.expose(), None).await;
    assert_eq!(last_use().await, None);
    used().await.unwrap();
    let first = last_use().await.expect("written at the first use");
    used().await.unwrap();
    assert_eq!(last_use().await, Some(first));
    database
        .execute("update api_tokens set last_used_at = last_used_at - interval '61 seconds'")
        .await;
    used().await.unwrap();
    assert!(last_use().await.is_some_and(|second| second > first));

    database
        .execute("update api_tokens set expires_at = now() - interval '1 second'")
        .await;
    assert_eq!(
        refusal(used().await),
        refused(Code::Unauthenticated, "SESSION_EXPIRED")
    );
}

#[tokio::test]
async fn tokens_keep_their_bounds() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let server = TestServer::start(accounts).await;
    let (mut auth, _) = with_token(server.tcp().await, session.token.expose());
    let request = CreateApiTokenRequest {
        name: String::new(),
        scopes: vec![9],
        valid_days: 366,
        request_id: "a\nb".into(),
    };
    let status = auth.create_api_token(request).await.unwrap_err();
    let fields: Vec<(String, String)> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| (violation.field, violation.reason))
        .collect();
    let expected = [
        ("name", "NAME_INVALID"),
        ("scopes", "FIELD_INVALID"),
        ("valid_days", "FIELD_INVALID"),
        ("request_id", "REQUEST_ID_INVALID"),
    ]
    .map(|(field, reason)| (field.to_owned(), reason.to_owned()));
    assert_eq!(fields, expected);
}
