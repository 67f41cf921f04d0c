//! What a browser sees.

use std::path::Path;

use super::support::{Deployment, Ran};

#[tokio::test]
async fn a_browser_draws_the_app_and_its_console_holds_no_error() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let app = kiln.app("a todo list", "demo/kiln").await;

    let profile = format!("--user-data-dir={}", kiln.path().join("chromium").display());
    let command = kiln.program(
        Path::new("chromium"),
        &[
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
            "--enable-logging=stderr",
            "--dump-dom",
            "--virtual-time-budget=8000",
            &app.url,
        ],
    );
    let ran = Ran::of(command.into()).await.ended(0);

    let (_, root) = ran
        .stdout
        .split_once("<div id=\"root\">")
        .expect("there is a root");
    for text in [
        "Today",
        "A short list is a list that gets done.",
        "Water the plants",
    ] {
        assert!(root.contains(text), "{text} is not on the page: {root}");
    }
    let console: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .collect();
    // The dev server says there that it is connected: lines do arrive.
    assert!(!console.is_empty(), "{}", ran.stderr);
    for line in console {
        let bad = ["ERROR:CONSOLE", "Uncaught", "Failed to load", "error"];
        assert!(!bad.iter().any(|word| line.contains(word)), "{line}");
    }
}
