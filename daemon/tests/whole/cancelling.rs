//! Cancelling stops the model and the bill, and nothing else.

use std::time::{Duration, Instant};

use kiln_proto::v1::event::Body;
use kiln_proto::v1::{CancelGenerationRequest, GenerationOutcome};

use super::support::api::{Api, endings};
use super::support::model::{self, MODEL, Model, Reply};
use super::support::{Deployment, http};

#[tokio::test]
async fn a_cancelled_generation_ends_within_a_second_and_the_app_before_it_stays() {
    let mut provider = Model::start().await;
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &provider.url);
    kiln.start().await;
    provider.then(Reply::Answer(model::heading("First")));
    let app = kiln.app("a heading", MODEL).await;
    let page = http::shown(&app.url, "/src/App.tsx").await.body;

    let unfinished = "Here it is.\n\n<kiln-write path=\"src/App.tsx\">\nexport default 1;\n";
    provider.then(Reply::Silence(unfinished.to_owned()));
    let api = Api::of(&kiln).await;
    let generation = api.start(&app.project, "another").await;
    let mut watch = api.watch(&app.project, &generation).await;
    watch
        .until(|seen| {
            seen.iter().any(|event| {
                event.generation_id == generation && matches!(event.body, Some(Body::FileDelta(_)))
            })
        })
        .await;

    let asked = Instant::now();
    let request = CancelGenerationRequest {
        generation_id: generation.clone(),
    };
    api.generations()
        .cancel_generation(request.clone())
        .await
        .unwrap();
    watch
        .rest()
        .await
        .expect("the stream ends with the generation");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "CANCELLED after {took:?}");
    let closed = provider.left().await - asked;
    assert!(
        closed < Duration::from_millis(500),
        "closed after {closed:?}"
    );
    let endings = endings(&watch.seen);
    let (_, ending) = endings.last().unwrap();
    assert_eq!(ending.outcome(), GenerationOutcome::Cancelled);
    assert_eq!(ending.revision_id, "");
    assert!(ending.usage.unwrap().estimated);
    // Once more is fine, and changes nothing.
    api.generations().cancel_generation(request).await.unwrap();

    assert_eq!(http::shown(&app.url, "/src/App.tsx").await.body, page);
    // The project is free again.
    provider.then(Reply::Answer(model::heading("Second")));
    kiln.run(&["generate", "go on", "-p", &app.project])
        .await
        .ended(0);
    assert!(
        http::shown(&app.url, "/src/App.tsx")
            .await
            .body
            .contains("Second")
    );
}

#[tokio::test]
async fn a_start_that_is_stopped_stays_stopped() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    kiln.app("a counter", "demo/kiln").await;
    for again in ["restart", "start"] {
        let started = kiln.run(&["sandbox", again, "--json"]).await.ended(0);
        assert_eq!(started.last()["state"], "STARTING", "{again}");
        let stopped = kiln.run(&["sandbox", "stop", "--json"]).await.ended(0);
        assert_eq!(stopped.last()["state"], "STOPPED", "{again}");
        // Nothing of the start goes on: it would have failed within this time.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let status = kiln.run(&["sandbox", "status", "--json"]).await.ended(0);
        assert_eq!(status.last()["state"], "STOPPED", "{again}");
    }
    let started = kiln.run(&["sandbox", "start", "--json"]).await.ended(0);
    assert_eq!(started.last()["state"], "STARTING");
    kiln.run(&["generate", "make it blue"]).await.ended(0);
}
