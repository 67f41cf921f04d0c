//! Rows 37 to 40: what may come instead of a stream, or never.

use std::time::Duration;

use super::mock::{Mock, Reply, nobody};
use super::{KEY, ask, collect, config, delta, edge, hello, request, seeds};
use crate::domain::generation::{FailureReason, FinishReason};
use crate::llm::client::Edge;

#[tokio::test]
async fn row_37_statuses_that_are_final() {
    use FailureReason as R;
    let cases = [
        ("400 Bad Request", R::BadRequest),
        ("401 Unauthorized", R::UpstreamKeyInvalid),
        ("402 Payment Required", R::NoCredits),
        ("403 Forbidden", R::Moderated),
        ("404 Not Found", R::ModelNotFound),
        ("413 Payload Too Large", R::BadRequest),
        ("422 Unprocessable Entity", R::BadRequest),
    ];
    for seed in seeds() {
        for (status, reason) in cases {
            let mock = Mock::one(Reply::status(status), seed).await;
            let outcome = ask(&mock).await;
            let error = outcome.assert_failed(reason, seed);
            assert!(error.message.contains(&status[..3]), "{}", error.message);
            assert!(!error.message.contains("secret words"));
            assert_eq!(mock.seen().len(), 1, "seed {seed}: {status}: no retry");
            assert_eq!(outcome.usage, [], "seed {seed}: nothing was used");
        }
    }
}

#[tokio::test]
async fn row_38_statuses_that_are_tried_again() {
    use FailureReason as R;
    let cases = [
        ("408 Request Timeout", R::UpstreamUnavailable),
        ("429 Too Many Requests", R::UpstreamRateLimited),
        ("500 Internal Server Error", R::UpstreamUnavailable),
        ("502 Bad Gateway", R::UpstreamUnavailable),
        ("503 Service Unavailable", R::UpstreamUnavailable),
    ];
    for seed in seeds() {
        for (status, reason) in cases {
            let mock = Mock::one(Reply::status(status), seed).await;
            ask(&mock).await.assert_failed(reason, seed);
            assert_eq!(mock.seen().len(), 3, "seed {seed}: {status}: three tries");

            let good = Reply::stream(hello());
            let mock = Mock::start(vec![Reply::status(status), good], seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
        }
    }
}

#[tokio::test]
async fn row_38_waits_half_a_second_then_a_second() {
    let mock = Mock::one(Reply::status("503 Service Unavailable"), 0).await;
    let edge = Edge::new(&config(&mock), None).unwrap();
    let outcome = collect(edge.stream(request())).await;
    outcome.assert_failed(FailureReason::UpstreamUnavailable, 0);
    let seen = mock.seen();
    let waits = [seen[1].at - seen[0].at, seen[2].at - seen[1].at];
    for (wait, expected) in waits.into_iter().zip([0.5, 1.0]) {
        let wait = wait.as_secs_f64();
        assert!(
            (expected * 0.8..expected * 1.2 + 1.0).contains(&wait),
            "{wait}"
        );
    }
}

#[tokio::test]
async fn row_38_connection_refused() {
    let mock = Mock::one(Reply::stream(""), 0).await;
    let mut config = config(&mock);
    config.base_url = format!("http://{}", nobody().await);
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_failed(FailureReason::UpstreamUnavailable, 0);
}

#[tokio::test]
async fn row_38_connection_closed_without_an_answer() {
    let mock = Mock::one(Reply::raw(""), 0).await;
    ask(&mock)
        .await
        .assert_failed(FailureReason::UpstreamUnavailable, 0);
    assert_eq!(mock.seen().len(), 3);
}

#[tokio::test]
async fn row_38_retry_after_is_honoured() {
    let limited = |after: &str| {
        Reply::new(
            "429 Too Many Requests",
            &format!("retry-after: {after}\r\ncontent-length: 0\r\n"),
        )
    };
    let mock = Mock::start(vec![limited("1"), Reply::stream(hello())], 0).await;
    let outcome = ask(&mock).await;
    outcome.assert_finished("Hello, world", FinishReason::Stop, 0);
    let seen = mock.seen();
    let wait = seen[1].at - seen[0].at;
    assert!(wait >= Duration::from_secs(1), "{wait:?}");

    let mock = Mock::one(limited("31"), 0).await;
    let outcome = ask(&mock).await;
    let error = outcome.assert_failed(FailureReason::UpstreamRateLimited, 0);
    assert_eq!(error.retry_after, Some(Duration::from_secs(31)));
    assert_eq!(mock.seen().len(), 1, "no wait that long");

    let mock = Mock::one(limited("0"), 0).await;
    let outcome = ask(&mock).await;
    let error = outcome.assert_failed(FailureReason::UpstreamRateLimited, 0);
    assert_eq!(error.retry_after, Some(Duration::ZERO));
    assert_eq!(mock.seen().len(), 3);
}

#[tokio::test]
async fn row_39_something_else_than_a_stream() {
    let html = Reply::new("200 OK", "content-type: text/html; charset=utf-8\r\n").then("<html>");
    let json = Reply::new("200 OK", "content-type: application/json\r\n").then("{\"choices\":[]}");
    let packed = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
    let packed = Reply::new("200 OK", packed).then(hello());
    let empty = Reply::new("204 No Content", "");
    let no_http = Reply::raw("SSH-2.0-OpenSSH_9.2\r\n");
    for seed in seeds() {
        for reply in [&html, &json, &packed, &empty, &no_http] {
            let mock = Mock::one(reply.clone(), seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_failed(FailureReason::UpstreamProtocol, seed);
            assert_eq!(mock.seen().len(), 1, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn row_39_redirects_are_not_followed() {
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let elsewhere = Mock::one(Reply::stream(hello()), 0).await;
        let location = format!(
            "location: http://{}/v1/chat/completions\r\n",
            elsewhere.address
        );
        let mock = Mock::one(Reply::new(status, &location), 0).await;
        let outcome = ask(&mock).await;
        outcome.assert_failed(FailureReason::UpstreamProtocol, 0);
        assert_eq!(mock.seen().len(), 1);
        assert_eq!(
            mock.seen()[0].header("authorization"),
            Some(format!("Bearer {KEY}").as_str())
        );
        assert!(
            elsewhere.seen().is_empty(),
            "{status}: the key went elsewhere"
        );
    }
}

#[tokio::test]
async fn row_40_silence_after_a_token() {
    for seed in seeds() {
        let mut mock = Mock::one(Reply::stream(delta("Hello")).hold(), seed).await;
        let mut config = config(&mock);
        config.idle_timeout = Duration::from_millis(50);
        let outcome = collect(edge(&config).stream(request())).await;
        outcome.assert_failed(FailureReason::UpstreamIdle, seed);
        assert_eq!(outcome.text, "Hello", "seed {seed}");
        mock.closed().await;
    }
}

#[tokio::test]
async fn row_40_silence_before_a_token() {
    let with_head = Reply::stream("").hold();
    let with_role = Reply::stream(delta("")).hold();
    let without_head = Reply::raw("").hold();
    for seed in seeds() {
        for reply in [&with_head, &with_role, &without_head] {
            let mut mock = Mock::one(reply.clone(), seed).await;
            let mut config = config(&mock);
            config.first_token_timeout = Duration::from_millis(50);
            let outcome = collect(edge(&config).stream(request())).await;
            outcome.assert_failed(FailureReason::UpstreamFirstTokenTimeout, seed);
            assert_eq!(mock.seen().len(), 1, "seed {seed}");
            mock.closed().await;
        }
    }
}

#[tokio::test]
async fn the_ceiling_ends_a_stream_that_never_falls_silent() {
    let part = delta("x");
    let reply = Reply::stream("")
        .repeat(&part, Duration::from_millis(10), 1000)
        .hold();
    let mock = Mock::one(reply, 0).await;
    let mut config = config(&mock);
    config.ceiling = Duration::from_millis(300);
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_failed(FailureReason::TimeLimit, 0);
}

#[tokio::test]
async fn the_ceiling_ends_a_flood_of_comments() {
    let flood = ": x\n".repeat(20_000);
    let reply = Reply::stream("").repeat(&flood, Duration::ZERO, usize::MAX);
    let mock = Mock::one(reply, 0).await;
    let mut config = config(&mock);
    config.ceiling = Duration::from_millis(300);
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_failed(FailureReason::TimeLimit, 0);
}
