//! Who may not choose and what will not do: refused with a reason, and nothing
//! changes.

use std::os::unix::fs::PermissionsExt;

use kiln_proto::v1;
use tonic::Code;
use v1::ProviderSource;

use super::{KEY, assert_refused, get, kept, set, to, to_demo, unset};
use crate::support::model::Model;

#[tokio::test]
async fn who_may_not_and_what_will_not_do_is_refused_and_changes_nothing() {
    let provider = Model::start().await;
    let (kiln, owner) = unset().await;
    set(&owner, to(&provider.url, KEY)).await.unwrap();
    let before = (get(&owner).await, std::fs::read(kept(&kiln)).unwrap());

    let member = owner.member().await;
    let view = get(&member).await;
    assert_eq!(view.source(), ProviderSource::Unspecified);
    assert!(!view.can_change);
    assert_eq!(view.provider, before.0.provider);
    for request in [to(&provider.url, ""), to_demo()] {
        let refused = set(&member, request).await;
        assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    }
    let token = owner
        .accounts()
        .create_api_token(v1::CreateApiTokenRequest {
            name: "all".into(),
            scopes: vec![v1::ApiTokenScope::Admin.into()],
            ..v1::CreateApiTokenRequest::default()
        })
        .await
        .unwrap();
    let script = owner.with_token(&token.into_inner().token);
    assert!(!get(&script).await.can_change);
    let refused = set(&script, to_demo()).await;
    assert_refused(refused, Code::PermissionDenied, "SESSION_REQUIRED");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/v1", nobody.local_addr().unwrap());
    drop(nobody);
    // Kiln's own API: it is on loopback, and no model.
    let own = format!("http://{}", kiln.daemon().tcp);
    for (request, code, reason) in [
        (
            to("http://models.example/v1", KEY),
            Code::InvalidArgument,
            "PROVIDER_URL_REFUSED",
        ),
        (
            to("https://models.example/v1", KEY),
            Code::InvalidArgument,
            "PROVIDER_URL_REFUSED",
        ),
        (
            to("http://169.254.169.254/v1", ""),
            Code::InvalidArgument,
            "PROVIDER_URL_REFUSED",
        ),
        (to("", ""), Code::InvalidArgument, "FIELD_INVALID"),
        (
            to("", "sk-or with space"),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            v1::SetProviderRequest {
                demo_only: true,
                ..to("", KEY)
            },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (to(&gone, KEY), Code::Unavailable, "PROVIDER_UNREACHABLE"),
        (to(&own, KEY), Code::Unavailable, "PROVIDER_UNREACHABLE"),
    ] {
        assert_refused(set(&owner, request).await, code, reason);
    }
    let refusing = Model::start().await;
    for (status, code, reason) in [
        (401, Code::FailedPrecondition, "PROVIDER_KEY_REFUSED"),
        (404, Code::FailedPrecondition, "PROVIDER_PROTOCOL"),
        (503, Code::Unavailable, "PROVIDER_UNREACHABLE"),
    ] {
        refusing.lists_nothing_but(status);
        let refused = set(&owner, to(&refusing.url, KEY)).await;
        assert_refused(refused, code, reason);
    }

    let after = (get(&owner).await, std::fs::read(kept(&kiln)).unwrap());
    assert_eq!(after, before);
    assert!(!kiln.daemon().log().contains(KEY));
}

#[tokio::test]
async fn a_kept_choice_that_others_can_read_ends_the_start() {
    let provider = Model::start().await;
    let (mut kiln, owner) = unset().await;
    set(&owner, to(&provider.url, KEY)).await.unwrap();
    kiln.terminate().await;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(kept(&kiln), open).unwrap();
    let ran = kiln.run_kilnd(&["serve"]).await.ended(2);
    assert!(ran.stderr.contains("permissions 0644"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(KEY), "{}", ran.stderr);

    // And purge takes it away with everything else.
    kiln.run_kilnd(&["purge"]).await.ended(0);
    assert!(!kept(&kiln).exists());
}
