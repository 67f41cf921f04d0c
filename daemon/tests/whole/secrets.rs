//! Where the provider's key may be: in the daemon, and in its calls.

use super::support::model::{self, MODEL, Model, Reply};
use super::support::{Deployment, docker};

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn the_key_is_in_no_container_no_image_no_log_and_no_answer() {
    let provider = Model::start().await;
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &provider.url);
    kiln.set("OPENROUTER_API_KEY", KEY);
    kiln.set("KILN_LOG_LEVEL", "debug");
    kiln.start().await;
    provider.then(Reply::Answer(model::heading("First")));
    let app = kiln.app("a heading", MODEL).await;
    provider.then(Reply::Refusal(401));
    let refused = kiln.run(&["generate", "another", "--json"]).await.ended(1);

    // It was used, so it could have been anywhere.
    let calls = provider.calls();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        let (head, body) = call.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(KEY), "{head}");
        assert!(!body.contains(KEY), "it is in the prompt");
    }

    let label = kiln.label();
    let mut places = vec![
        ("the log", kiln.daemon().log()),
        ("the client", refused.stdout + &refused.stderr),
        (
            "the status",
            kiln.run(&["status", "--json"]).await.ended(0).stdout,
        ),
        (
            "the history",
            kiln.run(&["history", "-p", &app.project, "--json"])
                .await
                .ended(0)
                .stdout,
        ),
    ];
    let containers = docker::containers(&label);
    assert_eq!(containers.len(), 1);
    for id in &containers {
        places.push(("inspect", docker::docker(&["inspect", id])));
        let image = docker::docker(&["inspect", "--format", "{{.Image}}", id]);
        places.push(("image", docker::docker(&["image", "inspect", &image])));
        places.push((
            "its history",
            docker::docker(&["history", "--no-trunc", &image]),
        ));
        let inside = "tr '\\0' '\\n' < /proc/1/environ; for p in /proc/[0-9]*; do \
                      tr '\\0' '\\n' < $p/environ; tr '\\0' '\\n' < $p/cmdline; done 2>/dev/null; env";
        let inside = docker::docker(&["exec", id, "sh", "-c", inside]);
        assert!(inside.contains("PATH="), "{inside}");
        places.push(("inside", inside));
    }
    for (place, text) in places {
        assert!(!text.is_empty(), "{place}");
        assert!(!text.contains(KEY), "the key is in {place}");
    }
}
