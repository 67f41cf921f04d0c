//! What a user writes is not lost: not to an editor, not by leaving, not by a kill.

use std::os::unix::fs::PermissionsExt;

use super::super::support::terminal::{ENTER, alt, ctrl};
use super::super::support::{Deployment, PATIENCE, until};
use super::{empty_project, open};

/// Fails once it is told so; says what terminal it was given; adds to the text.
const EDITOR: &str = "#!/bin/sh
test -e fail && exit 3
stty -a >terminal
printf ' and more' >>\"$1\"
";

#[tokio::test]
async fn an_editor_gets_the_terminal_and_the_prompt_gets_what_it_wrote() {
    let mut kiln = Deployment::on_a_server().await;
    let home = kiln.path().join("home");
    let editor = home.join("editor");
    std::fs::write(&editor, EDITOR).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    kiln.set("EDITOR", editor.display().to_string());
    kiln.start().await;
    empty_project(&kiln, "shop").await;
    let mut terminal = open(&kiln, 100, 30);
    terminal.sees("shop").await;
    terminal.press(ENTER);
    terminal.sees("Say what this app should be.").await;
    terminal.press("a list");
    terminal.sees("a list").await;
    terminal.press(&ctrl('g'));
    terminal.sees("a list and more").await;
    assert!(terminal.is_full_screen());
    let given = std::fs::read_to_string(home.join("terminal")).unwrap();
    assert!(given.contains(" icanon"), "{given}");
    // The keys are the client's again: raw, and not echoed by the terminal.
    terminal.press("!");
    terminal.sees("a list and more!").await;

    std::fs::write(home.join("fail"), "").unwrap();
    terminal.press(&ctrl('g'));
    terminal.sees("the prompt is as before").await;
    terminal.sees("a list and more!").await;
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
    assert_eq!(terminal.clipboard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_draft_outlives_going_elsewhere_and_a_kill() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    empty_project(&kiln, "shop").await;
    let mut terminal = open(&kiln, 100, 30);
    terminal.sees("shop").await;
    terminal.press(ENTER);
    terminal.sees("Say what this app should be.").await;
    terminal.press("half a thought");
    terminal.sees("half a thought").await;
    terminal.press(&alt('p'));
    terminal.sees("CHANGED").await;
    terminal.press(ENTER);
    terminal.sees("half a thought").await;
    terminal.press(" and its end");
    terminal.sees("half a thought and its end").await;
    let kept = || {
        let found = std::process::Command::new("grep")
            .args(["-rl", "half a thought and its end"])
            .arg(kiln.path().join("home"))
            .output()
            .unwrap();
        found.status.success()
    };
    until("it is kept though nobody left", PATIENCE, || async {
        kept().then_some(())
    })
    .await;
    terminal.kill_hard();

    let mut again = open(&kiln, 100, 30);
    again.sees("shop").await;
    again.press(ENTER);
    again.sees("half a thought and its end").await;
    again.press(&ctrl('q'));
    assert_eq!(again.ended().await, 0);
}
