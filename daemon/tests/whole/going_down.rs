//! Ends that were asked for, and a second daemon that was not.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tonic::Code;
use tonic_types::StatusExt;

use kiln_proto::v1::GenerationOutcome;
use kiln_proto::v1::event::Body;

use super::support::api::{Api, endings};
use super::support::model::{MODEL, Model, Reply};
use super::support::{Deployment, PATIENCE, docker, http, until};

#[tokio::test]
async fn a_second_daemon_on_the_same_data_directory_ends_with_3_and_says_so() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let ran = kiln.run_kilnd(&[]).await.ended(3);
    let pid = kiln.daemon().pid().to_string();
    assert_eq!(ran.stderr.trim().lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(&pid), "{}", ran.stderr);
    // The first is none the worse for it.
    kiln.run(&["status", "--json"]).await.ended(0);
}

#[tokio::test]
async fn sigterm_ends_streams_with_a_status_and_the_next_start_adopts_the_sandbox() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let app = kiln.app("a todo list", "demo/kiln").await;
    let page = http::shown(&app.url, "/src/App.tsx").await.body;
    let api = Api::of(&kiln).await;
    let before = api.sandbox(&app.project).await.container_id;
    let mut watch = api.watch(&app.project, "").await;
    watch.until(|seen| !seen.is_empty()).await;

    let mut daemon = kiln.take_daemon();
    let asked = Instant::now();
    daemon.signal(Signal::SIGTERM);
    let (ended, stream) = tokio::join!(daemon.ended(), watch.rest());
    let took = asked.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(15), "{took:?}");
    let status = stream.expect_err("a watch without an end ends with a status");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let reason = status.get_details_error_info().map(|info| info.reason);
    assert_eq!(reason.as_deref(), Some("SHUTTING_DOWN"), "{status:?}");
    assert_eq!(docker::containers(&kiln.label()), [before.as_str()]);

    let (first, ()) = tokio::join!(http::first_answer(&app.url, "/src/App.tsx"), kiln.start());
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.body, page);
    let api = Api::of(&kiln).await;
    assert_eq!(api.sandbox(&app.project).await.container_id, before);
    assert_eq!(docker::containers(&kiln.label()), [before]);
}

#[tokio::test]
async fn sigterm_during_the_start_takes_down_what_had_started() {
    let mut kiln = Deployment::new();
    // The first start makes the cluster; the second is interrupted at once, when
    // its Postgres runs.
    kiln.start().await;
    kiln.kill().await;
    let mut child = kiln
        .kilnd(&[])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lock = kiln.path().join("data/lock");
    until("the daemon has its directory", PATIENCE, || async {
        let holder = std::fs::read_to_string(&lock).ok()?;
        (holder.trim() == child.id().to_string()).then_some(())
    })
    .await;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait())
        .await
        .unwrap();
    assert_eq!(ended.unwrap().code(), Some(0));
    assert_eq!(kiln.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn stop_leaves_no_process_and_no_container_and_the_next_start_has_everything() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let app = kiln.app("a counter", "demo/kiln").await;
    assert_eq!(docker::containers(&kiln.label()).len(), 1);

    let mut daemon = kiln.take_daemon();
    let (stopped, ended) = tokio::join!(kiln.run_kilnd(&["stop"]), daemon.ended());
    stopped.ended(0);
    assert_eq!(ended.code(), Some(0), "{}", daemon.log());
    assert_eq!(kiln.processes(), Vec::<String>::new());
    assert_eq!(docker::containers(&kiln.label()), Vec::<String>::new());

    kiln.start().await;
    kiln.run(&["sandbox", "start", "-p", &app.project])
        .await
        .ended(0);
    http::shown_again(&app.url, "/src/App.tsx").await;
    // After a kill there is as much to stop.
    kiln.kill().await;
    assert_ne!(kiln.processes(), Vec::<String>::new());
    kiln.run_kilnd(&["stop"]).await.ended(0);
    assert_eq!(kiln.processes(), Vec::<String>::new());
    assert_eq!(docker::containers(&kiln.label()), Vec::<String>::new());
}

#[tokio::test]
async fn sigterm_ends_a_running_generation_as_interrupted_before_the_daemon_is_gone() {
    let mut provider = Model::start().await;
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &provider.url);
    kiln.start().await;
    provider.then(Reply::Refusal(401));
    let ran = kiln
        .run(&["new", "a heading", "--model", MODEL, "--json"])
        .await;
    let project = ran.ended(1).last()["project_id"]
        .as_str()
        .unwrap()
        .to_owned();
    provider.then(Reply::Silence("Here it is.\n".into()));
    let api = Api::of(&kiln).await;
    let generation = api.start(&project, "another").await;
    let mut watch = api.watch(&project, &generation).await;
    watch
        .until(|seen| {
            seen.iter().any(|event| {
                event.generation_id == generation && matches!(event.body, Some(Body::TextDelta(_)))
            })
        })
        .await;

    let mut daemon = kiln.take_daemon();
    let asked = Instant::now();
    daemon.signal(Signal::SIGTERM);
    let ended = daemon.ended().await;
    let took = asked.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(15), "{took:?}");
    provider.left().await;

    kiln.start().await;
    let api = Api::of(&kiln).await;
    let mut watch = api.watch(&project, &generation).await;
    watch
        .rest()
        .await
        .expect("the stream ends with the generation");
    let endings = endings(&watch.seen);
    assert_eq!(endings.len(), 2, "{endings:?}");
    assert_eq!(endings[1].0, generation);
    assert_eq!(endings[1].1.outcome(), GenerationOutcome::Interrupted);
    assert!(endings[1].1.message.contains("stopped"), "{endings:?}");
}
