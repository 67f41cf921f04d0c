//! What is shown while there is nothing to show.

use std::time::Duration;

use kiln_daemon::preview::{StepState, WaitingPage, WaitingStep};

use crate::support::{Empty, Preview, says, text};

fn building() -> WaitingPage {
    let step = |title: &str, state| WaitingStep {
        title: title.into(),
        state,
        duration: Some(Duration::from_millis(1_500)),
    };
    WaitingPage {
        title: "building".into(),
        steps: vec![
            step("copy the files", StepState::Passed),
            step("install <all>", StepState::Running),
            step("start", StepState::Pending),
        ],
        error: None,
        log: vec!["\u{1b}[32mbun install\u{1b}[0m".into()],
    }
}

async fn status(preview: &Preview) -> serde_json::Value {
    let response = preview
        .send(preview.request("GET", "/.kiln/status").empty())
        .await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn a_window_sees_the_steps_and_a_script_a_line() {
    let preview = Preview::of(says("the app")).await;
    preview.sandbox.wait(building());
    let window = preview
        .request("GET", "/any/path")
        .header("accept", "text/html,*/*;q=0.8");
    let response = preview.send(window.empty()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers().contains_key("content-security-policy"));
    let page = text(response).await;
    assert!(page.contains("<p>step 2 of 3</p>"), "{page}");
    assert!(
        page.contains(
            "<li class=\"running\"><span>install &lt;all&gt;</span><time>1.5 s</time></li>"
        ),
        "{page}"
    );
    // Nothing is loaded from anywhere.
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("url("));

    let script = preview.request("GET", "/main.js").header("accept", "*/*");
    let response = preview.send(script.empty()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(
        text(response).await,
        "building, step 2 of 3: install <all>\n"
    );
    assert_eq!(preview.sandbox.opened(), 0);
}

#[tokio::test]
async fn the_page_learns_when_the_app_is_there() {
    let preview = Preview::of(says("the app")).await;
    preview.sandbox.wait(building());
    let waiting = status(&preview).await;
    assert_eq!(waiting["ready"], false);
    assert_eq!(waiting["title"], "building");
    assert_eq!(
        (&waiting["position"], &waiting["count"]),
        (&2.into(), &3.into())
    );
    let fragment = waiting["fragment"].as_str().unwrap();
    assert!(fragment.contains("install &lt;all&gt;"), "{fragment}");

    preview.sandbox.show(5173);
    let ready = status(&preview).await;
    assert_eq!(ready["ready"], true);
    assert!(ready["revision"].is_string());
    assert_eq!(preview.get("/").await, (200, "the app".to_owned()));
}

#[tokio::test]
async fn an_app_that_is_gone_is_said_to_be_and_comes_back() {
    let preview = Preview::of(says("the app")).await;
    assert_eq!(preview.get("/").await.0, 200);
    preview.sandbox.kill(5173);
    let window = preview.request("GET", "/").header("accept", "text/html");
    let response = preview.send(window.empty()).await;
    assert_eq!(response.status(), 502);
    let page = text(response).await;
    assert!(page.contains("<h1>the app does not answer</h1>"), "{page}");
    assert!(page.contains("it takes no connections"), "{page}");
    assert_eq!(status(&preview).await["ready"], false);
    let (code, line) = preview.get("/main.js").await;
    assert_eq!(code, 502);
    assert!(line.starts_with("the app does not answer: "), "{line}");

    // Stopped on purpose while it was being asked: the reason is shown.
    preview.sandbox.wait(building());
    assert_eq!(preview.get("/").await.0, 503);
    preview.sandbox.show(5173);

    preview.sandbox.run(5173, says("back again"));
    assert_eq!(status(&preview).await["ready"], true);
    assert_eq!(preview.get("/").await, (200, "back again".to_owned()));
}

#[tokio::test]
async fn our_corner_never_reaches_the_app() {
    let preview = Preview::of(says("the app")).await;
    assert_eq!(preview.get("/.kiln/other").await.0, 404);
    assert_eq!(preview.get("/.kiln").await.0, 404);
    assert_eq!(preview.sandbox.opened(), 0);
}
