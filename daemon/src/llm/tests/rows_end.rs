//! Rows 31 to 36: how a stream may end.

use std::time::Duration;

use super::mock::{Mock, Reply};
use super::{COMMENT, DONE, ask, collect, config, delta, edge, finish, hello, request, seeds};
use crate::domain::generation::{FailureReason, FinishReason};

#[tokio::test]
async fn row_31_an_error_in_the_stream() {
    let errors = [
        (
            r#"{"error":{"code":502,"message":"provider words"}}"#,
            "code 502",
        ),
        (
            r#"{"error":{"code":"502","message":"provider words"},"choices":[]}"#,
            "code 502",
        ),
        (
            r#"{"error":{"code":"server_error"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            "code server_error",
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"error","error":{"code":429}}]}"#,
            "code 429",
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            "no code",
        ),
        (r#"{"error":"provider words"}"#, "no code"),
        (r#"{"error":{"code":"Provider Words"}}"#, "no code"),
        (
            r#"{"error":{"code":null,"type":"overloaded_error"}}"#,
            "code overloaded_error",
        ),
    ];
    for seed in seeds() {
        for (error, code) in errors {
            let body = format!("{}data: {error}\n\n", delta("Hello"));
            let mock = Mock::one(Reply::stream(body), seed).await;
            let outcome = ask(&mock).await;
            let failed = outcome.assert_failed(FailureReason::UpstreamError, seed);
            assert!(failed.message.contains(code), "{error}: {}", failed.message);
            assert!(!failed.message.to_lowercase().contains("provider words"));
            assert_eq!(outcome.text, "Hello", "seed {seed}: partial text is kept");
            assert_eq!(outcome.usage.len(), 1, "seed {seed}: and counted");
            assert_eq!(
                mock.seen().len(),
                1,
                "seed {seed}: not tried again after a token"
            );
        }
    }
}

#[tokio::test]
async fn row_32_an_error_as_the_first_event_is_tried_again() {
    use FailureReason as R;
    let cases = [
        (r#"{"error":{"code":502}}"#, R::UpstreamUnavailable, 3),
        (r#"{"error":{"code":429}}"#, R::UpstreamRateLimited, 3),
        (r#"{"error":{"code":"server_error"}}"#, R::UpstreamError, 3),
        (r#"{"error":{"code":401}}"#, R::UpstreamKeyInvalid, 1),
        (r#"{"error":{"code":402}}"#, R::NoCredits, 1),
        (r#"{"error":{"code":400}}"#, R::BadRequest, 1),
    ];
    for seed in seeds() {
        for (error, reason, tries) in cases {
            let as_event = Reply::stream(format!("{COMMENT}data: {error}\n\n"));
            let as_body = Reply::new("200 OK", "content-type: application/json\r\n").then(error);
            for reply in [as_event, as_body] {
                let mock = Mock::one(reply.clone(), seed).await;
                ask(&mock).await.assert_failed(reason, seed);
                assert_eq!(mock.seen().len(), tries, "seed {seed}: {error}");
                if tries > 1 {
                    let good = Reply::stream(hello());
                    let mock = Mock::start(vec![reply.clone(), reply, good], seed).await;
                    let outcome = ask(&mock).await;
                    outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
                }
            }
        }
    }
}

#[tokio::test]
async fn row_33_the_end_without_a_finish_reason() {
    for seed in seeds() {
        let half_a_chunk = delta("world")[..30].to_owned();
        for rest in [
            String::new(),
            half_a_chunk,
            "data: ".to_owned(),
            COMMENT.to_owned(),
        ] {
            let body = format!("{}{rest}", delta("Hello"));
            let mock = Mock::one(Reply::stream(body), seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_failed(FailureReason::UpstreamTruncated, seed);
            assert_eq!(outcome.text, "Hello", "seed {seed}");
            assert_eq!(mock.seen().len(), 1, "seed {seed}");
        }
        // A body that breaks off in the middle of its framing.
        let headers = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n";
        let part = delta("Hello");
        let framed = format!("{:x}\r\n{part}\r\n", part.len());
        let mock = Mock::one(Reply::new("200 OK", headers).then(framed), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_failed(FailureReason::UpstreamTruncated, seed);
        assert_eq!(outcome.text, "Hello", "seed {seed}");
    }
}

#[tokio::test]
async fn row_33_a_stream_of_nothing_is_tried_again() {
    let mock = Mock::start(vec![Reply::stream(""), Reply::stream(hello())], 0).await;
    let outcome = ask(&mock).await;
    outcome.assert_finished("Hello, world", FinishReason::Stop, 0);
    let mock = Mock::one(Reply::stream(COMMENT), 0).await;
    let outcome = ask(&mock).await;
    outcome.assert_failed(FailureReason::UpstreamTruncated, 0);
    assert_eq!(mock.seen().len(), 3);
}

#[tokio::test]
async fn a_finish_reason_without_done_is_an_end() {
    for seed in seeds() {
        let body = format!("{}{}", delta("Hello"), finish("stop"));
        // With and without the last line end.
        for body in [body.trim_end().to_owned(), body] {
            let mock = Mock::one(Reply::stream(body), seed).await;
            ask(&mock)
                .await
                .assert_finished("Hello", FinishReason::Stop, seed);
        }
    }
}

#[tokio::test]
async fn row_34_done_without_a_finish_reason() {
    for seed in seeds() {
        for done in [DONE, "data: [DONE]", "data:[DONE]\n"] {
            let mock = Mock::one(Reply::stream(delta("Hello") + done), seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_finished("Hello", FinishReason::Unknown, seed);
        }
    }
}

#[tokio::test]
async fn row_35_nothing_counts_after_done() {
    for seed in seeds() {
        let reply = Reply::stream(hello() + &delta("more") + "data: nonsense\n\n").hold();
        let mut mock = Mock::one(reply, seed).await;
        let outcome = ask(&mock).await;
        let end = tokio::time::Instant::now();
        outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
        let closed_after = mock.closed().await.saturating_duration_since(end);
        assert!(
            closed_after < Duration::from_secs(1),
            "seed {seed}: {closed_after:?}"
        );
    }
}

#[tokio::test]
async fn row_36_finish_reasons() {
    let cases = [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("tool_calls", FinishReason::Unknown),
    ];
    for seed in seeds() {
        for (reason, expected) in cases {
            let body = delta("Hello") + &finish(reason) + DONE;
            let mock = Mock::one(Reply::stream(body), seed).await;
            ask(&mock).await.assert_finished("Hello", expected, seed);
        }
    }
}

#[tokio::test]
async fn a_plain_local_server_works() {
    // As llama-cpp-python answers: CRLF, pings, a role alone, no usage.
    let chunk = |choice: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"model\":\"/models/smol.gguf\",\"created\":1,\"object\":\"chat.completion.chunk\",\"choices\":[{choice}]}}\r\n\r\n"
        )
    };
    let body = [
        chunk(r#"{"index":0,"delta":{"role":"assistant"},"logprobs":null,"finish_reason":null}"#),
        ": ping - 2026-01-05 10:00:00.000000\r\n\r\n".to_owned(),
        chunk(r#"{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}"#),
        chunk(r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#),
        "data: [DONE]\r\n\r\n".to_owned(),
    ];
    for seed in seeds() {
        let mock = Mock::one(Reply::stream(body.concat()), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("Hi", FinishReason::Stop, seed);
        assert_eq!(outcome.models, ["/models/smol.gguf"]);
        assert_eq!(outcome.usage[0].cost_micro_usd, None);
        assert!(outcome.usage[0].estimated);
    }
}

#[tokio::test]
async fn thinking_is_not_text_but_counts_as_a_token() {
    let thinking =
        r#"data: {"choices":[{"delta":{"content":"","reasoning":"hm","reasoning_details":[{}]}}]}"#;
    let reply = Reply::stream(format!("{thinking}\n\n")).hold();
    let mock = Mock::one(reply, 1).await;
    let mut config = config(&mock);
    config.first_token_timeout = Duration::from_millis(1000);
    config.idle_timeout = Duration::from_millis(1500);
    let outcome = collect(edge(&config).stream(request())).await;
    let error = outcome.error.unwrap();
    assert_eq!(error.reason, FailureReason::UpstreamIdle);
    assert!(error.after_first_token);
    assert_eq!(outcome.text, "");
}

#[tokio::test]
async fn nul_in_a_text_is_replaced() {
    let mock = Mock::one(Reply::stream(delta("a\0b") + &finish("stop")), 0).await;
    let outcome = ask(&mock).await;
    outcome.assert_finished("a\u{fffd}b", FinishReason::Stop, 0);
}
