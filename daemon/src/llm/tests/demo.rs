//! The demo model over its real socket.

use std::time::{Duration, Instant};

use futures::StreamExt;
use secrecy::ExposeSecret;

use super::mock::{Mock, Reply};
use super::{Outcome, collect, config, request};
use crate::domain::generation::{FailureReason, FinishReason, Usage};
use crate::llm::Chunk;
use crate::llm::client::{ChatRequest, Edge, Message};
use crate::llm::demo::{self, DemoEndpoint};

async fn edge(demo: DemoEndpoint) -> Edge {
    let mut config = config(&Mock::one(Reply::stream(""), 0).await);
    config.api_key = None;
    config.base_url_is_custom = false;
    Edge::new(&config, Some(demo)).unwrap()
}

pub(super) async fn ask_about(demo: DemoEndpoint, model: &str, messages: Vec<Message>) -> Outcome {
    let request = ChatRequest {
        model: model.to_owned(),
        messages,
        ..request()
    };
    collect(edge(demo).await.stream(request)).await
}

async fn ask(demo: DemoEndpoint, model: &str) -> Outcome {
    ask_about(demo, model, request().messages).await
}

#[tokio::test]
async fn it_answers_like_a_provider() {
    let (demo, task) = demo::start(0).await.unwrap();
    let outcome = ask(demo.clone(), "demo/kiln").await;
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.finish, Some(FinishReason::Stop));
    assert_eq!(outcome.models, ["demo/kiln"]);
    assert!(outcome.text.contains("<kiln-write path=\"src/App.tsx\">"));
    let tokens = i64::try_from(outcome.text.len().div_ceil(4)).unwrap();
    let expected = Usage {
        prompt_tokens: 3,
        completion_tokens: tokens,
        cost_micro_usd: Some(0),
        estimated: false,
    };
    assert_eq!(outcome.usage, [expected]);
    let again = ask(demo, "demo/kiln").await;
    assert_eq!(again.text, outcome.text, "deterministic");
    task.abort();
}

#[tokio::test]
async fn the_pace_does_not_change_the_answer() {
    let (at_once, _) = demo::start(0).await.unwrap();
    let (paced, _) = demo::start(20_000).await.unwrap();
    let expected = ask(at_once, "demo/kiln").await.text;
    let start = Instant::now();
    let text = ask(paced, "demo/kiln").await.text;
    let took = start.elapsed().as_secs_f64();
    assert_eq!(text, expected);
    let ideal = expected.chars().count() as f64 / 20_000.0;
    assert!(
        (ideal * 0.8..ideal * 1.5 + 2.0).contains(&took),
        "{took} s, ideal {ideal} s"
    );
}

#[tokio::test]
async fn other_programs_are_refused() {
    let (demo, _) = demo::start(0).await.unwrap();
    let stranger = DemoEndpoint {
        token: "guess".into(),
        ..demo.clone()
    };
    let outcome = ask(stranger, "demo/kiln").await;
    outcome.assert_failed(FailureReason::UpstreamKeyInvalid, 0);
    assert!(demo.address.ip().is_loopback());
    assert!(!format!("{demo:?}").contains(demo.token.expose_secret()));
}

#[tokio::test]
async fn an_unknown_demo_model_is_not_found() {
    let (demo, _) = demo::start(0).await.unwrap();
    let outcome = ask(demo, "demo/other").await;
    outcome.assert_failed(FailureReason::ModelNotFound, 0);
}

#[tokio::test]
async fn it_lists_its_models() {
    let (demo, _) = demo::start(0).await.unwrap();
    let url = format!("http://{}/models", demo.address);
    drop(edge(demo.clone()).await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client
        .get(&url)
        .bearer_auth(demo.token.expose_secret())
        .send()
        .await
        .unwrap();
    let list: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(list["data"][0]["id"], "demo/kiln");
    assert_eq!(list["data"][0]["name"], "Kiln (demo, canned answers)");
    let refused = client.get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn ending_the_task_ends_its_connections() {
    let (demo, task) = demo::start(10).await.unwrap();
    let edge = edge(demo).await;
    let request = ChatRequest {
        model: "demo/kiln".to_owned(),
        ..request()
    };
    let mut stream = edge.stream(request);
    loop {
        let item = stream.next().await.unwrap();
        if matches!(item.unwrap(), Chunk::Text(_)) {
            break;
        }
    }
    task.abort();
    let outcome = tokio::time::timeout(Duration::from_secs(5), collect(stream))
        .await
        .unwrap();
    assert_eq!(
        outcome.error.unwrap().reason,
        FailureReason::UpstreamTruncated
    );
}
