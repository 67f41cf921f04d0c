//! The full-screen client on a terminal, against the real daemon.

mod behaviour;
mod daemon_gone;
mod hostile;
mod journey;

use super::support::terminal::Terminal;
use super::support::{Deployment, terminal};

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
