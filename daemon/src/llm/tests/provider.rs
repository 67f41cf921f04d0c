//! Which providers may be chosen, what they are asked, and changing from one to
//! another.

use std::time::{Duration, Instant};

use futures::StreamExt;

use super::mock::{Mock, Reply, nobody};
use super::{COMMENT, KEY, collect, config, delta, hello, request};
use crate::config::{ModelConfig, OPENROUTER_URL};
use crate::domain::error::FieldRule;
use crate::domain::generation::FailureReason;
use crate::llm::endpoint::{Dialect, Endpoint};
use crate::llm::local::{self, LocalServer};
use crate::llm::upstream::list;
use crate::llm::{Chunk, Switch, Unfit, Upstream};

const TWO: &str = r#"{"object":"list","data":[{"id":"b/two"},{"id":"a/one"}]}"#;

fn json(body: &str) -> Reply {
    Reply::new("200 OK", "content-type: application/json\r\n").then(body)
}

fn endpoint(mock: &Mock, key: Option<&str>, dialect: Dialect) -> Endpoint {
    let base_url = format!("http://{}/v1", mock.address);
    Endpoint::new(&base_url, key.map(Into::into), dialect).unwrap()
}

/// Nothing is configured; two models, say.
fn unset(mock: &Mock) -> ModelConfig {
    ModelConfig {
        base_url_is_custom: false,
        api_key: None,
        ..config(mock)
    }
}

fn paths(mock: &Mock) -> Vec<String> {
    let line = |head: &str| head.lines().next().unwrap().to_owned();
    mock.seen().iter().map(|seen| line(&seen.head)).collect()
}

#[test]
fn only_openrouter_and_this_machine_may_be_chosen() {
    let choose = |base_url: &str| Upstream::choose(base_url, KEY.into());
    for (given, kept) in [
        ("", OPENROUTER_URL),
        ("https://openrouter.ai/api/v1", OPENROUTER_URL),
        ("https://openrouter.ai/api/v1/", OPENROUTER_URL),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        (" http://localhost:1234/api ", "http://localhost:1234/api"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("http://127.9.9.9/v1", "http://127.9.9.9/v1"),
    ] {
        assert_eq!(choose(given).unwrap().base_url(), kept, "{given}");
    }
    for refused in [
        "https://models.example/v1",
        "http://models.example/v1",
        "https://openrouter.ai.evil.example/api/v1",
        "https://openrouter.ai@evil.example/api/v1",
        "http://openrouter.ai/api/v1",
        "https://openrouter.ai/api/v1/../../elsewhere",
        "http://169.254.169.254/latest",
        "http://10.0.0.1:8080/v1",
        "http://0.0.0.0:8080/v1",
        "http://[::]:8080/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://127.0.0.1@10.0.0.1/v1",
        "http://user:secret@127.0.0.1/v1",
        "http://localhost.evil.example/v1",
        "http://localhost./v1",
        "http://127.0.0.1:0/v1",
        "http://127.0.0.1:8080/v1?x=1",
        "http://127.0.0.1:8080/v1#x",
        "https://127.0.0.1:8080/v1",
        "unix:/var/run/docker.sock",
        "file:///etc/passwd",
        "127.0.0.1:8080",
        &format!("http://127.0.0.1/{}", "a".repeat(500)),
    ] {
        let violations = choose(refused).expect_err(refused);
        assert_eq!(violations.len(), 1, "{refused}");
        assert_eq!(violations[0].rule, FieldRule::ProviderUrl, "{refused}");
        assert!(violations[0].message.contains("model.base_url"));
        assert!(!violations[0].message.contains("secret"));
    }
}

#[test]
fn openrouter_needs_a_key_and_keys_are_visible_ascii() {
    let local = "http://127.0.0.1:8080/v1";
    let refused = |base_url, key: &str| {
        let violations = Upstream::choose(base_url, key.into()).unwrap_err();
        let fields: Vec<&str> = violations.iter().map(|v| v.field).collect();
        assert_eq!(fields, ["api_key"], "{key:?}");
        assert!(key.is_empty() || !violations[0].message.contains(key));
    };
    refused("", "");
    for key in [
        "sk or",
        "sk-or\n",
        "schlüssel",
        "\u{7f}",
        &"k".repeat(1_001),
    ] {
        refused("", key);
        refused(local, key);
    }
    let chosen = Upstream::choose(local, "".into()).unwrap();
    assert!(chosen.api_key().is_none());
    let chosen = Upstream::choose(local, KEY.into()).unwrap();
    assert!(!format!("{chosen:?}").contains(KEY));
}

#[tokio::test]
async fn openrouter_is_asked_about_the_key_and_then_for_its_models() {
    let mock = Mock::start(vec![json(r#"{"data":{"label":"x"}}"#), json(TWO)], 1).await;
    let models = list(
        &endpoint(&mock, Some(KEY), Dialect::OpenRouter),
        Duration::from_secs(5),
    )
    .await
    .unwrap();
    assert_eq!(models.len(), 2);
    assert_eq!(
        paths(&mock),
        ["GET /v1/key HTTP/1.1", "GET /v1/models HTTP/1.1"]
    );
    let bearer = format!("Bearer {KEY}");
    for seen in mock.seen() {
        assert_eq!(seen.header("authorization"), Some(bearer.as_str()));
    }

    // Its models it shows to everybody: they say nothing about a key.
    let mock = Mock::start(vec![Reply::status("401 Unauthorized"), json(TWO)], 1).await;
    let refused = list(
        &endpoint(&mock, Some(KEY), Dialect::OpenRouter),
        Duration::from_secs(5),
    )
    .await;
    assert!(matches!(refused, Err(Unfit::Key("refuses the key"))));
    assert_eq!(mock.seen().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_will_not_do_says_why() {
    async fn of(reply: Reply, key: Option<&str>) -> Unfit {
        let mock = Mock::one(reply, 1).await;
        let endpoint = endpoint(&mock, key, Dialect::Plain);
        let asked = list(&endpoint, Duration::from_millis(300)).await;
        asked.expect_err("it will not do")
    }
    let key = of(Reply::status("401 Unauthorized"), Some(KEY)).await;
    assert!(matches!(key, Unfit::Key("refuses the key")), "{key:?}");
    let key = of(Reply::status("403 Forbidden"), None).await;
    assert!(matches!(key, Unfit::Key("wants a key")), "{key:?}");
    for reply in [
        Reply::status("503 Service Unavailable"),
        Reply::status("429 Too Many Requests"),
        Reply::new("200 OK", "").hold(),
    ] {
        let unfit = of(reply, None).await;
        assert!(matches!(unfit, Unfit::Unreachable(_)), "{unfit:?}");
    }
    for reply in [
        Reply::status("404 Not Found"),
        Reply::status("400 Bad Request"),
        Reply::new("302 Found", "location: http://127.0.0.1:1/v1/models\r\n"),
        json("<html>"),
        json("{}"),
        json(r#"{"data":"x"}"#),
        Reply::raw("220 smtp.example ESMTP\r\n"),
    ] {
        let shown = format!("{reply:?}");
        let unfit = of(reply, None).await;
        // What speaks no HTTP at all cannot be told from nobody.
        let is_http = shown.contains("HTTP/1.1");
        match unfit {
            Unfit::Protocol(_) if is_http => {}
            Unfit::Unreachable(_) if !is_http => {}
            other => panic!("{shown}: {other:?}"),
        }
    }
    let gone = Upstream::choose(&format!("http://{}/v1", nobody().await), "".into()).unwrap();
    let unfit = gone.check().await.unwrap_err();
    assert!(matches!(unfit, Unfit::Unreachable("cannot be reached")));
}

#[tokio::test]
async fn servers_of_this_machine_are_found_and_nothing_else_holds_it_up() {
    let one = Mock::one(json(TWO), 1).await;
    // As Ollama says that it has none.
    let none = Mock::one(json(r#"{"object":"list","data":null}"#), 1).await;
    let page = Mock::one(json("<html>"), 1).await;
    let elsewhere = format!("location: http://{}/v1/models\r\n", one.address);
    let redirects = Mock::one(Reply::new("307 Temporary Redirect", &elsewhere), 1).await;
    let silent = Mock::one(Reply::new("200 OK", "").hold(), 1).await;
    let endless = Mock::one(json("").repeat("        ", Duration::ZERO, usize::MAX), 1).await;
    let ports = [
        nobody().await,
        one.address,
        page.address,
        redirects.address,
        silent.address,
        endless.address,
        none.address,
    ];
    let began = Instant::now();
    let found = local::find(&ports.map(|address| address.port())).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    let server = |mock: &Mock, models| LocalServer {
        base_url: format!("http://{}/v1", mock.address),
        name: "OpenAI-compatible server",
        models,
    };
    assert_eq!(found, [server(&one, 2), server(&none, 0)]);
    assert_eq!(paths(&one), ["GET /v1/models HTTP/1.1"]);
    assert_eq!(one.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn what_runs_ends_with_the_provider_that_it_began_with() {
    let first = Mock::start(
        vec![
            json(TWO),
            Reply::new("200 OK", "content-type: text/event-stream\r\n")
                .then(delta("one"))
                .repeat(COMMENT, Duration::from_millis(5), 40)
                .then(hello()),
        ],
        1,
    )
    .await;
    let second = Mock::start(vec![json(TWO), Reply::stream(hello())], 1).await;
    let switch = Switch::new(&unset(&first), None).unwrap();
    assert!(switch.now().provider().is_none());
    assert_eq!(
        collect(switch.now().stream(request()))
            .await
            .error
            .unwrap()
            .reason,
        FailureReason::ModelNotFound
    );

    let choose = |mock: &Mock, key: &str| {
        let base_url = format!("http://{}", mock.address);
        Upstream::choose(&base_url, key.into()).unwrap()
    };
    switch.turn_to(Some(choose(&first, KEY).check().await.unwrap()));
    let before = switch.now();
    assert!(before.provider().unwrap().has_key);
    let mut running = before.stream(request());
    let begun = running.next().await;
    assert_eq!(begun, Some(Ok(Chunk::Text("one".into()))));

    switch.turn_to(Some(choose(&second, "").check().await.unwrap()));
    // The list of the check is the catalogue: nobody is asked twice.
    let after = switch.now();
    assert_eq!(after.models().await.models.len(), 2);
    assert_eq!(after.resolve(None).await.unwrap().id, "b/two");
    assert_eq!(second.seen().len(), 1);
    assert_eq!(
        after.provider().unwrap().base_url,
        format!("http://{}/v1", second.address)
    );
    let rest = collect(running).await;
    assert_eq!(rest.text, "Hello, world");
    let next = collect(after.stream(request())).await;
    assert_eq!(next.text, "Hello, world");
    assert_eq!((first.seen().len(), second.seen().len()), (2, 2));
    // The key of one goes to no other.
    assert_eq!(second.seen()[1].header("authorization"), None);

    switch.turn_to(None);
    assert!(switch.now().provider().is_none());
    assert_eq!(switch.now().models().await.models, []);
}
