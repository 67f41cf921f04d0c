//! How long a credential lasts, by the database's clock.

use kiln_daemon::domain::account::{Caller, Credential};
use kiln_daemon::domain::error::Error;
use time::{Duration, OffsetDateTime};
use tonic::Code;

use super::support::{
    TestDatabase, accounts, bytes_of, local_owner, member, refusal, refused, settings,
};

fn is_about(at: OffsetDateTime, from_now: Duration) -> bool {
    (at - (OffsetDateTime::now_utc() + from_now)).abs() < Duration::minutes(5)
}

#[tokio::test]
async fn a_session_lasts_seven_days_and_not_a_second_more() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    assert!(is_about(session.expires_at, Duration::days(7)));
    database
        .execute("update sessions set expires_at = now() + interval '1 minute'")
        .await;
    let token = session.token.expose();
    assert!(accounts.authenticate(token, None).await.is_ok());
    database
        .execute("update sessions set expires_at = now() - interval '1 second'")
        .await;
    assert_eq!(
        refusal(accounts.authenticate(token, None).await),
        refused(Code::Unauthenticated, "SESSION_EXPIRED")
    );
}

#[tokio::test]
async fn use_extends_a_session_at_most_once_a_day() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let token = session.token.expose();
    // Used 23 hours after it was last extended: nothing is written.
    database
        .execute(
            "update sessions set created_at = created_at - interval '3 days',
                expires_at = now() + interval '4 days', extended_at = now() - interval '23 hours'",
        )
        .await;
    let caller = accounts.authenticate(token, None).await.unwrap();
    assert!(is_about(caller.expires_at, Duration::days(4)));
    // Used 25 hours after: seven days from now.
    database
        .execute("update sessions set extended_at = now() - interval '25 hours'")
        .await;
    let caller = accounts.authenticate(token, None).await.unwrap();
    assert!(is_about(caller.expires_at, Duration::days(7)));
    let again = accounts.authenticate(token, None).await.unwrap();
    assert_eq!(again.expires_at, caller.expires_at);
}

#[tokio::test]
async fn no_session_outlives_thirty_days() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    database
        .execute(
            "update sessions set created_at = now() - interval '28 days',
                extended_at = now() - interval '2 days'",
        )
        .await;
    let caller = accounts
        .authenticate(session.token.expose(), None)
        .await
        .unwrap();
    assert!(is_about(caller.expires_at, Duration::days(2)));
}

/// Row 4: ended by time, by its user, by the switch, or never there: all alike.
#[tokio::test]
async fn however_a_credential_ended_the_answer_is_the_same() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (signed_out, caller) = local_owner(&accounts).await;
    accounts.sign_out(&caller).await.unwrap();
    let (expired, _) = local_owner(&accounts).await;
    database
        .execute("update sessions set expires_at = now() - interval '1 second'")
        .await;
    let (disabled, _) = member(&accounts, "ann@example.com").await;
    database
        .execute("update users set disabled = true where email is not null")
        .await;
    let never = kiln_daemon::domain::credential::Token::from_entropy(
        kiln_daemon::domain::credential::SecretKind::Session,
        [7; 32],
    );
    let mut seen = Vec::new();
    for token in [&signed_out.token, &expired.token, &disabled.token, &never] {
        seen.push(bytes_of(accounts.authenticate(token.expose(), None).await));
    }
    assert_eq!(seen[0].0, Code::Unauthenticated);
    for other in &seen {
        assert_eq!(other, &seen[0]);
    }
}

#[tokio::test]
async fn an_open_stream_learns_that_its_credential_is_over() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, caller) = local_owner(&accounts).await;
    let (_, ann) = member(&accounts, "ann@example.com").await;
    accounts.recheck(&caller).await.unwrap();
    accounts.sign_out(&caller).await.unwrap();
    let over = |answer: Result<(), Error>| matches!(answer, Err(Error::SessionExpired));
    assert!(over(accounts.recheck(&caller).await));

    accounts.recheck(&ann).await.unwrap();
    database
        .execute("update users set disabled = true where email is not null")
        .await;
    assert!(over(accounts.recheck(&ann).await));
}

#[tokio::test]
async fn what_ended_is_pruned_and_nothing_else() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (_, old) = local_owner(&accounts).await;
    let Credential::Session { id, .. } = old.credential else {
        panic!("it signed in");
    };
    sqlx::query("update sessions set expires_at = now() - interval '1 second' where id = $1")
        .bind(id.uuid())
        .execute(&database.pool)
        .await
        .unwrap();
    let (session, caller): (_, Caller) = local_owner(&accounts).await;
    assert_eq!(accounts.prune().await.unwrap(), 1);
    let again = accounts.authenticate(session.token.expose(), None).await;
    assert_eq!(again.unwrap(), caller);
    assert_eq!(accounts.prune().await.unwrap(), 0);
}
