//! Models that fail, each in its own way: a clear outcome, and the app that was
//! there stays.

use serde_json::Value;

use super::support::model::{self, MODEL, Model, Reply};
use super::support::{Deployment, http, ready};

/// A deployment whose models are `provider`'s.
async fn with(provider: &Model) -> Deployment {
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &provider.url);
    kiln.start().await;
    kiln
}

/// What the first prompt of a project comes to.
async fn first(kiln: &Deployment) -> Value {
    let ran = kiln
        .run(&["new", "a heading", "--model", MODEL, "--json"])
        .await;
    ran.ended(1).last()
}

/// What a further prompt comes to.
async fn further(kiln: &Deployment) -> Value {
    kiln.run(&["generate", "another", "--json"])
        .await
        .ended(1)
        .last()
}

#[track_caller]
fn assert_failed(result: &Value, reason: &str) {
    assert_eq!(result["type"], "result", "{result}");
    assert_eq!(result["outcome"], "FAILED", "{result}");
    assert_eq!(result["failure_reason"], reason, "{result}");
    assert_ne!(result["message"], "", "{result}");
}

#[tokio::test]
async fn a_refused_key_is_said_at_once_and_not_tried_again() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    provider.then(Reply::Refusal(401));
    let result = first(&kiln).await;
    assert_failed(&result, "UPSTREAM_KEY_INVALID");
    assert_eq!(result["preview_url"], Value::Null);
    assert_eq!(result["revision_id"], Value::Null);
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn an_answer_that_changes_nothing_fails_as_such() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    provider.then(Reply::Answer("I would rather talk about ships.".into()));
    let result = first(&kiln).await;
    assert_failed(&result, "NO_OPERATIONS");
    assert_eq!(result["revision_id"], Value::Null);
    // Neither was it free: what it cost is not known.
    assert_eq!(result["cost_micro_usd"], Value::Null);
    assert_eq!(result["completion_tokens"], 7);
}

#[tokio::test]
async fn an_edit_that_does_not_match_applies_nothing() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    let answer = model::writes("src/Extra.tsx", "export const extra = 1;\n")
        + &model::edits("src/App.tsx", "no such line", "another");
    provider.then(Reply::Answer(answer));
    let result = first(&kiln).await;
    assert_failed(&result, "INVALID_OPERATION");
    assert_eq!(result["revision_id"], Value::Null);
    assert!(
        result["message"].as_str().unwrap().contains("no such line"),
        "{result}"
    );
}

#[tokio::test]
async fn a_syntax_error_fails_the_probe_and_the_healthy_revision_stays() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    provider.then(Reply::Answer(model::heading("Healthy")));
    let app = kiln.app("a heading", MODEL).await;
    let page = http::shown(&app.url, "/src/App.tsx").await.body;

    let broken = "export default function App() {\n  return <h1>Broken;\n}\n";
    provider.then(Reply::Answer(model::writes("src/App.tsx", broken)));
    let result = further(&kiln).await;
    assert_failed(&result, "PROBE_FAILED");
    assert!(
        result["message"].as_str().unwrap().contains("src/App.tsx"),
        "{result}"
    );
    assert_ne!(result["revision_id"], Value::Null);
    assert_eq!(http::shown(&app.url, "/src/App.tsx").await.body, page);

    // And the next one starts from what is broken, and may mend it.
    provider.then(Reply::Answer(model::edits(
        "src/App.tsx",
        "  return <h1>Broken;",
        "  return <h1>Mended</h1>;",
    )));
    kiln.run(&["generate", "mend it"]).await.ended(0);
    assert!(
        http::shown(&app.url, "/src/App.tsx")
            .await
            .body
            .contains("Mended")
    );
}

#[tokio::test]
async fn an_error_of_types_fails_the_check_and_the_healthy_revision_stays() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    provider.then(Reply::Answer(model::heading("Healthy")));
    let app = kiln.app("a heading", MODEL).await;

    let wrong =
        "const n: number = \"one\";\nexport default function App() {\n  return <h1>{n}</h1>;\n}\n";
    provider.then(Reply::Answer(model::writes("src/App.tsx", wrong)));
    let result = further(&kiln).await;
    assert_failed(&result, "CHECK_FAILED");
    assert!(
        result["message"].as_str().unwrap().contains("TS2322"),
        "{result}"
    );
    assert!(
        http::shown(&app.url, "/src/App.tsx")
            .await
            .body
            .contains("Healthy")
    );
}

#[tokio::test]
async fn a_package_is_installed_and_the_lockfile_comes_back_into_the_revision() {
    let provider = Model::start().await;
    let kiln = with(&provider).await;
    provider.then(Reply::Answer(model::heading("Without")));
    let app = kiln.app("a heading", MODEL).await;
    let before = kiln.files().await;

    let source = "import { z } from \"zod\";\n\nconst Name = z.string();\n\n\
                  export default function App() {\n  return <h1>{Name.parse(\"With\")}</h1>;\n}\n";
    let answer = "<kiln-add-dependency packages=\"zod\" />\n".to_owned()
        + &model::writes("src/App.tsx", source);
    provider.then(Reply::Answer(answer));
    let ran = kiln
        .run(&["generate", "check names", "--json"])
        .await
        .ended(0);
    let next = ready(&ran.last());
    assert_eq!(ran.last()["cost_micro_usd"], Value::Null);
    assert!(
        http::shown(&next.url, "/src/App.tsx")
            .await
            .body
            .contains("zod")
    );

    let after = kiln.files().await;
    let changed: Vec<&str> = after
        .iter()
        .filter(|file| !before.contains(file))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(changed, ["bun.lock", "package.json", "src/App.tsx"]);
    let lockfile = kiln.run(&["files", "bun.lock"]).await.ended(0).stdout;
    assert!(lockfile.contains("zod"), "{lockfile}");

    // A sandbox that is made anew has it too: the revision is the truth.
    kiln.run(&["sandbox", "restart", "-p", &app.project])
        .await
        .ended(0);
    assert!(
        http::shown_again(&app.url, "/src/App.tsx")
            .await
            .body
            .contains("zod")
    );
}
