//! What is done on this machine: browser, clipboard, editor, files, the shell.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use crossterm::clipboard::CopyToClipboard;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Shows an address in a browser.
///
/// # Errors
/// If there is none: what to do instead.
pub(super) fn open(url: &str) -> Result<(), String> {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if cfg!(target_os = "linux") && !has_display {
        return Err("no browser here (no display): copy the address with Ctrl-Y".to_owned());
    }
    // What the browser writes must not land on the screen.
    open::that_detached(url)
        .map_err(|_| "the browser did not start: copy the address with Ctrl-Y".to_owned())
}

/// Puts text on the clipboard by the terminal's own sequence (OSC 52), which
/// works over SSH too. Only ever on the user's own key.
pub(super) fn copy(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    crossterm::execute!(out, CopyToClipboard::to_clipboard_from(text))
}

/// Rings the bell.
pub(super) fn bell() -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(b"\x07")?;
    out.flush()
}

/// Stops this process as the shell's Ctrl-Z would, and returns when it goes on.
pub(super) fn stop_here() {
    // The whole group: a script that started the client stops with it. Not by
    // SIGTSTP, which this client takes as a wish.
    let _ = kill(Pid::from_raw(0), Signal::SIGSTOP);
}

/// Changes text in the user's editor.
///
/// # Errors
/// If there is no editor, or it did not end well; the text stays as it was.
pub(super) fn edit(text: &str) -> Result<String, String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.trim().is_empty())
        .unwrap_or_else(|| "vi".to_owned());
    let dir = std::env::temp_dir();
    let path = dir.join(format!("kiln-prompt-{}.md", uuid::Uuid::new_v4().simple()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    let result = match written {
        Ok(()) => run_editor(&editor, &path),
        Err(error) => Err(format!("cannot write {}: {error}", path.display())),
    };
    let _ = std::fs::remove_file(&path);
    result
}

fn run_editor(editor: &str, path: &Path) -> Result<String, String> {
    // `EDITOR` may hold arguments (`code --wait`): a shell reads it, as git does.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status()
        .map_err(|error| format!("the editor \"{editor}\" did not start: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the prompt is as before: the editor \"{editor}\" ended with {status} (set EDITOR to use another)"
        ));
    }
    std::fs::read_to_string(path)
        .map(|text| text.trim_end_matches('\n').to_owned())
        .map_err(|error| format!("cannot read what the editor wrote: {error}"))
}

/// Writes a new file; one that is there is never overwritten.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(path: &Path, text: &str) -> Result<String, String> {
    // As a shell would, which is where people learned to write paths.
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let path = match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    };
    let shown = path.display().to_string();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(shown),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(format!("{shown} is there already: choose another name"))
        }
        Err(error) => Err(format!("cannot write {shown}: {error}")),
    }
}
