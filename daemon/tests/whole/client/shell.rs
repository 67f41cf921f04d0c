//! The client and the shell that it was started from: who has the terminal when.

use std::path::Path;

use nix::sys::signal::{Signal, kill};

use super::super::support::terminal::{Terminal, ctrl};
use super::super::support::{Deployment, until};

/// A shell with job control, as a user has it, and the line that starts the client.
fn shell(kiln: &Deployment) -> (Terminal, String) {
    let client = kiln.command(&[]);
    let bash = kiln.program(Path::new("/bin/bash"), &["--norc", "--noprofile", "-i"]);
    let line = format!(
        "PS1='ready> '; {}\r",
        client.get_program().to_string_lossy()
    );
    (Terminal::start(&bash, 90, 24), line)
}

#[tokio::test]
async fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back() {
    let kiln = Deployment::new();
    let (mut terminal, line) = shell(&kiln);
    terminal.press(&line);
    terminal.sees("offline").await;
    terminal.press(&ctrl('z'));
    terminal.sees("Stopped").await;
    assert!(!terminal.is_full_screen());
    terminal.press("echo the shell $((40 + 2))\r");
    terminal.sees("the shell 42").await;
    terminal.press("fg\r");
    terminal.sees("offline").await;
    assert!(terminal.is_full_screen());
    // Keys come to the client again, and to it alone.
    terminal.press("?");
    terminal.sees("to the beginning").await;
    terminal.press("q");
    terminal.sees_no_more("to the beginning").await;
    terminal.press("q");
    terminal.sees("ready> ").await;
    terminal.press("exit\r");
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn a_client_that_was_stopped_from_outside_takes_the_terminal_again() {
    // The one leaves no choice; the other is a wish, and the terminal is given back.
    for signal in [Signal::SIGSTOP, Signal::SIGTSTP] {
        stopped_from_outside(signal).await;
    }
}

async fn stopped_from_outside(signal: Signal) {
    let kiln = Deployment::new();
    let (mut terminal, line) = shell(&kiln);
    terminal.press(&line);
    terminal.sees("offline").await;
    let shell = terminal.pid();
    let children = format!("/proc/{shell}/task/{shell}/children");
    let client = std::fs::read_to_string(children).unwrap();
    let client = nix::unistd::Pid::from_raw(client.trim().parse().unwrap());
    kill(client, signal).unwrap();
    terminal.sees("Stopped").await;
    if signal == Signal::SIGTSTP {
        assert!(!terminal.is_full_screen());
    }
    terminal.press("\x0c");
    terminal.press("fg\r");
    terminal.sees("offline").await;
    until("it has the screen", super::PATIENCE, || async {
        terminal.is_full_screen().then_some(())
    })
    .await;
    terminal.press("?");
    terminal.sees("to the beginning").await;
    terminal.press(&ctrl('q'));
    terminal.sees("ready> ").await;
    terminal.press("exit\r");
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn what_is_no_terminal_is_told_so() {
    let mut kiln = Deployment::new();
    let ran = kiln.run(&[]).await.ended(2);
    assert!(ran.stderr.contains("not a terminal"), "{ran:?}");
    assert!(ran.stderr.contains("kiln --help"), "{ran:?}");
    // One of the two is not enough.
    let client = kiln.command(&[]).get_program().to_owned();
    let client = client.to_string_lossy();
    for line in [format!("{client} </dev/null"), format!("{client} | cat")] {
        let line = format!("set -o pipefail; {line}");
        let bash = kiln.program(Path::new("/bin/bash"), &["-c", &line]);
        let mut terminal = Terminal::start(&bash, 80, 24);
        terminal.sees("not a terminal").await;
        assert_eq!(terminal.ended().await, 2, "{line}");
        assert!(!terminal.is_full_screen());
    }
    kiln.set("TERM", "dumb");
    let mut terminal = Terminal::start(&kiln.command(&[]), 80, 24);
    terminal.sees("TERM=dumb").await;
    assert_eq!(terminal.ended().await, 2);
    assert!(!terminal.bytes().contains(&0x1b), "not one escape sequence");
}
