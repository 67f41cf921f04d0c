//! The full-screen client on a terminal, against the real daemon.

mod behaviour;
mod daemon_gone;
mod first_run;
mod hostile;
mod journey;
mod shell;
mod writing;

use std::process::Stdio;

use kiln_proto::v1;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::support::api::Api;
use super::support::terminal::Terminal;
use super::support::{Deployment, PATIENCE, terminal};

/// Opens the client as the user who runs the daemon.
fn open(kiln: &Deployment, columns: u16, rows: u16) -> Terminal {
    Terminal::start(&kiln.command(&[]), columns, rows)
}

/// Makes a project from a prompt, from the list of projects.
async fn new_project(terminal: &mut Terminal, prompt: &str) {
    terminal.sees("online").await;
    terminal.sees("No projects yet").await;
    terminal.press("n");
    terminal.sees("What should it be?").await;
    terminal.press(prompt);
    terminal.sees(prompt).await;
    terminal.press(terminal::ENTER);
}

/// Makes a project of which nothing was asked yet.
async fn empty_project(kiln: &Deployment, name: &str) {
    let request = v1::CreateProjectRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let api = Api::of(kiln).await;
    api.projects().create_project(request).await.unwrap();
}

/// The log of the newest project, as `kiln watch` writes it, to the end of the
/// first generation.
async fn events(kiln: &Deployment) -> Vec<Value> {
    let mut command =
        tokio::process::Command::from(kiln.command(&["watch", "--after", "0", "--json"]));
    let mut watch = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let read = async {
        let mut events = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            let event: Value = serde_json::from_str(&line).unwrap();
            let is_over = event["kind"] == "generation_finished";
            events.push(event);
            if is_over {
                return events;
            }
        }
        panic!("the log ends: {events:?}");
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap()
}
