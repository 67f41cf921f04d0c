//! Dropping an answer stops the spending.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use super::mock::{Mock, Reply};
use super::{config, delta, edge, request};
use crate::domain::generation::Usage;
use crate::llm::Chunk;

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let mut mock = Mock::one(Reply::stream(delta("Hello")).hold(), 1).await;
    let mut stream = edge(&config(&mock)).stream(request());
    let first = stream.next().await;
    assert_eq!(first, Some(Ok(Chunk::Text("Hello".to_owned()))));
    let expected = Usage {
        prompt_tokens: 3,
        completion_tokens: 2,
        cost_micro_usd: None,
        estimated: true,
    };
    assert_eq!(stream.usage_so_far(), expected);
    let dropped = Instant::now();
    drop(stream);
    let took = mock.closed().await - dropped;
    assert!(took <= Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn dropping_the_stream_before_the_answer_closes_the_connection() {
    let mut mock = Mock::one(Reply::raw("").hold(), 1).await;
    let mut stream = edge(&config(&mock)).stream(request());
    let waiting = tokio::time::timeout(Duration::from_millis(100), stream.next()).await;
    assert!(waiting.is_err());
    assert_eq!(mock.seen().len(), 1);
    let dropped = Instant::now();
    drop(stream);
    let took = mock.closed().await - dropped;
    assert!(took <= Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn nothing_is_asked_before_the_stream_is_polled() {
    let mock = Mock::one(Reply::stream(""), 1).await;
    let stream = edge(&config(&mock)).stream(request());
    assert_eq!(
        stream.usage_so_far(),
        Usage {
            estimated: true,
            ..Usage::default()
        }
    );
    drop(stream);
    assert!(mock.seen().is_empty());
}
