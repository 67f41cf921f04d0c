//! What is removed, and what is not.

use kiln_daemon::domain::id::SandboxId;
use kiln_daemon::sandbox::{Removed, SandboxError};
use uuid::Uuid;

use crate::support::{Deployment, docker, left};

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_sandbox_leaves_nothing_of_it() {
    let deployment = Deployment::new();
    let one = deployment.sandbox().await;
    let other = deployment.sandbox().await;
    deployment.engine.remove(one.id).await.unwrap();
    // The network and the other sandbox with its two volumes.
    assert_eq!(deployment.left().len(), 4);
    let found = deployment.engine.list().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, other.id);
    assert_eq!(found[0].volumes.len(), 2);
    // Again, and one that never was.
    deployment.engine.remove(one.id).await.unwrap();
    deployment
        .engine
        .remove(SandboxId::from(Uuid::now_v7()))
        .await
        .unwrap();
    assert!(matches!(
        deployment.engine.inspect(&one.container).await,
        Err(SandboxError::NotFound(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_sandbox_keeps_its_data_and_nothing_else() {
    let deployment = Deployment::new();
    let first = deployment.sandbox().await;
    first.shell("echo kept >/data/x; echo lost >/app/a/x").await;
    deployment.engine.remove_container(first.id).await.unwrap();
    let found = deployment.engine.list().await.unwrap();
    assert_eq!(found[0].container, None);
    assert_eq!(found[0].volumes, [format!("kiln-{}-data", first.id)]);
    let second = deployment.sandbox_named(first.id).await;
    assert_eq!(second.shell("cat /data/x; ls -A /app/a").await, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_container_for_a_sandbox_is_refused_and_the_first_lives() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let again = deployment
        .engine
        .create(sandbox.id, deployment.image().await)
        .await;
    assert!(matches!(again, Err(SandboxError::Conflict(_))), "{again:?}");
    sandbox.supervisor.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_made_at_once_share_one_network() {
    let deployment = Deployment::new();
    deployment.image().await;
    docker(&["network", "rm", &network(&deployment)]);
    let engines = [deployment.another_engine(), deployment.another_engine()];
    let image = deployment.image().await;
    let create = |engine: usize| engines[engine].create(SandboxId::from(Uuid::now_v7()), image);
    let (one, two, three, four) = tokio::join!(create(0), create(1), create(0), create(1));
    for created in [one, two, three, four] {
        created.unwrap();
    }
    assert_eq!(network(&deployment).lines().count(), 1);
    assert_eq!(deployment.engine.list().await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_anybody_else_is_touched() {
    let stranger = Uuid::now_v7().to_string();
    let label = format!("kiln.deployment={stranger}");
    let image = kiln_base();
    let victim_id = SandboxId::from(Uuid::now_v7());
    let removed = {
        let deployment = Deployment::new();
        let sandbox = deployment.sandbox().await;
        // Another deployment's container, one without labels that has the name of
        // a sandbox of ours, and volumes to match.
        let labelled = docker(&["create", "--label", &label, &image, "true"]);
        let unlabelled = docker(&[
            "create",
            "--name",
            &format!("kiln-{victim_id}"),
            &image,
            "true",
        ]);
        let volume = format!("kiln-{victim_id}-app");
        docker(&["volume", "create", &volume]);
        let labelled_volume = docker(&["volume", "create", "--label", &label]);

        deployment.engine.remove(victim_id).await.unwrap();
        deployment.engine.remove_container(victim_id).await.unwrap();
        let listed = deployment.engine.list().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, sandbox.id);
        let removed = deployment.engine.remove_deployment().await;

        docker(&["inspect", &labelled, &unlabelled, &volume, &labelled_volume]);
        docker(&["rm", &labelled, &unlabelled]);
        docker(&["volume", "rm", &volume, &labelled_volume]);
        assert_eq!(deployment.left(), Vec::<String>::new());
        removed
    };
    assert_eq!(
        removed.unwrap(),
        Removed {
            containers: 1,
            volumes: 2,
            networks: 1,
            images: 1
        }
    );
    assert_eq!(left(&stranger), Vec::<String>::new());
}

/// Ids of the deployment's networks, one a line.
fn network(deployment: &Deployment) -> String {
    let filter = format!("label=kiln.deployment={}", deployment.label);
    docker(&["network", "ls", "-q", "--filter", &filter])
}

fn kiln_base() -> String {
    crate::support::config().image
}
