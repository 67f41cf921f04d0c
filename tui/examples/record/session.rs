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
const DOWN: &str = "\x1b[B";
const CONVERSATION: &str = "\x1b1";
const FILES: &str = "\x1b2";
const LOGS: &str = "\x1b3";
const MODELS: &str = "\x1bm";

/// What a session left.
pub(crate) struct Session {
    /// The workspace, with everything that belongs on a picture.
    pub(crate) workspace: Screen,
    /// What was written up to the last keys.
    pub(crate) chunks: Vec<Chunk>,
}

/// Plays it on a client with an empty home, at a daemon without projects.
pub(crate) fn play(program: &Program) -> io::Result<Session> {
    let mut client = Terminal::start(program)?;
    client.wait_for_text(LIMIT, "online")?;
    // Where models are to come from: the last choice is the demo model.
    client.wait_for_text(LIMIT, "Welcome to Kiln")?;
    sleep(LOOKS);
    client.send("\x1b[F")?;
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
    client.send(CONVERSATION)?;
    client.send("i")?;
    write(&mut client, "make it purple, and call it \"Garden\"")?;
    client.send(ENTER)?;
    client.wait_for(LIMIT, "the second answer", |screen| {
        screen.contents().matches("ready in").count() > 1
            || screen.contents().contains("accent colour (purple)")
                && screen.contents().contains("ready in")
    })?;
    sleep(LOOKS);

    client.send(FILES)?;
    sleep(LOOKS / 2);
    for _ in 0..3 {
        client.send(DOWN)?;
        sleep(TYPES * 4);
    }
    client.send(ENTER)?;
    sleep(LOOKS);
    let workspace = client.screen();

    client.send(CONTROL_P)?;
    sleep(LOOKS / 2);
    write(&mut client, "mod")?;
    sleep(LOOKS);
    client.send(ESCAPE)?;
    sleep(LOOKS / 2);
    client.send(MODELS)?;
    sleep(LOOKS);
    client.send(ESCAPE)?;
    sleep(LOOKS / 2);
    let chunks = client.chunks();
    client.quit(CONTROL_Q)?;
    Ok(Session { workspace, chunks })
}

/// Types as people do.
fn write(client: &mut Terminal, text: &str) -> io::Result<()> {
    for letter in text.chars() {
        client.send(letter.encode_utf8(&mut [0; 4]))?;
        sleep(TYPES);
    }
    Ok(())
}
