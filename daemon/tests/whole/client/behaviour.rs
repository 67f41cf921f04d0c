//! How the client treats a terminal, whatever happens to either.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::super::support::terminal::{Terminal, ctrl};
use super::super::support::{Deployment, until};
use super::open;

#[tokio::test]
async fn a_terminal_is_given_back_on_sigterm_and_on_hangup() {
    let kiln = Deployment::on_a_server().await;
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut terminal = open(&kiln, 80, 24);
        terminal.sees("kiln").await;
        assert!(terminal.is_full_screen());
        kill(terminal.pid(), signal).unwrap();
        assert_eq!(terminal.ended().await, 0, "{signal}");
    }
}

#[tokio::test]
async fn a_panic_is_read_on_the_ordinary_screen() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_TEST_PANIC", "1");
    let mut terminal = open(&kiln, 100, 24);
    terminal.sees("panicked").await;
    assert_ne!(terminal.ended().await, 0);
}

#[tokio::test]
async fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back() {
    let kiln = Deployment::on_a_server().await;
    // A shell with job control around it, as for a user.
    let client = kiln.command(&[]);
    let shell = kiln.program(std::path::Path::new("/bin/bash"), &["--norc", "-i"]);
    let mut terminal = Terminal::start(&shell, 90, 24);
    terminal.press(&format!(
        "PS1='ready> '; {}\r",
        client.get_program().to_string_lossy()
    ));
    terminal.sees("offline").await;
    terminal.press(&ctrl('z'));
    terminal.sees("Stopped").await;
    assert!(!terminal.is_full_screen());
    terminal.press("echo the shell $((40 + 2))\r");
    terminal.sees("the shell 42").await;
    terminal.press("fg\r");
    terminal.sees("offline").await;
    assert!(terminal.is_full_screen());
    terminal.press("q");
    terminal.sees("ready> ").await;
    terminal.press("exit\r");
    terminal.ended().await;
}

#[tokio::test]
async fn a_window_of_one_cell_and_back_is_no_trouble() {
    let kiln = Deployment::on_a_server().await;
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("offline").await;
    terminal.resize(1, 1);
    terminal
        .shows("it drew in one cell", Duration::from_secs(10), |screen| {
            screen.trim().chars().count() <= 1
        })
        .await;
    terminal.resize(30, 8);
    terminal.sees("40x10").await;
    terminal.resize(120, 40);
    terminal.sees("offline").await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn without_colour_none_is_written() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("NO_COLOR", "1");
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("offline").await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
    let written = String::from_utf8(terminal.bytes()).unwrap();
    for sequence in written.split("\x1b[").skip(1) {
        let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else {
            continue;
        };
        if &sequence[end..=end] != "m" {
            continue;
        }
        for number in sequence[..end]
            .split(';')
            .filter_map(|n| n.parse::<u32>().ok())
        {
            let is_colour = (30..=38).contains(&number)
                || (40..=48).contains(&number)
                || (90..=107).contains(&number);
            assert!(!is_colour, "\\e[{}m", &sequence[..end]);
        }
    }
}

#[tokio::test]
async fn what_is_no_terminal_is_told_so() {
    let mut kiln = Deployment::on_a_server().await;
    let ran = kiln.run(&[]).await.ended(2);
    assert!(ran.stderr.contains("not a terminal"), "{ran:?}");
    assert!(ran.stderr.contains("kiln --help"), "{ran:?}");
    kiln.set("TERM", "dumb");
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("TERM=dumb").await;
    assert_eq!(terminal.ended().await, 2);
    assert!(!terminal.bytes().contains(&0x1b), "not one escape sequence");
}

#[tokio::test]
async fn nothing_is_written_while_nothing_happens() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("No projects yet").await;
    // The last frame is out once two looks a second apart find the same.
    let written = until("it comes to rest", Duration::from_secs(60), || async {
        let before = terminal.bytes().len();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = terminal.bytes().len();
        (before == after).then_some(after)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(terminal.bytes().len(), written);
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
}
