//! From nobody to an app that runs, and on to the next prompt, by keys alone.

use super::super::support::terminal::{ENTER, TAB, Terminal, alt, ctrl};
use super::super::support::{Deployment, http};

#[tokio::test]
async fn from_sign_up_to_a_preview_to_a_second_prompt() {
    let mut kiln = Deployment::new();
    kiln.start().await;
    let invite = kiln.run(&["auth", "invite"]).await.ended(0).stdout;
    let server = format!("http://{}", kiln.daemon().tcp);
    let mut terminal = Terminal::start(&kiln.command(&["--server", &server]), 120, 40);

    terminal.sees("sign in").await;
    terminal.press(&alt('u'));
    terminal.sees("Invite").await;
    for field in [
        "ada@example.com",
        "Ada",
        "a long enough passphrase",
        invite.trim(),
    ] {
        terminal.press(field);
        terminal.press(TAB);
    }
    // Around to the first field, back to the last: Enter sends there.
    terminal.press("\x1b[Z");
    terminal.press(ENTER);
    terminal.sees("No projects yet").await;
    let secret = "a long enough passphrase";
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains(secret));

    terminal.press("n");
    terminal.sees("What should it be?").await;
    terminal.press("a todo list");
    terminal.press(ENTER);
    terminal.sees("src/App.tsx").await;
    terminal.sees("✓ ready in").await;
    let url = address(&terminal);
    assert_eq!(http::get(&url, "/", "text/html").await.unwrap().status, 200);

    terminal.press("make the accent colour teal");
    terminal.press(ENTER);
    terminal.sees("revision 2").await;
    terminal
        .shows(
            "two prompts ended ready",
            super::super::support::PATIENCE,
            |screen| {
                screen.contains("revision 2")
                    && screen.matches("✓ ready in").count() >= 1
                    && !screen.contains("Ctrl-C cancel")
            },
        )
        .await;
    assert_eq!(address(&terminal), url, "the address stays");
    assert_eq!(http::get(&url, "/", "text/html").await.unwrap().status, 200);

    terminal.press(&alt('3'));
    terminal.sees("VITE").await;
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
}

/// The address of the app, as the status line says it.
fn address(terminal: &Terminal) -> String {
    let screen = terminal.screen();
    let start = screen
        .rfind("http://127.0.0.1:")
        .expect("an address is shown");
    screen[start..]
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned()
}
