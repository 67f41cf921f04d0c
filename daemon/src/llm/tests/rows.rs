//! Rows 21 to 30: what may come in a stream.

use std::time::Duration;

use super::mock::{Mock, Reply};
use super::{
    COMMENT, DONE, ask, collect, config, delta, edge, finish, hello, request, seeds, seeds_up_to,
};
use crate::domain::generation::{FailureReason, FinishReason, Usage};

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
    let mock = Mock::one(reply, 0).await;
    let mut config = config(&mock);
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
