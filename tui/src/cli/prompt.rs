//! Asks people, where there are people: lines, yes or no, and passwords that
//! are not shown. Where stdin is no terminal, lines are read from it as they
//! are, and nothing is asked.

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, Failure, Stop};

/// The longest line that is read, in bytes.
const LINE_MAX: usize = 4096;
/// The longest prompt that is read from stdin, in bytes: the daemon's limit and
/// one more, so that it is the daemon that refuses.
const PROMPT_MAX: u64 = 64 * 1024 + 1;

/// Whether somebody can answer.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The prompt of `new` and `generate`: the words, or stdin for `-`.
pub(super) fn prompt_text(words: &[String]) -> Result<String, Stop> {
    let text = match words {
        [dash] if dash == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(PROMPT_MAX)
                .read_to_end(&mut bytes)
                .map_err(|error| Failure::usage(format!("cannot read stdin: {error}")))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::usage("the prompt on stdin is not UTF-8"))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        words => words.join(" "),
    };
    if text.trim().is_empty() {
        let mut failure = Failure::usage("the prompt is empty");
        failure.reason = "PROMPT_EMPTY".to_owned();
        return Err(failure
            .hint("say what to build: kiln new \"a todo list\"")
            .into());
    }
    Ok(text)
}

/// Asks for a line.
pub(super) async fn line(question: &str) -> Result<String, Stop> {
    say(question);
    read_line().await
}

/// Asks for yes or no; anything but yes is no.
pub(super) async fn confirm(question: &str) -> Result<bool, Stop> {
    let answer = line(&format!("{question} [y/N] ")).await?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

/// A line of stdin, without its end.
pub(super) async fn read_line() -> Result<String, Stop> {
    let line = blocking(|| read_bytes_until_newline().map_err(|error| error.to_string())).await?;
    String::from_utf8(line).map_err(|_| Failure::usage("stdin is not UTF-8").into())
}

/// Asks for a password without showing it. The terminal is as before whatever
/// ends the question, Ctrl-C and SIGTERM included.
pub(super) async fn password(question: &str) -> Result<SecretString, Stop> {
    // Whoever ends us from now on finds somebody who puts the terminal right.
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::failed("SIGNAL", format!("cannot listen to signals: {error}"))
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    // First quiet, then the question: what is typed as soon as it shows must
    // neither be seen nor be thrown away with what was typed before it.
    let quiet = Quiet::begin().map_err(|error| {
        Failure::usage(format!("cannot hide what is typed: {error}"))
            .hint("give the password on stdin, with --password-stdin")
    })?;
    say(question);
    let ended_by =
        |signal: &str| Err(Failure::failed("INTERRUPTED", format!("ended by {signal}")).into());
    let typed = tokio::select! {
        typed = blocking(|| read_keys().map_err(|error| error.to_string())) => typed,
        _ = terminate.recv() => ended_by("SIGTERM"),
        _ = hang_up.recv() => ended_by("SIGHUP"),
        _ = interrupt.recv() => ended_by("SIGINT"),
    };
    drop(quiet);
    say("\n");
    let Some(bytes) = typed? else {
        return Err(Stop::Quiet(Exit::Failed));
    };
    String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| Failure::usage("the password is not UTF-8").into())
}

fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Stop> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::usage(format!("cannot read stdin: {error}")).into()),
        Err(error) => Err(Failure::failed("INTERNAL", error.to_string()).into()),
    }
}

/// Byte by byte: what follows the line belongs to the next question.
fn read_bytes_until_newline() -> std::io::Result<Vec<u8>> {
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE_MAX && stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// Keys up to Enter; `None` for Ctrl-C.
fn read_keys() -> std::io::Result<Option<Vec<u8>>> {
    let mut stdin = std::io::stdin().lock();
    let mut typed = Vec::new();
    let mut byte = [0];
    while stdin.read(&mut byte)? == 1 {
        match edit(&mut typed, byte[0]) {
            Edit::More => {}
            Edit::Enter => break,
            Edit::Abort => return Ok(None),
        }
    }
    Ok(Some(typed))
}

enum Edit {
    More,
    Enter,
    Abort,
}

fn edit(typed: &mut Vec<u8>, key: u8) -> Edit {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;
    match key {
        b'\r' | b'\n' | CTRL_D => return Edit::Enter,
        CTRL_C => return Edit::Abort,
        CTRL_U => typed.clear(),
        BACKSPACE | DELETE => {
            // A character, not a byte: continuation bytes go with their first.
            while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        }
        _ if typed.len() < LINE_MAX => typed.push(key),
        _ => {}
    }
    Edit::More
}

/// A terminal that shows nothing and sends every key, until this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> nix::Result<Self> {
        let stdin = std::io::stdin();
        let before = termios::tcgetattr(stdin.as_fd())?;
        let mut quiet = before.clone();
        // Ctrl-C comes as a key, so that the terminal can be put right first.
        quiet
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        quiet.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        quiet.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        termios::tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done if the terminal is gone.
        let _ = termios::tcsetattr(std::io::stdin().as_fd(), SetArg::TCSADRAIN, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        let mut typed = Vec::new();
        for key in keys {
            match edit(&mut typed, *key) {
                Edit::More => {}
                Edit::Enter => break,
                Edit::Abort => return None,
            }
        }
        Some(String::from_utf8(typed).unwrap())
    }

    #[test]
    fn keys_edit_what_was_typed() {
        assert_eq!(typed(b"abc\rd").as_deref(), Some("abc"));
        assert_eq!(
            typed("aé\u{7f}\u{7f}\u{7f}b\n".as_bytes()).as_deref(),
            Some("b")
        );
        assert_eq!(typed(b"wrong\x15right\r").as_deref(), Some("right"));
        assert_eq!(typed(b"abc\x03"), None);
    }

    #[test]
    fn words_make_a_prompt_and_nothing_makes_none() {
        let words = |words: &[&str]| {
            prompt_text(
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(words(&["a", "todo", "list"]).unwrap(), "a todo list");
        assert!(words(&[" ", ""]).is_err());
    }
}
