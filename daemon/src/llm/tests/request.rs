//! What a provider is sent, and what nobody is shown.

use super::mock::{Mock, Reply};
use super::{KEY, ask, collect, config, edge, hello, request};
use crate::domain::generation::{FailureReason, FinishReason};
use crate::llm::client::{ChatRequest, Edge};
use crate::llm::endpoint::EdgeError;

#[tokio::test]
async fn a_plain_server_is_sent_what_all_understand() {
    let mock = Mock::one(Reply::stream(hello()), 0).await;
    let request = ChatRequest {
        fallbacks: vec!["other".to_owned()],
        ..request()
    };
    collect(edge(&config(&mock)).stream(request)).await;
    let seen = &mock.seen()[0];
    assert!(
        seen.head
            .starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(
        seen.body,
        serde_json::json!({
            "model": "test/model",
            "messages": [{ "role": "user", "content": "a todo list" }],
            "max_tokens": 1000,
            "stream": true,
            "stream_options": { "include_usage": true },
        })
    );
    let bearer = format!("Bearer {KEY}");
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("accept", "text/event-stream"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("x-title", "Kiln"),
        ("http-referer", "https://kiln.localhost"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn openrouter_is_sent_fallbacks_and_asked_for_the_cost() {
    let mock = Mock::one(Reply::stream(hello()), 0).await;
    let mut config = config(&mock);
    config.base_url_is_custom = false;
    let edge = edge(&config);
    collect(edge.stream(request())).await;
    let with_fallback = ChatRequest {
        fallbacks: vec!["other/model".to_owned()],
        ..request()
    };
    collect(edge.stream(with_fallback)).await;
    let seen = mock.seen();
    assert_eq!(seen[0].body["usage"]["include"], true);
    assert_eq!(seen[0].body.get("models"), None);
    assert_eq!(
        seen[1].body["models"],
        serde_json::json!(["test/model", "other/model"])
    );
}

#[tokio::test]
async fn a_server_may_need_no_key() {
    let mock = Mock::one(Reply::stream(hello()), 0).await;
    let mut config = config(&mock);
    config.api_key = None;
    config.base_url.push('/');
    let outcome = collect(edge(&config).stream(request())).await;
    outcome.assert_finished("Hello, world", FinishReason::Stop, 0);
    assert_eq!(mock.seen()[0].header("authorization"), None);
    assert!(
        mock.seen()[0]
            .head
            .starts_with("POST /v1/chat/completions ")
    );
}

#[tokio::test]
async fn the_key_is_in_no_debug_output() {
    let mock = Mock::one(Reply::status("401 Unauthorized"), 0).await;
    let config = config(&mock);
    let edge = edge(&config);
    let stream = edge.stream(request());
    let shown = format!("{edge:?} {stream:?} {config:?}");
    assert!(!shown.contains(KEY), "{shown}");
    let error = ask(&mock).await.error.unwrap();
    assert!(!format!("{error} {error:?}").contains(KEY));
}

#[tokio::test]
async fn what_no_endpoint_serves_fails_at_once() {
    let mock = Mock::one(Reply::stream(hello()), 0).await;
    let request = ChatRequest {
        model: "demo/kiln".to_owned(),
        ..request()
    };
    let outcome = collect(edge(&config(&mock)).stream(request)).await;
    outcome.assert_failed(FailureReason::ModelNotFound, 0);
    assert!(mock.seen().is_empty());
}

#[tokio::test]
async fn useless_configurations_are_refused() {
    let mock = Mock::one(Reply::stream(""), 0).await;
    for base_url in [
        "",
        "openrouter.ai",
        "ftp://host/v1",
        "http://",
        "http://user:pass@host/v1",
        "http://host/v1?key=x",
    ] {
        let mut config = config(&mock);
        config.base_url = base_url.to_owned();
        let refused = Edge::new(&config, None).err();
        assert!(matches!(refused, Some(EdgeError::BaseUrl)), "{base_url}");
    }
    let mut config = config(&mock);
    config.api_key = Some("a\nb".into());
    assert!(matches!(Edge::new(&config, None), Err(EdgeError::Key)));
}
