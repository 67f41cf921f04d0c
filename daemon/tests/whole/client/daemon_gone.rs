//! The daemon dies and comes back while somebody watches.

use std::time::{Duration, Instant};

use super::super::support::model::{MODEL, Model, Reply};
use super::super::support::terminal::{ENTER, ESC, TAB, Terminal, ctrl};
use super::super::support::{Deployment, PATIENCE, until};
use super::{events, new_project, open};

/// What is said within a second after the daemon is gone.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_was_seen_is_there_again_once_and_the_user_is_told_what_to_do() {
    let model = Model::start().await;
    // More than is said before the daemon is killed.
    let prose: String = (1..=5_000)
        .map(|n| format!("line number {n:04}\n\n"))
        .collect();
    model.then(Reply::Slowly(prose.clone()));
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &model.url);
    kiln.set("KILN_MODEL_DEFAULT", MODEL);
    kiln.start().await;
    let mut terminal = open(&kiln, 100, 40);
    let mut other = open(&kiln, 100, 40);
    other.sees("No projects yet").await;
    new_project(&mut terminal, "something long").await;
    terminal.sees("line number 0060").await;
    other.sees("something long").await;
    other.press(ENTER);
    other.sees("line number 0070").await;

    kiln.kill().await;
    let died = Instant::now();
    terminal.sees_within("offline", AT_ONCE).await;
    assert!(died.elapsed() <= AT_ONCE, "{:?}", died.elapsed());
    // Everything but the daemon goes on.
    terminal.press(TAB);
    terminal.press("g");
    terminal.sees("line number 0001").await;
    terminal.press("G");
    terminal.sees("line number 0060").await;
    terminal.press(&ctrl('p'));
    terminal.sees("Everything").await;
    terminal.press(ESC);
    terminal.sees_no_more("Everything").await;
    assert_eq!(
        terminal.clipboard(),
        Vec::<String>::new(),
        "nobody asked to copy"
    );

    kiln.start().await;
    terminal.sees("online").await;
    terminal.sees("interrupted after").await;
    terminal.sees("Ctrl-↑").await;
    terminal.sees("brings the prompt back").await;

    // All of it, in order, none twice, as the log itself has it.
    let logged: String = events(&kiln)
        .await
        .iter()
        .filter(|event| event["kind"] == "text_delta")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert!(logged.contains("line number 0060"), "{logged}");
    assert!(prose.starts_with(&logged), "{logged}");
    assert_eq!(copied(&mut terminal).await, logged);
    other.press(TAB);
    assert_eq!(copied(&mut other).await, logged);

    // Two clients see the same, once what was said of the copy is gone.
    for client in [&mut terminal, &mut other] {
        client.press("G");
    }
    terminal
        .shows("both see the same", PATIENCE, |screen| {
            screen == other.screen()
        })
        .await;
    for mut client in [terminal, other] {
        client.press(&ctrl('q'));
        assert_eq!(client.ended().await, 0);
    }
}

/// Copies the answer: up from the end, part by part, until it is that.
async fn copied(terminal: &mut Terminal) -> String {
    terminal.press("G");
    let mut known = 0;
    until("the answer is copied", PATIENCE, || {
        terminal.press("k");
        terminal.press("y");
        let copied = terminal.clipboard();
        let new = copied[known..]
            .iter()
            .find(|text| text.starts_with("line number"))
            .cloned();
        known = copied.len();
        async { new }
    })
    .await
}

#[tokio::test]
async fn quitting_works_while_there_is_no_daemon() {
    let kiln = Deployment::new();
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("offline").await;
    terminal.sees("kilnd").await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
}
