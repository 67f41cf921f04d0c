//! Limits on tries, at their defaults unless a test says otherwise.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use kiln_daemon::app::accounts::{Accounts, SignUpForm, Throttles, WindowLimit};
use kiln_daemon::domain::account::Peer;
use kiln_daemon::domain::credential::{SecretKind, Token};
use kiln_daemon::domain::error::Error;
use kiln_daemon::password::Passwords;
use tonic::Code;

use super::support::{
    PASSWORD, TestDatabase, accounts, bytes_of, invite, local_owner, member, peer, refusal,
    refused, retry_after, settings,
};

fn throttled() -> super::support::Refused {
    refused(Code::ResourceExhausted, "THROTTLED")
}

/// T4: from a thousand addresses, so that only the account's own limit counts.
#[tokio::test]
async fn of_a_thousand_tries_at_most_ten_reach_the_hash_and_a_restart_forgets_nothing() {
    let database = TestDatabase::new().await;
    let settings = settings();
    member(&accounts(&database, settings.clone()), "ann@example.com").await;
    let passwords = Passwords::default();
    let accounts = Accounts::new(database.pool.clone(), passwords.clone(), settings.clone());
    let tries = futures::stream::iter(0..1_000u32).map(|number| {
        let accounts = accounts.clone();
        async move {
            accounts
                .sign_in("ann@example.com", "a wrong guess", peer(number))
                .await
        }
    });
    let answers: Vec<_> = tries.buffer_unordered(16).collect().await;
    let throttled = |answer: &&Result<_, _>| matches!(answer, Err(Error::Throttled { .. }));
    assert_eq!(answers.iter().filter(throttled).count(), 995);
    assert!((1..=5).contains(&passwords.runs()), "{}", passwords.runs());

    // A new process, and the right password: the answer is that of a wrong one.
    let restarted = Accounts::new(database.pool.clone(), passwords.clone(), settings);
    let right = restarted
        .sign_in("ann@example.com", PASSWORD, peer(5_000))
        .await;
    assert!(retry_after(right) <= Duration::from_secs(60));
    assert!(passwords.runs() <= 5, "{}", passwords.runs());
}

#[tokio::test]
async fn delays_double_up_to_fifteen_minutes_and_success_ends_them() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = member(&accounts, "ann@example.com").await;
    let try_with =
        async |password: &str| accounts.sign_in("ann@example.com", password, peer(2)).await;
    for _ in 0..4 {
        assert!(matches!(
            try_with("wrong").await,
            Err(Error::BadCredentials)
        ));
    }
    for minutes in [1, 2, 4, 8, 15, 15] {
        assert!(matches!(
            try_with("wrong").await,
            Err(Error::BadCredentials)
        ));
        let left = retry_after(try_with(PASSWORD).await).as_secs_f64();
        let expected = f64::from(minutes) * 60.0;
        assert!(
            (expected - 30.0..=expected).contains(&left),
            "{minutes}: {left}"
        );
        // Somebody at work is not locked out.
        let working = accounts.authenticate(session.token.expose(), None).await;
        assert!(working.is_ok());
        // Until just after the delay has passed.
        sqlx::query(
            "update throttles set window_start = window_start - make_interval(secs => $1),
                blocked_until = blocked_until - make_interval(secs => $1)
            where bucket = 'sign_in_account'",
        )
        .bind(expected)
        .execute(&database.pool)
        .await
        .unwrap();
    }
    try_with(PASSWORD).await.unwrap();
    // Five free ones again.
    for _ in 0..5 {
        assert!(matches!(
            try_with("wrong").await,
            Err(Error::BadCredentials)
        ));
    }
    assert!(matches!(
        try_with("wrong").await,
        Err(Error::Throttled { .. })
    ));
}

#[tokio::test]
async fn failures_are_forgotten_after_a_quiet_window() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let wrong = async || accounts.sign_in("ann@example.com", "wrong", peer(2)).await;
    for _ in 0..5 {
        assert!(matches!(wrong().await, Err(Error::BadCredentials)));
    }
    database
        .execute(
            "update throttles set window_start = now() - interval '17 minutes',
                blocked_until = now() - interval '15 minutes' where bucket = 'sign_in_account'",
        )
        .await;
    for _ in 0..5 {
        assert!(matches!(wrong().await, Err(Error::BadCredentials)));
    }
    assert!(matches!(wrong().await, Err(Error::Throttled { .. })));
}

#[tokio::test]
async fn an_unknown_address_is_throttled_like_a_known_one() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    member(&accounts, "ann@example.com").await;
    for _ in 0..5 {
        let known = accounts.sign_in("ann@example.com", "wrong", peer(2)).await;
        let unknown = accounts
            .sign_in("nobody@example.com", "wrong", peer(2))
            .await;
        assert_eq!(bytes_of(known), bytes_of(unknown));
    }
    for email in ["ann@example.com", "nobody@example.com"] {
        let answer = accounts.sign_in(email, PASSWORD, peer(2)).await;
        assert_eq!(refusal(answer), throttled());
    }
}

#[tokio::test]
async fn one_address_has_twenty_tries_and_can_then_lock_nobody() {
    let database = TestDatabase::new().await;
    let passwords = Passwords::default();
    let mut settings = settings();
    settings.throttles = Throttles {
        sign_in_origin: Throttles::default().sign_in_origin,
        ..settings.throttles
    };
    let accounts = Accounts::new(database.pool.clone(), passwords.clone(), settings);
    let v6 = |host: u16| Peer::Tcp(SocketAddr::from(([0x2001, 0xdb8, 1, 2, 3, 4, 5, host], 1)));
    for number in 0..20 {
        let email = format!("user{number}@example.com");
        let answer = accounts.sign_in(&email, "wrong", v6(number)).await;
        assert!(matches!(answer, Err(Error::BadCredentials)));
    }
    for _ in 0..10 {
        let answer = accounts.sign_in("ann@example.com", "wrong", v6(99)).await;
        assert!(retry_after(answer) <= Duration::from_secs(15 * 60));
    }
    assert_eq!(passwords.runs(), 20);
    // Ten more tries at one account would have locked it for everybody.
    let elsewhere = accounts.sign_in("ann@example.com", "wrong", peer(3)).await;
    assert!(matches!(elsewhere, Err(Error::BadCredentials)));
    // A right password does not give an address new tries.
    member(&accounts, "bob@example.com").await;
    let right = accounts.sign_in("bob@example.com", PASSWORD, v6(1)).await;
    assert_eq!(refusal(right), throttled());
    let later = "update throttles set window_start = window_start - interval '15 minutes'
        where bucket = 'sign_in_origin'";
    database.execute(later).await;
    accounts
        .sign_in("bob@example.com", PASSWORD, v6(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn everybody_together_has_a_limit_too() {
    let database = TestDatabase::new().await;
    let mut settings = settings();
    settings.throttles.sign_in_global = WindowLimit::new(3, 600);
    let accounts = accounts(&database, settings);
    for number in 0..3 {
        let email = format!("user{number}@example.com");
        let answer = accounts.sign_in(&email, "wrong", peer(number)).await;
        assert!(matches!(answer, Err(Error::BadCredentials)));
    }
    let answer = accounts
        .sign_in("user3@example.com", "wrong", peer(3))
        .await;
    assert_eq!(refusal(answer), throttled());
}

/// Estimating a password costs more than a query, so bad forms are bounded too.
#[tokio::test]
async fn one_address_has_its_forms_read_thirty_times() {
    let database = TestDatabase::new().await;
    let mut settings = settings();
    settings.throttles.sign_up_form_origin = Throttles::default().sign_up_form_origin;
    let accounts = accounts(&database, settings);
    let invite = invite(&accounts).await;
    for number in 0..31 {
        let form = SignUpForm {
            email: "no address",
            password: "short",
            display_name: "",
            invite: &invite,
        };
        let answer = accounts.sign_up(form, peer(1)).await;
        if number < 30 {
            assert!(matches!(answer, Err(Error::Invalid(_))));
        } else {
            assert_eq!(refusal(answer), throttled());
        }
    }
}

#[tokio::test]
async fn one_address_makes_three_accounts_an_hour() {
    let database = TestDatabase::new().await;
    let passwords = Passwords::default();
    let mut settings = settings();
    let defaults = Throttles::default();
    settings.throttles.sign_up_origin = defaults.sign_up_origin;
    settings.throttles.sign_up_origin_day = defaults.sign_up_origin_day;
    let accounts = Accounts::new(database.pool.clone(), passwords.clone(), settings);
    for number in 0..4 {
        let email = format!("user{number}@example.com");
        let invite = invite(&accounts).await;
        let form = SignUpForm {
            email: &email,
            password: PASSWORD,
            display_name: "",
            invite: &invite,
        };
        let answer = accounts.sign_up(form, peer(1)).await;
        if number < 3 {
            answer.unwrap();
        } else {
            assert!(retry_after(answer) <= Duration::from_secs(60 * 60));
        }
    }
    assert_eq!(passwords.runs(), 3);
}

#[tokio::test]
async fn an_address_that_guesses_credentials_is_told_to_wait_but_real_ones_pass() {
    let database = TestDatabase::new().await;
    let accounts = accounts(&database, settings());
    let (session, _) = local_owner(&accounts).await;
    let origin = Some(peer(1).origin());
    for number in 0..61u8 {
        let guess = Token::from_entropy(SecretKind::Session, [number; 32]);
        let answer = accounts.authenticate(guess.expose(), origin).await;
        if number < 60 {
            assert!(matches!(answer, Err(Error::SessionExpired)));
        } else {
            assert!(retry_after(answer) <= Duration::from_secs(60));
        }
    }
    assert!(
        accounts
            .authenticate(session.token.expose(), origin)
            .await
            .is_ok()
    );
}

/// T6: more sign-ins at once than may hash. Those that do not get a place in
/// time are told so; none fails in another way.
#[tokio::test]
async fn a_flood_of_sign_ins_is_hashed_two_at_a_time_and_the_rest_refused() {
    let database = TestDatabase::new().await;
    let passwords = Passwords::default();
    let accounts = Accounts::new(database.pool.clone(), passwords.clone(), settings());
    let tries = (0..200).map(|number| {
        let accounts = accounts.clone();
        async move {
            let email = format!("user{number}@example.com");
            accounts.sign_in(&email, "wrong", peer(number)).await
        }
    });
    let answers = futures::future::join_all(tries).await;
    let (mut wrong, mut overloaded) = (0, 0);
    for answer in answers {
        match answer {
            Err(Error::BadCredentials) => wrong += 1,
            Err(Error::Overloaded) => overloaded += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wrong + overloaded, 200);
    assert!(wrong > 0 && overloaded > 0, "{wrong} {overloaded}");
    assert_eq!(passwords.runs(), wrong, "who was refused was not hashed");
}
