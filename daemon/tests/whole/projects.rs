//! Projects as their watchers see them.

use std::time::{Duration, Instant};

use kiln_proto::v1;
use kiln_proto::v1::event::Body;
use sqlx::{Connection, PgConnection};
use tonic::{Code, Streaming};
use tonic_types::StatusExt;

use super::support::api::Api;
use super::support::{Deployment, PATIENCE};

async fn create(api: &Api, name: &str, request_id: &str) -> Result<v1::Project, tonic::Status> {
    let request = v1::CreateProjectRequest {
        name: name.to_owned(),
        request_id: request_id.to_owned(),
        ..v1::CreateProjectRequest::default()
    };
    let made = api.projects().create_project(request).await?;
    Ok(made.into_inner().project.unwrap())
}

#[tokio::test]
async fn without_a_port_no_project_is_made_and_the_answer_names_the_keys() {
    let mut kiln = Deployment::on_a_server().await;
    let first = kiln.variable("KILN_PREVIEW_PORT_FIRST").to_owned();
    let last = kiln.variable("KILN_PREVIEW_PORT_LAST").to_owned();
    kiln.set("KILN_PREVIEW_PORT_LAST", &first);
    kiln.start().await;
    let api = Api::of(&kiln).await;
    create(&api, "one", "").await.unwrap();
    for _ in 0..2 {
        // The same request again: nothing was recorded for it.
        let status = create(&api, "two", "make-two").await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let reason = status.get_details_error_info().map(|info| info.reason);
        assert_eq!(reason.as_deref(), Some("PREVIEW_PORTS"), "{status:?}");
        for key in ["preview.port_first", "preview.port_last"] {
            assert!(status.message().contains(key), "{status:?}");
        }
    }
    let ran = kiln.run(&["projects", "--json"]).await.ended(0);
    assert_eq!(ran.objects().len(), 1, "{ran:?}");

    // A project without an address, as a lost connection can leave one, has one
    // after the next start.
    kiln.terminate().await;
    let mut database = PgConnection::connect(kiln.database_url()).await.unwrap();
    sqlx::raw_sql("update projects set preview_port = null")
        .execute(&mut database)
        .await
        .unwrap();
    kiln.set("KILN_PREVIEW_PORT_LAST", last);
    kiln.start().await;
    let api = Api::of(&kiln).await;
    let two = create(&api, "two", "make-two").await.unwrap();
    assert!(!two.preview_url.is_empty());
    let ran = kiln.run(&["projects", "--json"]).await.ended(0);
    let urls: Vec<_> = ran
        .objects()
        .into_iter()
        .map(|project| project["preview_url"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(urls.len(), 2);
    assert!(urls.iter().all(|url| !url.is_empty()), "{urls:?}");
}

/// Reads until a message has a project of this name.
async fn seen(list: &mut Streaming<v1::WatchProjectsResponse>, name: &str) -> v1::Project {
    let look = async {
        loop {
            let message = list.message().await.unwrap().unwrap();
            if let Some(found) = message.projects.into_iter().find(|it| it.name == name) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

#[tokio::test]
async fn the_list_of_projects_follows_changes_as_they_come() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    let api = Api::of(&kiln).await;
    let request = v1::WatchProjectsRequest::default();
    let list = api.projects().watch_projects(request).await.unwrap();
    let mut list = list.into_inner();
    let first = list.message().await.unwrap().unwrap();
    assert!(first.initial_list_complete);

    let began = Instant::now();
    let mut project = create(&api, "name 0", "").await.unwrap();
    seen(&mut list, "name 0").await;
    for number in 1..=4 {
        let name = format!("name {number}");
        let request = v1::UpdateProjectRequest {
            project_id: project.id.clone(),
            name: name.clone(),
            ..v1::UpdateProjectRequest::default()
        };
        api.projects().update_project(request).await.unwrap();
        project = seen(&mut list, &name).await;
    }
    let request = v1::DeleteProjectRequest {
        project_id: project.id.clone(),
    };
    api.projects().delete_project(request).await.unwrap();
    loop {
        let message = list.message().await.unwrap().unwrap();
        if message.deleted_project_ids == [project.id.clone()] {
            break;
        }
    }
    // Six changes, each made when the one before was seen: at one look a second
    // they take six.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_start_that_fails_before_its_first_step_says_so_to_watchers() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    let app = kiln.app("a counter", "demo/kiln").await;
    kiln.run(&["sandbox", "stop", "-p", &app.project])
        .await
        .ended(0);
    let mut database = PgConnection::connect(kiln.database_url()).await.unwrap();
    sqlx::raw_sql("update projects set template = 'gone'")
        .execute(&mut database)
        .await
        .unwrap();

    let api = Api::of(&kiln).await;
    let mut watch = api.watch(&app.project, "").await;
    for times in 1..=2 {
        kiln.run(&["sandbox", "start", "-p", &app.project])
            .await
            .ended(0);
        watch.until(|events| failures(events).len() >= times).await;
    }
    let said = failures(&watch.seen);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("internal error"), "{said:?}");
    let sandbox = api.sandbox(&app.project).await;
    assert_eq!(sandbox.state(), v1::SandboxState::Failed);
    assert_eq!(sandbox.detail, said[1]);
}

fn failures(events: &[v1::Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match &event.body {
            Some(Body::SandboxStateChanged(change))
                if change.state() == v1::SandboxState::Failed =>
            {
                Some(change.detail.clone())
            }
            _ => None,
        })
        .collect()
}
