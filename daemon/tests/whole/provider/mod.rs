//! Choosing where models come from while the daemon runs. No test here needs a
//! sandbox: an answer without operations ends a generation before it.

mod refused;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use kiln_proto::v1;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::AsyncWriteExt;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use v1::{FailureReason, GenerationOutcome, ProviderSource};

use crate::support::Deployment;
use crate::support::api::Api;
use crate::support::model::{MODEL, Model, Reply};

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

/// A daemon for which nothing is configured, and its owner.
async fn unset() -> (Deployment, Api) {
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_LOCAL_PORTS", "none");
    kiln.start().await;
    let owner = Api::of(&kiln).await;
    (kiln, owner)
}

fn kept(kiln: &Deployment) -> PathBuf {
    kiln.path().join("data/model-provider.json")
}

fn to(base_url: &str, key: &str) -> v1::SetProviderRequest {
    v1::SetProviderRequest {
        base_url: base_url.into(),
        api_key: key.into(),
        demo_only: false,
    }
}

fn to_demo() -> v1::SetProviderRequest {
    v1::SetProviderRequest {
        demo_only: true,
        ..v1::SetProviderRequest::default()
    }
}

async fn set(
    api: &Api,
    request: v1::SetProviderRequest,
) -> Result<v1::SetProviderResponse, Status> {
    let answer = api.server().set_provider(request).await?;
    Ok(answer.into_inner())
}

async fn get(api: &Api) -> v1::GetProviderResponse {
    let answer = api.server().get_provider(v1::GetProviderRequest {}).await;
    answer.unwrap().into_inner()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.expect_err(reason);
    let info = status.get_details_error_info().expect("a reason");
    assert_eq!((status.code(), info.reason.as_str()), (code, reason));
    assert!(!format!("{status:?}").contains(KEY), "{status:?}");
}

async fn project(api: &Api) -> String {
    let request = v1::CreateProjectRequest {
        name: "one".into(),
        ..v1::CreateProjectRequest::default()
    };
    let made = api.projects().create_project(request).await.unwrap();
    made.into_inner().project.unwrap().id
}

/// Carries a prompt to its end.
async fn ended(api: &Api, project: &str, id: &str) -> v1::Generation {
    let mut watch = api.watch(project, id).await;
    watch.rest().await.unwrap();
    api.generation(id).await
}

/// Every row of every table, as text.
async fn dump(kiln: &Deployment) -> String {
    let mut db = PgConnection::connect(kiln.database_url()).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = 'public' order by 1",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    let mut dump = String::new();
    for table in tables {
        let sql = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut db)
            .await
            .unwrap();
        dump.push_str(&rows);
    }
    dump
}

#[tokio::test]
async fn a_choice_is_used_at_once_lasts_and_can_be_forgotten() {
    let provider = Model::start().await;
    let port = provider.url.trim_end_matches("/v1").rsplit(':').next();
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_LOCAL_PORTS", port.unwrap());
    kiln.set("KILN_LOG_LEVEL", "trace");
    kiln.start().await;
    let owner = Api::of(&kiln).await;
    let mut said = String::new();

    let before = get(&owner).await;
    assert_eq!(before.source(), ProviderSource::Demo);
    assert!(before.can_change);
    assert_eq!(before.detail, "");
    let status = before.provider.unwrap();
    assert!(status.demo_only);
    assert_eq!(status.default_model, "demo/kiln");
    let found: Vec<_> = before.local_endpoints.iter().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0].base_url, found[0].model_count),
        (&provider.url, 1)
    );

    let chosen = set(&owner, to(&provider.url, KEY)).await.unwrap();
    said += &format!("{chosen:?}");
    assert_eq!(chosen.source(), ProviderSource::Chosen);
    assert_eq!((chosen.model_count, chosen.detail.as_str()), (1, ""));
    let status = chosen.provider.unwrap();
    assert_eq!(status.base_url, provider.url);
    assert!(status.has_key && !status.demo_only);
    assert_eq!(status.default_model, MODEL);
    let mut server = owner.server();
    let info = server.get_server_info(v1::GetServerInfoRequest {}).await;
    let info = info.unwrap().into_inner();
    assert_eq!(info.provider, Some(status));
    said += &format!("{info:?}");
    let mut models = owner.models();
    let listed = models.list_models(v1::ListModelsRequest::default()).await;
    let models = listed.unwrap().into_inner().models;
    assert!(models.iter().any(|model| model.id == MODEL), "{models:?}");
    let file = std::fs::metadata(kept(&kiln)).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);

    // No model is named: the default has followed.
    let project = project(&owner).await;
    provider.then(Reply::Answer("I would rather talk about ships.".into()));
    let id = owner.start(&project, "a heading").await;
    let generation = ended(&owner, &project, &id).await;
    said += &format!("{generation:?}");
    assert_eq!(generation.model, MODEL);
    assert_eq!(generation.failure_reason(), FailureReason::NoOperations);
    assert_eq!(provider.calls().len(), 1);

    said += &kiln.daemon().log();
    kiln.kill().await;
    kiln.start().await;
    let owner = Api::of(&kiln).await;
    let after = get(&owner).await;
    said += &format!("{after:?}");
    assert_eq!(after.source(), ProviderSource::Chosen);
    provider.then(Reply::Answer("Or about trains.".into()));
    let id = owner.start(&project, "a heading").await;
    let generation = ended(&owner, &project, &id).await;
    assert_eq!(generation.failure_reason(), FailureReason::NoOperations);
    // The key went where it belongs, both times.
    for call in provider.calls() {
        let (head, body) = call.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(KEY), "{head}");
        assert!(!body.contains(KEY), "it is in the prompt");
    }
    assert_eq!(provider.calls().len(), 2);

    let forgotten = set(&owner, to_demo()).await.unwrap();
    assert_eq!(forgotten.source(), ProviderSource::Demo);
    assert!(forgotten.provider.unwrap().demo_only);
    assert!(!kept(&kiln).exists());
    let refused = owner
        .generations()
        .start_generation(v1::StartGenerationRequest {
            project_id: project,
            prompt: "a heading".into(),
            model: MODEL.into(),
            ..v1::StartGenerationRequest::default()
        })
        .await;
    assert_refused(refused, Code::FailedPrecondition, "NO_PROVIDER_KEY");
    assert_eq!(provider.calls().len(), 2);

    said += &kiln.daemon().log();
    assert!(said.contains("where models come from"), "the log is one");
    assert!(!said.contains(KEY), "the key is in a log or an answer");
    let dump = dump(&kiln).await;
    assert!(dump.contains("provider_set"), "the dump is one");
    assert!(!dump.contains(KEY), "the key is in the database");
}

#[tokio::test]
async fn a_generation_ends_with_the_provider_that_it_began_with() {
    let (first, second) = (Model::start().await, Model::start().await);
    let (_kiln, owner) = unset().await;
    set(&owner, to(&first.url, "")).await.unwrap();
    let project_of_first = project(&owner).await;
    first.then(Reply::Silence("I am thinking.".into()));
    let running = owner.start(&project_of_first, "a heading").await;
    let mut watch = owner.watch(&project_of_first, &running).await;
    let text = |event: &v1::Event| matches!(event.body, Some(v1::event::Body::TextDelta(_)));
    watch.until(|events| events.iter().any(text)).await;

    set(&owner, to(&second.url, "")).await.unwrap();
    let other = project(&owner).await;
    second.then(Reply::Answer("Ships.".into()));
    let next = owner.start(&other, "a heading").await;
    ended(&owner, &other, &next).await;
    set(&owner, to_demo()).await.unwrap();

    // It is asked for no more, and nobody has ended it.
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
    let state = owner.generation(&running).await;
    assert_eq!(state.outcome(), GenerationOutcome::Unspecified);
    let cancel = v1::CancelGenerationRequest {
        generation_id: running.clone(),
    };
    owner.generations().cancel_generation(cancel).await.unwrap();
    let state = ended(&owner, &project_of_first, &running).await;
    assert_eq!(state.outcome(), GenerationOutcome::Cancelled);
}

#[tokio::test]
async fn the_configuration_wins_over_a_choice_and_leaves_it_alone() {
    let (chosen, configured) = (Model::start().await, Model::start().await);
    let (mut kiln, owner) = unset().await;
    set(&owner, to(&chosen.url, KEY)).await.unwrap();
    let before = std::fs::read(kept(&kiln)).unwrap();

    kiln.set("KILN_MODEL_BASE_URL", &configured.url);
    kiln.terminate().await;
    kiln.start().await;
    let owner = Api::of(&kiln).await;
    let view = get(&owner).await;
    assert_eq!(view.source(), ProviderSource::Configuration);
    assert!(!view.can_change);
    assert!(view.detail.contains("configuration"), "{}", view.detail);
    let status = view.provider.unwrap();
    assert_eq!(status.base_url, configured.url);
    assert!(!status.has_key, "the key of the choice goes to no other");
    for request in [to(&chosen.url, ""), to_demo()] {
        let refused = set(&owner, request).await;
        assert_refused(refused, Code::FailedPrecondition, "PROVIDER_FIXED");
    }

    kiln.unset("KILN_MODEL_BASE_URL");
    kiln.terminate().await;
    kiln.start().await;
    let view = get(&Api::of(&kiln).await).await;
    assert_eq!(view.source(), ProviderSource::Chosen);
    assert_eq!(view.provider.unwrap().base_url, chosen.url);
    assert_eq!(std::fs::read(kept(&kiln)).unwrap(), before);
}

#[tokio::test]
async fn the_command_line_takes_a_key_from_stdin() {
    let provider = Model::start().await;
    let (kiln, owner) = unset().await;
    let set = [
        "provider",
        "set",
        "--endpoint",
        &provider.url,
        "--key-stdin",
    ];
    let mut command = tokio::process::Command::from(kiln.command(&set));
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(format!("{KEY}\n").as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = format!("{output:?}");
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(KEY), "{said}");
    assert!(get(&owner).await.provider.unwrap().has_key);

    let shown = kiln.run(&["provider", "--json"]).await.ended(0).last();
    assert_eq!(shown["base_url"], provider.url);
    assert_eq!(shown["default_model"], MODEL);
    assert_eq!(shown["source"], "CHOSEN");
    kiln.run(&["provider", "demo"]).await.ended(0);
    let shown = kiln.run(&["provider", "--json"]).await.ended(0).last();
    assert_eq!(shown["source"], "DEMO");
    let refused = kiln
        .run(&["provider", "set", "--endpoint", "http://models.example/v1"])
        .await
        .ended(1);
    assert!(refused.stderr.contains("model.base_url"), "{refused:?}");
}
