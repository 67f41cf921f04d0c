//! `kill -9` of the daemon in the middle of everything.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kiln_proto::v1::event::Body;
use kiln_proto::v1::{GenerationOutcome, GenerationState, SandboxState};

use super::support::api::{Api, assert_dense, endings};
use super::support::{Deployment, docker, http, ready, until};

#[tokio::test]
async fn a_killed_daemon_loses_nothing_that_was_seen_and_leaves_nothing_running() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let app = kiln.app("a todo list", "demo/kiln").await;
    let page = http::shown(&app.url, "/src/App.tsx").await.body;
    // From now on the model writes as slowly as models do.
    kiln.terminate().await;
    kiln.set("KILN_MODEL_DEMO_SPEED", "200");
    kiln.start().await;

    let api = Api::of(&kiln).await;
    let generation = api.start(&app.project, "start over with a timer").await;
    let mut watch = api.watch(&app.project, "").await;
    watch
        .until(|seen| {
            let pieces = seen.iter().filter(|event| {
                event.generation_id == generation && matches!(event.body, Some(Body::FileDelta(_)))
            });
            pieces.count() >= 5
        })
        .await;
    kiln.kill().await;
    // What was on its way arrives; then the connection is gone.
    watch.rest().await.unwrap_err();
    let seen = watch.seen;
    // A kill in the middle of making one leaves a container that no row names.
    let orphan = docker::docker(&[
        "create",
        "--label",
        &format!("kiln.deployment={}", kiln.label()),
        "--label",
        "kiln.sandbox=01890000-0000-7000-8000-000000000000",
        "kiln-sandbox-base:latest",
        "true",
    ]);

    // The app went on all along: whoever asks first sees it.
    let (first, ()) = tokio::join!(http::first_answer(&app.url, "/src/App.tsx"), kiln.start());
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.body, page);
    let api = Api::of(&kiln).await;
    let ended = api.generation(&generation).await;
    let took = kiln.daemon().began.elapsed();
    assert_eq!(ended.state(), GenerationState::Finished);
    assert_eq!(ended.outcome(), GenerationOutcome::Interrupted);
    assert!(took < Duration::from_secs(5), "INTERRUPTED after {took:?}");

    let mut watch = api.watch(&app.project, &generation).await;
    watch
        .rest()
        .await
        .expect("the stream ends with the generation");
    let now = watch.seen;
    assert_dense(&now);
    assert!(now.len() > seen.len());
    assert_eq!(now[..seen.len()], seen[..]);
    let endings = endings(&now);
    assert_eq!(endings.len(), 2);
    assert_eq!(endings[1].0, generation);
    assert_eq!(endings[1].1.outcome(), GenerationOutcome::Interrupted);
    assert!(!endings[1].1.message.is_empty(), "it says what to do");

    let label = kiln.label();
    let began = kiln.daemon().began;
    let patience = Duration::from_secs(10).saturating_sub(Instant::now() - began);
    until("containers equal rows", patience, || async {
        (docker::sandboxes(&label) == live(&api, &app.project).await).then_some(())
    })
    .await;
    assert_eq!(docker::sandboxes(&label).len(), 1);
    assert!(!docker::containers(&label).contains(&orphan));
}

/// Sandboxes whose row says that they have a container.
async fn live(api: &Api, project: &str) -> BTreeSet<String> {
    let sandbox = api.sandbox(project).await;
    match sandbox.state() {
        SandboxState::Running | SandboxState::Starting | SandboxState::Stopping => {
            BTreeSet::from([sandbox.id])
        }
        SandboxState::Unspecified | SandboxState::Stopped | SandboxState::Failed => BTreeSet::new(),
    }
}

#[tokio::test]
async fn a_prompt_after_the_kill_goes_on_from_the_app_that_was_there() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let app = kiln.app("a counter", "demo/kiln").await;
    kiln.kill().await;
    kiln.start().await;

    let ran = kiln
        .run(&["generate", "make it blue", "--json"])
        .await
        .ended(0);
    let events = ran.objects();
    let next = ready(&ran.last());
    assert_eq!(next.url, app.url);
    assert_ne!(next.revision, app.revision);
    assert!(
        http::shown(&next.url, "/src/App.tsx")
            .await
            .body
            .contains("#2563eb")
    );
    // The container of before was taken over, not made again.
    let sandbox = events
        .iter()
        .find(|event| event["kind"] == "step_finished" && event["step"] == "SANDBOX")
        .unwrap();
    assert_ne!(
        sandbox["detail"], "made from the prepared image",
        "{sandbox}"
    );
}
