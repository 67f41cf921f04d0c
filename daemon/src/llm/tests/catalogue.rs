//! What a catalogue may look like, and which model is meant.

use super::mock::{Mock, Reply, nobody};
use super::{collect, config, edge, finish, request};
use crate::config::ModelConfig;
use crate::domain::error::{Error, FieldRule};
use crate::domain::generation::Usage;
use crate::llm::catalogue::{Model, Prices};
use crate::llm::client::Edge;
use crate::llm::demo::DemoEndpoint;

fn list(json: &str) -> Reply {
    Reply::new("200 OK", "content-type: application/json\r\n").then(json)
}

/// A demo endpoint that is never asked.
fn demo() -> DemoEndpoint {
    DemoEndpoint {
        address: ([127, 0, 0, 1], 1).into(),
        token: "token".into(),
    }
}

const TWO: &str = r#"{"data":[
    {"id":"b/full","name":"Full","context_length":200000,"created":1,
     "top_provider":{"max_completion_tokens":64000,"is_moderated":true},
     "pricing":{"prompt":"0.000003","completion":"0.000015","image":"0"}},
    {"id":"a/bare"}
]}"#;

#[tokio::test]
async fn a_catalogue_is_read_once() {
    let mock = Mock::one(list(TWO), 1).await;
    let edge = edge(&config(&mock));
    let listing = edge.models().await;
    assert_eq!(listing.warning, None);
    let full = Model {
        id: "b/full".to_owned(),
        name: "Full".to_owned(),
        context_tokens: Some(200_000),
        max_output_tokens: Some(64_000),
        prices: Prices {
            prompt: Some(3_000_000),
            completion: Some(15_000_000),
        },
        demo: false,
        roles: vec!["default".to_owned()],
    };
    let bare = Model {
        id: "a/bare".to_owned(),
        name: "a/bare".to_owned(),
        context_tokens: None,
        max_output_tokens: None,
        prices: Prices::default(),
        demo: false,
        roles: Vec::new(),
    };
    assert_eq!(listing.models, [bare, full]);
    assert_eq!(edge.models().await, listing);
    assert_eq!(mock.seen().len(), 1);
    assert!(
        mock.seen()[0]
            .head
            .starts_with("GET /v1/models HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn odd_entries_lose_a_figure_and_not_the_catalogue() {
    let odd = r#"{"object":"list","data":[
        {"id":"one","context_length":null,"pricing":null,"top_provider":null},
        {"id":"two","context_length":"8192","pricing":{"prompt":"-1","completion":0.000001}},
        {"id":"three","context_length":-5,"pricing":{"prompt":"free"}},
        {"id":""},{"name":"nameless"},{"id":"with space"},{"id":"demo/kiln"}
    ]}"#;
    let mock = Mock::one(list(odd), 1).await;
    let listing = edge(&config(&mock)).models().await;
    let brief: Vec<_> = listing
        .models
        .iter()
        .map(|m| {
            (
                m.id.as_str(),
                m.context_tokens,
                m.prices.prompt,
                m.prices.completion,
            )
        })
        .collect();
    let expected = [
        ("one", None, None, None),
        ("three", None, None, None),
        ("two", Some(8192), None, Some(1_000_000)),
    ];
    assert_eq!(brief, expected);
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_had_is_a_warning() {
    let too_large = format!("{{\"data\":[{{\"id\":\"{}\"}}]}}", "x".repeat(9 << 20));
    for (reply, words) in [
        (Reply::status("500 Oops"), "answers with an error"),
        (Reply::status("401 No"), "refuses the key"),
        (Reply::status("404 No"), "has none"),
        (
            Reply::new("302 Found", "location: http://127.0.0.1:1/\r\n"),
            "answers with an error",
        ),
        (list("nonsense"), "no list of models"),
        (list("{}"), "no list of models"),
        (list(&too_large), "8 MiB"),
    ] {
        let mock = Mock::one(reply, 1).await;
        let edge = edge(&config(&mock));
        let listing = edge.models().await;
        let warning = listing.warning.unwrap();
        assert!(warning.contains(words), "{warning}");
        assert!(!warning.contains("secret words"));
        assert!(edge.resolve(Some("any/model")).await.is_ok());
        assert_eq!(mock.seen().len(), 1, "a failure is remembered for a while");
    }
    let mock = Mock::one(list(TWO), 1).await;
    let mut config = config(&mock);
    config.base_url = format!("http://{}", nobody().await);
    let listing = edge(&config).models().await;
    assert!(listing.warning.unwrap().contains("cannot be reached"));
}

#[tokio::test]
async fn many_ask_once() {
    let mock = Mock::one(list(TWO), 1).await;
    let edge = edge(&config(&mock));
    let ids = futures::future::join_all((0..20).map(|_| edge.resolve(None))).await;
    assert!(ids.into_iter().all(|model| model.unwrap().id == "b/full"));
    assert_eq!(mock.seen().len(), 1);
}

#[tokio::test]
async fn the_default_model() {
    let mock = Mock::one(list(TWO), 1).await;
    let custom = config(&mock);
    let id = async |config: &ModelConfig, demo| {
        let edge = Edge::new(config, demo).unwrap();
        edge.resolve(None).await.map(|model| (model.id, model.demo))
    };
    let chosen = ModelConfig {
        default: Some("my/own".to_owned()),
        ..custom.clone()
    };
    let openrouter = ModelConfig {
        base_url_is_custom: false,
        ..custom.clone()
    };
    let nothing = ModelConfig {
        api_key: None,
        ..openrouter.clone()
    };
    assert_eq!(
        id(&chosen, Some(demo())).await.unwrap(),
        ("my/own".to_owned(), false)
    );
    assert_eq!(
        id(&custom, Some(demo())).await.unwrap(),
        ("b/full".to_owned(), false)
    );
    let alias = "~anthropic/claude-sonnet-latest".to_owned();
    assert_eq!(id(&openrouter, Some(demo())).await.unwrap(), (alias, false));
    let canned = ("demo/kiln".to_owned(), true);
    assert_eq!(id(&nothing, Some(demo())).await.unwrap(), canned);
    assert!(matches!(
        id(&nothing, None).await,
        Err(Error::NoProviderKey)
    ));

    let empty = Mock::one(list("{\"data\":[]}"), 1).await;
    let result = id(&config(&empty), Some(demo())).await;
    assert_rule(&result.map(|_| ()));
}

#[track_caller]
fn assert_rule(result: &Result<(), Error>) {
    let Err(Error::Invalid(violations)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(violations[0].rule, FieldRule::ModelNotAllowed);
}

#[tokio::test]
async fn which_models_may_be_used() {
    let mock = Mock::one(list(TWO), 1).await;
    let with_key = Edge::new(&config(&mock), Some(demo())).unwrap();
    let full = with_key.resolve(Some("b/full")).await.unwrap();
    assert_eq!((full.demo, full.context_tokens), (false, Some(200_000)));
    let variant = with_key.resolve(Some("b/full:online")).await.unwrap();
    assert_eq!(
        (variant.id.as_str(), variant.context_tokens),
        ("b/full:online", Some(200_000))
    );
    let by_hand = with_key.resolve(Some("typed/by-hand")).await.unwrap();
    assert_eq!((by_hand.demo, by_hand.context_tokens), (false, None));
    let canned = with_key.resolve(Some("demo/repair")).await.unwrap();
    assert!(canned.demo);
    for id in [
        "demo/",
        "demo/other",
        "with space",
        "line\nend",
        &"x".repeat(201),
    ] {
        assert_rule(&with_key.resolve(Some(id)).await.map(|_| ()));
    }

    let config = ModelConfig {
        api_key: None,
        base_url_is_custom: false,
        ..config(&mock)
    };
    let without_key = Edge::new(&config, Some(demo())).unwrap();
    assert_eq!(without_key.provider(), None);
    assert!(with_key.provider().unwrap().has_key);
    assert!(without_key.resolve(Some("demo/kiln")).await.unwrap().demo);
    let refused = without_key.resolve(Some("b/full")).await;
    assert!(matches!(refused, Err(Error::NoProviderKey)));
    let ids: Vec<_> = without_key.models().await.models;
    assert!(
        ids.iter()
            .all(|model| model.demo && model.name.contains("(demo, canned answers)"))
    );
    assert_eq!(ids[0].roles, ["default"]);
}

#[tokio::test]
async fn roles_are_marked_and_missing_ones_named() {
    let mock = Mock::one(list(TWO), 1).await;
    let mut config = config(&mock);
    config.roles = vec![
        ("fast".to_owned(), "a/bare".to_owned()),
        ("code".to_owned(), "gone/model".to_owned()),
    ];
    let listing = edge(&config).models().await;
    assert_eq!(listing.models[0].roles, ["fast"]);
    let warning = listing.warning.unwrap();
    assert!(
        warning.contains("code, gone/model, is not in the catalogue"),
        "{warning}"
    );
}

#[tokio::test]
async fn a_cost_that_nobody_tells_comes_from_the_catalogue() {
    let usage = r#"{"prompt_tokens":1000,"completion_tokens":100}"#;
    let body = format!("data: {{\"usage\":{usage}}}\n\n{}", finish("stop"));
    let mock = Mock::start(
        vec![
            list(TWO),
            Reply::stream(body),
            Reply::stream(super::hello()),
        ],
        1,
    )
    .await;
    let edge = edge(&config(&mock));
    let model = edge.resolve(Some("b/full")).await.unwrap();
    let mut request = request();
    request.model = model.id;
    request.max_tokens = 100_000;
    let told = collect(edge.stream(request.clone())).await;
    let expected = Usage {
        prompt_tokens: 1000,
        completion_tokens: 100,
        cost_micro_usd: Some(4500),
        estimated: true,
    };
    assert_eq!(told.usage, [expected]);
    assert_eq!(
        mock.seen()[1].body["max_tokens"],
        64_000,
        "what the model can"
    );

    let untold = collect(edge.stream(request)).await;
    assert_eq!(untold.usage[0].cost_micro_usd, Some(3 * 3 + 3 * 15));
    assert!(untold.usage[0].estimated);
}
