//! Where words go: results to stdout, everything else to stderr, and what
//! others wrote cleaned before it reaches a terminal.
//!
//! Text gets to a stream only through [`Line`] or one of the methods here, so
//! that colour is ours and control characters are nobody's.

pub mod format;
pub mod human;
pub mod json;
pub mod progress;

use std::io::{self, IsTerminal, Write};

use self::json::Object;
use super::exit::{Exit, Failure, Stop};
use crate::sanitise;

/// What a piece of a line means; a terminal may show it in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing special.
    Plain,
    /// What the line is about.
    Strong,
    /// Of less interest.
    Dim,
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// Worth a look.
    Warn,
}

impl Style {
    /// The attributes of ANSI terminals, readable on dark and light ones.
    fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
        }
    }
}

/// One line, in pieces. The pieces may hold anything; they are cleaned when the
/// line is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Style, String)>);

impl Line {
    /// A line without anything special.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::default().add(Style::Plain, text)
    }

    /// A line in one style.
    #[must_use]
    pub fn styled(style: Style, text: impl Into<String>) -> Self {
        Self::default().add(style, text)
    }

    /// Adds a piece.
    #[must_use]
    pub fn add(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// The line for a stream.
    #[must_use]
    pub fn render(&self, manner: Manner) -> String {
        let mut out = String::new();
        for (style, text) in &self.0 {
            // A pipe often ends on a terminal: lines are for people, wherever they go.
            let text = sanitise::line(text);
            let sgr = style.sgr();
            if manner.colour && !sgr.is_empty() && !text.is_empty() {
                out.push_str("\x1b[");
                out.push_str(sgr);
                out.push('m');
                out.push_str(&text);
                out.push_str("\x1b[0m");
            } else {
                out.push_str(&text);
            }
        }
        out
    }
}

/// How a stream wants its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// It is a terminal: what others wrote must not steer it.
    pub clean: bool,
    /// It takes colours.
    pub colour: bool,
    /// It takes the movements that a spinner needs.
    pub moving: bool,
}

impl Manner {
    /// How a stream wants its text, by what it is and what the environment says.
    #[must_use]
    pub fn of(terminal: bool, term: Option<&str>, no_color: bool) -> Self {
        let able = terminal && !matches!(term, None | Some("" | "dumb"));
        Self {
            clean: terminal,
            colour: able && !no_color,
            moving: able,
        }
    }
}

/// The two streams.
pub struct Output {
    json: bool,
    out: Manner,
    err: Manner,
}

impl Output {
    /// The streams of this process.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let term = std::env::var("TERM").ok();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let manner = |terminal| Manner::of(terminal, term.as_deref(), no_color);
        Self {
            json,
            out: manner(io::stdout().is_terminal()),
            err: manner(io::stderr().is_terminal()),
        }
    }

    /// Whether scripts listen.
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether people see stdout directly.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.out.clean
    }

    /// How stderr wants its text.
    #[must_use]
    pub fn err_manner(&self) -> Manner {
        self.err
    }

    /// A line of the result.
    ///
    /// # Errors
    /// If nobody reads stdout any more, or it cannot be written.
    pub fn result(&self, line: &Line) -> Result<(), Stop> {
        let mut text = line.render(self.out);
        text.push('\n');
        self.bytes(text.as_bytes())
    }

    /// Text of the result, of several lines.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn text(&self, text: &str) -> Result<(), Stop> {
        if self.out.clean {
            self.bytes(sanitise::text(text).as_bytes())
        } else {
            self.bytes(text.as_bytes())
        }
    }

    /// Bytes of the result, as they are. Whoever sends them has made sure that
    /// no terminal gets what others wrote.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Stop> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| write_failed(&error))
    }

    /// An object for scripts.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn object(&self, object: &Object) -> Result<(), Stop> {
        let mut text = object.to_line();
        text.push('\n');
        self.bytes(text.as_bytes())
    }

    /// A line beside the result, for people; nothing where scripts listen.
    /// Nobody need read it, so errors are none.
    pub fn note(&self, line: &Line) {
        if !self.json {
            let mut text = line.render(self.err);
            text.push('\n');
            self.raw_err(&text);
        }
    }

    /// Text that is already fit for stderr.
    pub(super) fn raw_err(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }

    /// Shows an error, and says how to end.
    pub fn failure(&self, failure: &Failure) -> Exit {
        if self.json {
            let shown = self.object(&json::error(failure));
            if let Err(Stop::Quiet(exit)) = shown {
                return exit;
            }
            return failure.exit;
        }
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = Line::default()
            .add(Style::Bad, "kiln: ")
            .add(Style::Plain, one_line(&failure.message));
        self.note(&line);
        if let Some(hint) = &failure.hint {
            let line = Line::default()
                .add(Style::Dim, "hint: ")
                .add(Style::Plain, one_line(hint));
            self.note(&line);
        }
        failure.exit
    }
}

/// A reader that left is no error; a full disk is.
fn write_failed(error: &io::Error) -> Stop {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Stop::Quiet(Exit::Done)
    } else {
        Failure::failed("WRITE_FAILED", format!("cannot write to stdout: {error}")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_ours_and_control_characters_are_nobodys() {
        let line = Line::styled(Style::Bad, "a\x1b[2Jb").add(Style::Plain, "\u{202e}");
        let terminal = Manner::of(true, Some("xterm"), false);
        assert_eq!(line.render(terminal), "\x1b[31ma^[[2Jb\x1b[0m\u{fffd}");
        let pipe = Manner::of(false, Some("xterm"), false);
        assert_eq!(line.render(pipe), "a^[[2Jb\u{fffd}");
    }

    #[test]
    fn dumb_terminals_and_no_color_are_respected() {
        let plain = |manner: Manner| (manner.clean, manner.colour, manner.moving);
        assert_eq!(
            plain(Manner::of(true, Some("dumb"), false)),
            (true, false, false)
        );
        assert_eq!(plain(Manner::of(true, None, false)), (true, false, false));
        assert_eq!(
            plain(Manner::of(true, Some("xterm"), true)),
            (true, false, true)
        );
        assert_eq!(
            plain(Manner::of(false, Some("xterm"), false)),
            (false, false, false)
        );
    }
}
