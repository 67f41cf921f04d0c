//! Rows 21 to 36: what may come in a stream.

use std::time::Duration;

use super::mock::{Mock, Reply};
use super::{DONE, ask, collect, config, delta, edge, finish, hello, request, seeds, seeds_up_to};
use crate::domain::generation::{FailureReason, FinishReason, Usage};

const COMMENT: &str = ": OPENROUTER PROCESSING\n\n";

#[tokio::test]
async fn row_21_comments_are_ignored() {
    for seed in seeds() {
        let body = format!("{}{}", COMMENT.repeat(1000), hello());
        let mock = Mock::one(Reply::stream(body), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
    }
}

#[tokio::test]
async fn row_21_comments_do_not_keep_the_first_token_timer_alive() {
    let reply = Reply::stream("").repeat(COMMENT, Duration::from_millis(20), 500);
    let mut config = config(&Mock::one(reply.clone(), 0).await);
    let mock = Mock::one(reply, 0).await;
    config.base_url = format!("http://{}", mock.address);
    config.first_token_timeout = Duration::from_millis(200);
    config.idle_timeout = Duration::from_millis(150);
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_failed(FailureReason::UpstreamFirstTokenTimeout, 0);
    assert_eq!(mock.seen().len(), 1, "not tried again");
}

#[tokio::test]
async fn row_21_comments_keep_the_idle_timer_alive() {
    let reply = Reply::stream(delta("Hello, "))
        .repeat(COMMENT, Duration::from_millis(50), 20)
        .then(format!("{}{}{DONE}", delta("world"), finish("stop")));
    let mock = Mock::one(reply, 3).await;
    let mut config = config(&mock);
    config.idle_timeout = Duration::from_millis(500);
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_finished("Hello, world", FinishReason::Stop, 3);
}

#[tokio::test]
async fn row_22_every_line_end() {
    for seed in seeds() {
        for end in ["\r\n", "\r", "\n"] {
            let mock = Mock::one(Reply::stream(hello().replace('\n', end)), seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
        }
        let mixed = format!(
            "{}{}{}",
            delta("Hello, ").replace('\n', "\r\n"),
            delta("world").replace('\n', "\r"),
            finish("stop").replace("\n\n", "\r\n\r") + DONE
        );
        let mock = Mock::one(Reply::stream(mixed), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
        // CR and LF never come together.
        let reply = hello()
            .split_inclusive('\n')
            .fold(Reply::stream(""), |r, line| {
                r.then(line.replace('\n', "\r")).then("\n")
            });
        let mock = Mock::one(reply, seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
    }
}

#[tokio::test]
async fn row_23_a_byte_order_mark_is_stripped_once() {
    for seed in seeds() {
        let body = format!("\u{feff}{}", hello().replace("Hello", "\u{feff}Hello"));
        let mock = Mock::one(Reply::stream(body), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("\u{feff}Hello, world", FinishReason::Stop, seed);
        // The second one makes the field's name unknown, so the line is nothing.
        let body = format!("\u{feff}\u{feff}{}", hello());
        let mock = Mock::one(Reply::stream(body), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("world", FinishReason::Stop, seed);
    }
}

#[tokio::test]
async fn row_24_an_emoji_split_byte_by_byte() {
    for seed in seeds() {
        let reply = delta("🦀")
            .bytes()
            .fold(Reply::stream(""), |r, b| r.then([b]));
        let reply = reply.then(finish("stop")).then(DONE);
        let mock = Mock::one(reply, seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("🦀", FinishReason::Stop, seed);
    }
}

#[tokio::test]
async fn row_25_invalid_utf_8_is_replaced() {
    for seed in seeds() {
        let mut body = delta("a#b").into_bytes();
        let at = body.iter().position(|byte| *byte == b'#').unwrap();
        body[at] = 0xff;
        body.extend(finish("stop").bytes());
        let mock = Mock::one(Reply::stream(body.clone()), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("a\u{fffd}b", FinishReason::Stop, seed);

        let mut outside = body;
        outside[6] = 0xff;
        let mock = Mock::one(Reply::stream(outside), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_failed(FailureReason::UpstreamBadChunk, seed);
    }
}

#[tokio::test]
async fn row_26_no_space_and_two_data_lines() {
    for seed in seeds() {
        let body = hello().replace("data: ", "data:");
        let body = body.replace("{\"choices\"", "{\ndata:\"choices\"");
        let mock = Mock::one(Reply::stream(body), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_finished("Hello, world", FinishReason::Stop, seed);
    }
}

#[tokio::test]
async fn row_27_a_line_or_an_event_over_a_mebibyte() {
    for seed in seeds_up_to(4) {
        let endless = "x".repeat((1 << 20) + 1);
        let many_lines = format!("data: {}\n", "x".repeat(1000)).repeat(1100);
        for too_long in [format!("data: {endless}"), endless, many_lines] {
            let reply = Reply::stream(delta("Hello")).then(too_long).hold();
            let mut mock = Mock::one(reply, seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_failed(FailureReason::UpstreamLineTooLong, seed);
            assert_eq!(outcome.text, "Hello", "seed {seed}");
            mock.closed().await;
        }
    }
}

#[tokio::test]
async fn row_28_a_text_over_eight_mebibytes() {
    let part = "x".repeat(1_000_000);
    let reply = Reply::stream(delta(&part).repeat(10)).hold();
    for seed in seeds_up_to(2) {
        let mut mock = Mock::one(reply.clone(), seed).await;
        let outcome = ask(&mock).await;
        outcome.assert_failed(FailureReason::OutputTooLarge, seed);
        assert_eq!(
            outcome.text.len(),
            8_000_000,
            "seed {seed}: the text before it is kept"
        );
        mock.closed().await;
    }
}

#[tokio::test]
async fn row_29_data_that_is_not_json() {
    let bad = [
        "nonsense",
        "{\"choices\":[{\"delta\":{\"content\":\"x\"}",
        "[]",
        "12",
        "\"text\"",
        "{\"choices\":[{\"delta\":{\"content\":7}}]}",
        "<html>",
    ];
    for seed in seeds() {
        for bad in bad {
            let body = format!("{}data: {bad}\n\n{}", delta("Hello"), hello());
            let mock = Mock::one(Reply::stream(body), seed).await;
            let outcome = ask(&mock).await;
            let error = outcome.assert_failed(FailureReason::UpstreamBadChunk, seed);
            assert!(!error.message.contains(bad), "{bad}");
            assert_eq!(outcome.text, "Hello", "seed {seed}: nothing is skipped");
            assert_eq!(mock.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn row_30_usage_without_choices() {
    let cases = [
        (
            r#"{"prompt_tokens":12,"completion_tokens":34,"cost":0.0012345}"#,
            Some(1235),
        ),
        (
            r#"{"prompt_tokens":12,"completion_tokens":34,"cost":0}"#,
            Some(0),
        ),
        (
            r#"{"prompt_tokens":12.0,"completion_tokens":"34","cost":"0.5"}"#,
            Some(500_000),
        ),
        (r#"{"prompt_tokens":12,"completion_tokens":34}"#, None),
        (
            r#"{"prompt_tokens":12,"completion_tokens":34,"cost":null}"#,
            None,
        ),
        (
            r#"{"prompt_tokens":12,"completion_tokens":34,"cost":-1}"#,
            None,
        ),
    ];
    for seed in seeds() {
        for (usage, cost) in cases {
            let last = format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n");
            let body = format!("{}{}{last}{DONE}", delta("Hello"), finish("stop"));
            let mock = Mock::one(Reply::stream(body), seed).await;
            let outcome = ask(&mock).await;
            outcome.assert_finished("Hello", FinishReason::Stop, seed);
            let expected = Usage {
                prompt_tokens: 12,
                completion_tokens: 34,
                cost_micro_usd: cost,
                estimated: false,
            };
            assert_eq!(outcome.usage, [expected], "seed {seed}: {usage}");
        }
    }
}

#[tokio::test]
async fn no_usage_is_estimated_and_its_cost_stays_unknown() {
    for usage in [
        "null",
        "{}",
        "{\"prompt_tokens\":\"many\",\"completion_tokens\":1}",
    ] {
        let body = format!("data: {{\"usage\":{usage}}}\n\n{}", hello());
        let mock = Mock::one(Reply::stream(body), 0).await;
        let outcome = ask(&mock).await;
        let expected = Usage {
            prompt_tokens: 3,
            completion_tokens: 3,
            cost_micro_usd: None,
            estimated: true,
        };
        assert_eq!(outcome.usage, [expected], "{usage}");
    }
}

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
    config.first_token_timeout = Duration::from_millis(300);
    config.idle_timeout = Duration::from_millis(600);
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
