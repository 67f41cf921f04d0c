//! How the client treats a terminal, whatever happens to either.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::super::support::terminal::ENTER;
use super::super::support::{Deployment, until};
use super::{empty_project, open};

#[tokio::test]
async fn a_terminal_is_given_back_on_every_signal_that_asks_to_end() {
    let kiln = Deployment::new();
    let all = [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
    ];
    for signal in all {
        let mut terminal = open(&kiln, 80, 24);
        terminal.sees("offline").await;
        assert!(terminal.is_full_screen());
        kill(terminal.pid(), signal).unwrap();
        assert_eq!(terminal.ended().await, 0, "{signal}");
    }
}

#[tokio::test]
async fn a_panic_anywhere_is_read_on_the_ordinary_screen() {
    let mut kiln = Deployment::new();
    for part in ["loop", "task"] {
        kiln.set("KILN_TEST_PANIC", part);
        let mut terminal = open(&kiln, 100, 24);
        assert_eq!(terminal.ended().await, 101, "{part}");
        terminal.sees("panicked").await;
        terminal.sees(&format!("KILN_TEST_PANIC: the {part}")).await;
        assert!(!terminal.is_full_screen());
    }
}

#[tokio::test]
async fn a_window_of_one_cell_and_back_is_no_trouble() {
    let kiln = Deployment::new();
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
    let mut kiln = Deployment::new();
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
async fn nothing_is_written_and_nothing_computed_while_nothing_happens() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    empty_project(&kiln, "shop").await;
    let mut terminal = open(&kiln, 80, 24);
    terminal.sees("shop").await;
    for open_project in [false, true] {
        if open_project {
            terminal.press(ENTER);
            terminal.sees("Say what this app should be.").await;
        }
        // The last frame is out once two looks a second apart find the same.
        let written = until("it comes to rest", Duration::from_secs(60), || async {
            let before = terminal.bytes().len();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let after = terminal.bytes().len();
            (before == after).then_some(after)
        })
        .await;
        let worked = terminal.processor_time();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(terminal.bytes().len(), written);
        let worked = terminal.processor_time().saturating_sub(worked);
        assert!(worked <= Duration::from_millis(20), "{worked:?} in 3 s");
    }
    terminal.press("\x11");
    assert_eq!(terminal.ended().await, 0);
}
