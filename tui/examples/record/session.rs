//! What is typed, and what is waited for: from the list of projects to a running
//! app, and on to the rest of the client.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use vt100::Screen;

use crate::terminal::{Chunk, Program, Terminal};

/// A project may take this long on a slow machine, its first sandbox included.
const LIMIT: Duration = Duration::from_secs(180);
/// Between two letters.
const TYPES: Duration = Duration::from_millis(45);
/// To have a look.
const LOOKS: Duration = Duration::from_millis(1_400);

const ENTER: &str = "\r";
const ESCAPE: &str = "\x1b";
const CONTROL_P: &str = "\x10";
const CONTROL_Q: &str = "\x11";
const END: &str = "\x1b[F";
const PAGE_DOWN: &str = "\x1b[6~";
const FILES: &str = "\x1b2";
const LOGS: &str = "\x1b3";

/// What a session left.
pub(crate) struct Session {
    /// The workspace, with everything that belongs on a picture.
    pub(crate) workspace: Screen,
    /// Everything that was written.
    pub(crate) chunks: Vec<Chunk>,
}

/// Plays it on a client with an empty home, at a daemon without projects.
pub(crate) fn play(program: &Program) -> io::Result<Session> {
    let mut client = Terminal::start(program)?;
    client.wait_for_text(LIMIT, "online")?;
    // Where models are to come from: the last choice is the demo model.
    client.wait_for_text(LIMIT, "Welcome to Kiln")?;
    sleep(LOOKS);
    client.send(END)?;
    sleep(LOOKS / 2);
    client.send(ENTER)?;
    client.wait_for(LIMIT, "the welcome to be gone", |screen| {
        !screen.contents().contains("Welcome to Kiln")
    })?;
    sleep(LOOKS);

    client.send("n")?;
    client.wait_for_text(LIMIT, "New project")?;
    write(&mut client, "a todo list for the garden")?;
    sleep(LOOKS / 2);
    client.send(ENTER)?;
    client.wait_for_text(LIMIT, "ready in")?;
    sleep(LOOKS);

    client.send(LOGS)?;
    sleep(LOOKS);
    client.send("t")?;
    sleep(LOOKS);
    client.send("i")?;
    write(&mut client, "make it purple, and call it \"Garden\"")?;
    sleep(LOOKS / 2);
    client.send(ENTER)?;
    client.wait_for(LIMIT, "the end of the second answer", |screen| {
        let text = screen.contents();
        let after = text.rfind("heading is now").map(|at| &text[at..]);
        after.is_some_and(|after| after.contains("ready in"))
    })?;
    sleep(LOOKS);

    client.send(FILES)?;
    sleep(LOOKS / 2);
    client.send("/")?;
    write(&mut client, "App.tsx")?;
    client.send(ENTER)?;
    sleep(LOOKS / 2);
    client.send(ENTER)?;
    // Its first lines: the file that was changed.
    client.wait_for_text(LIMIT, "#9333ea\"")?;
    sleep(LOOKS);
    let workspace = client.screen();
    client.send(PAGE_DOWN)?;
    sleep(LOOKS);

    client.send(CONTROL_P)?;
    sleep(LOOKS);
    write(&mut client, "choose a model")?;
    sleep(LOOKS / 2);
    client.send(ENTER)?;
    client.wait_for_text(LIMIT, "demo/repair")?;
    sleep(LOOKS * 2);
    client.send(ESCAPE)?;
    sleep(LOOKS);
    client.quit(CONTROL_Q)?;
    Ok(Session {
        workspace,
        chunks: client.chunks(),
    })
}

/// Types as people do.
fn write(client: &mut Terminal, text: &str) -> io::Result<()> {
    for letter in text.chars() {
        client.send(letter.encode_utf8(&mut [0; 4]))?;
        sleep(TYPES);
    }
    Ok(())
}
