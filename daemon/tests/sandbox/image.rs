//! Prepared images: made once, found again, bounded in number, and honest about
//! why one could not be made.

use std::sync::Mutex;
use std::time::Instant;

use bytes::Bytes;
use kiln_daemon::domain::id::SandboxId;
use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::{SandboxError, TemplateImage};
use uuid::Uuid;

use crate::support::{Deployment, Running, bare_template, config, docker};

fn images(deployment: &Deployment) -> Vec<String> {
    let filter = format!("label=kiln.deployment={}", deployment.label);
    docker(&["images", "-q", "--filter", &filter])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_are_installed_once_and_copied_into_a_slot() {
    let deployment = Deployment::new();
    let manifest = r#"{"name":"app","dependencies":{"ms":"2.1.3"}}"#;
    let template = TemplateImage {
        name: "small".to_owned(),
        files: vec![(
            "package.json".to_owned(),
            Bytes::from_static(manifest.as_bytes()),
        )],
        install: ["bun", "install", "--no-progress"]
            .map(str::to_owned)
            .to_vec(),
    };
    let said = Mutex::new(Vec::new());
    let image = deployment
        .engine
        .prepare_image(&template, |line| said.lock().unwrap().push(line))
        .await
        .unwrap();
    let said = said.into_inner().unwrap();
    assert!(said[0].contains("small"), "{said:?}");
    assert!(
        said.iter().any(|line| line.contains("ms@2.1.3")),
        "{said:?}"
    );

    let started = Instant::now();
    let again = deployment
        .engine
        .prepare_image(&template, |line| panic!("nothing is done: {line}"))
        .await
        .unwrap();
    assert_eq!(again, image);
    assert!(
        started.elapsed().as_millis() < 2_000,
        "{:?}",
        started.elapsed()
    );
    assert_eq!(images(&deployment).len(), 1);

    let container = deployment
        .engine
        .create(SandboxId::from(Uuid::now_v7()), &image)
        .await
        .unwrap();
    let sandbox = Running {
        id: SandboxId::from(Uuid::now_v7()),
        supervisor: deployment.engine.supervisor(&container).await.unwrap(),
        container,
    };
    let copied = sandbox.supervisor.copy_dependencies(Slot::A).await.unwrap();
    assert!(copied.files > 2 && copied.bytes > 1_000, "{copied:?}");
    sandbox
        .write(&[
            ("package.json", manifest),
            ("index.js", "console.log(require('ms')('2 days'))"),
        ])
        .await
        .unwrap();
    assert_eq!(sandbox.shell("bun index.js").await, "172800000");
    // More can be installed from inside: the registry is reached and trusted.
    let more = sandbox.run(&["bun", "add", "is-number@7.0.0"]).await;
    assert!(more.exit.is_success(), "{}\n{}", more.stdout, more.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_four_images_are_kept_the_newest() {
    let deployment = Deployment::new();
    let mut prepared = Vec::new();
    for n in 0..6 {
        let mut template = bare_template();
        template.name = format!("bare-{n}");
        let image = deployment.engine.prepare_image(&template, |_| {}).await;
        prepared.push(image.unwrap().name);
    }
    assert_eq!(images(&deployment).len(), 4);
    // The one that was made last is still there.
    docker(&["image", "inspect", &prepared[5]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_the_same_time_share_one_preparation() {
    let deployment = Deployment::new();
    let template = bare_template();
    let count = Mutex::new(0);
    let prepare = || {
        deployment
            .engine
            .prepare_image(&template, |_| *count.lock().unwrap() += 1)
    };
    let (one, two, three) = tokio::join!(prepare(), prepare(), prepare());
    assert_eq!(one.unwrap(), two.unwrap());
    three.unwrap();
    assert_eq!(*count.lock().unwrap(), 1);
    assert_eq!(images(&deployment).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_base_image_says_what_to_do() {
    let mut config = config();
    config.image = "kiln-no-such-image:latest".to_owned();
    let deployment = Deployment::with(config);
    let failed = deployment
        .engine
        .prepare_image(&bare_template(), |_| {})
        .await;
    assert!(
        matches!(&failed, Err(SandboxError::ImageMissing(message)) if message.contains("scripts/sandbox-image")),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_installation_shows_its_last_words_and_leaves_nothing() {
    let deployment = Deployment::new();
    let mut template = bare_template();
    template.install = [
        "sh",
        "-c",
        "echo fetching; echo no such package >&2; exit 3",
    ]
    .map(str::to_owned)
    .to_vec();
    let failed = deployment.engine.prepare_image(&template, |_| {}).await;
    let Err(SandboxError::Prepare(message)) = failed else {
        panic!("{failed:?}");
    };
    assert!(message.contains("ended with 3"), "{message}");
    assert!(message.contains("no such package"), "{message}");
    // The network alone.
    assert_eq!(deployment.left().len(), 1);
    assert_eq!(images(&deployment).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_that_a_killed_daemon_left_are_swept_and_no_sandbox_is() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    // A daemon dies in the middle of an installation.
    let mut template = bare_template();
    template.install = ["sleep", "600"].map(str::to_owned).to_vec();
    let (started, wait) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let dying = deployment.another_engine();
    let preparing = tokio::spawn(async move {
        dying
            .prepare_image(&template, |_| {
                if let Some(started) = started.take() {
                    started.send(()).unwrap();
                }
            })
            .await
    });
    wait.await.unwrap();
    preparing.abort();
    preparing.await.unwrap_err();

    // A helper is no sandbox.
    assert_eq!(deployment.engine.list().await.unwrap().len(), 1);
    assert_eq!(deployment.engine.sweep_helpers().await.unwrap(), 1);
    assert_eq!(deployment.engine.sweep_helpers().await.unwrap(), 0);
    sandbox.supervisor.status().await.unwrap();
}
