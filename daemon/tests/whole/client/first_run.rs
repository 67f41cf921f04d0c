//! The first screen of whoever runs the daemon: where models are to come from.

use super::super::support::Deployment;
use super::super::support::model::{MODEL, Model, Reply};
use super::super::support::terminal::{ENTER, ctrl};
use super::{new_project, open};

#[tokio::test]
async fn who_chose_the_demo_model_is_not_asked_again() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_LOCAL_PORTS", "none");
    kiln.start().await;
    let mut terminal = open(&kiln, 100, 30);
    terminal.sees("Welcome to Kiln").await;
    terminal.sees("OpenRouter").await;
    terminal.press("G");
    terminal.press(ENTER);
    terminal.sees_no_more("Welcome to Kiln").await;
    terminal.sees("the demo model (canned answers)").await;
    terminal.sees("No projects yet").await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);

    let mut again = open(&kiln, 100, 30);
    again.sees("No projects yet").await;
    again.sees("the demo model (canned answers)").await;
    again.press("?");
    again.sees("open the project").await;
    assert!(!again.screen().contains("Welcome"), "{}", again.screen());
    again.press(&ctrl('q'));
    assert_eq!(again.ended().await, 0);
}

#[tokio::test]
async fn a_model_server_on_this_machine_is_found_and_serves_at_once() {
    let model = Model::start().await;
    model.then(Reply::Answer("I would rather not.\n".to_owned()));
    let port = model.url.rsplit(':').next().unwrap().replace("/v1", "");
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_LOCAL_PORTS", port);
    kiln.start().await;
    let mut terminal = open(&kiln, 100, 30);
    terminal.sees("Welcome to Kiln").await;
    terminal.sees("found here").await;
    terminal.press("j");
    terminal.press(ENTER);
    terminal.sees_no_more("Welcome to Kiln").await;
    terminal.sees(MODEL).await;
    new_project(&mut terminal, "a todo list").await;
    terminal.sees("I would rather not.").await;
    terminal.sees("failed after").await;
    assert!(!model.calls().is_empty());
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
}
