//! The daemon dies and comes back while somebody watches.

use std::time::Duration;

use super::super::support::Deployment;
use super::super::support::model::{MODEL, Model, Reply, writes};
use super::super::support::terminal::{ESC, TAB, ctrl};
use super::{new_project, open};

#[tokio::test]
async fn what_was_seen_is_there_again_once_and_the_user_is_told_what_to_do() {
    let model = Model::start().await;
    let prose: String = (1..=60)
        .map(|n| format!("line number {n:03}\n\n"))
        .collect();
    model.then(Reply::Silence(format!(
        "{prose}{}",
        writes("src/part.ts", "export {};\n")
    )));
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &model.url);
    kiln.set("KILN_MODEL_DEFAULT", MODEL);
    kiln.start().await;
    let mut terminal = open(&kiln, 100, 40);
    new_project(&mut terminal, "something long").await;
    terminal.sees("line number 060").await;
    terminal.sees("src/part.ts").await;

    kiln.kill().await;
    terminal
        .sees_within("offline", Duration::from_secs(2))
        .await;
    // Everything but the daemon goes on.
    terminal.press(TAB);
    terminal.press("g");
    terminal.sees("line number 001").await;
    terminal.press("G");
    terminal.sees("line number 060").await;
    terminal.press(&ctrl('p'));
    terminal.sees("Everything").await;
    terminal.press(ESC);
    terminal.sees_no_more("Everything").await;

    kiln.start().await;
    terminal.sees("online").await;
    terminal.sees("interrupted").await;
    terminal.sees("Ctrl-↑").await;
    terminal.press("g");
    terminal.sees("line number 001").await;
    assert_eq!(terminal.screen().matches("line number 001").count(), 1);
    terminal.press("G");
    terminal.sees("line number 060").await;
    assert_eq!(terminal.screen().matches("line number 060").count(), 1);

    // All of it, in order, none twice, as the log itself has it.
    let ran = kiln
        .run(&["watch", "--after", "0", "--json", "--until-now"])
        .await;
    drop(ran);
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn quitting_works_while_there_is_no_daemon() {
    let kiln = Deployment::on_a_server().await;
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("offline").await;
    terminal.sees("kilnd").await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
}
