//! Progress on stderr: lines that stay, and below them, on a terminal, one line
//! that moves. Elsewhere there are only the lines.
//!
//! The cursor is never hidden and no mode is set, so that a process that is
//! killed leaves nothing to mend.

use std::time::{Duration, Instant};

use super::{Line, Output, format};
use crate::sanitise;

/// How often the moving line is drawn anew.
pub const TICK: Duration = Duration::from_millis(100);

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAMES_ASCII: [char; 4] = ['|', '/', '-', '\\'];
const ERASE: &str = "\r\x1b[2K";

/// The moving line and what stands above it.
pub struct Progress {
    moving: bool,
    unicode: bool,
    status: Option<String>,
    stage: u64,
    since: Instant,
    frame: usize,
    drawn: bool,
}

impl Progress {
    /// For the stderr of this process; silent where scripts listen.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        Self {
            moving: output.err_manner().moving && !output.json(),
            unicode: is_utf8_locale(),
            status: None,
            stage: 0,
            since: Instant::now(),
            frame: 0,
            drawn: false,
        }
    }

    /// Whether [`Progress::tick`] does anything.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.moving
    }

    /// Writes a line that stays.
    pub fn line(&mut self, output: &Output, line: &Line) {
        self.erase(output);
        output.note(line);
    }

    /// Says what is going on now. Its time begins anew with another `stage`.
    pub fn show(&mut self, status: Option<&str>, stage: u64) {
        if self.stage != stage {
            self.stage = stage;
            self.since = Instant::now();
        }
        self.status = status.map(str::to_owned);
    }

    /// Draws the moving line anew.
    pub fn tick(&mut self, output: &Output) {
        if !self.moving {
            return;
        }
        let Some(status) = &self.status else {
            self.erase(output);
            return;
        };
        self.frame = self.frame.wrapping_add(1);
        let columns = terminal_size::terminal_size_of(std::io::stderr())
            .map_or(80, |(terminal_size::Width(columns), _)| {
                usize::from(columns)
            });
        let drawn = render(
            status,
            self.since.elapsed(),
            self.frame,
            self.unicode,
            columns,
        );
        output.raw_err(&format!("{ERASE}{drawn}"));
        self.drawn = true;
    }

    /// Takes the moving line away.
    pub fn erase(&mut self, output: &Output) {
        if self.drawn {
            output.raw_err(ERASE);
            self.drawn = false;
        }
    }
}

/// The moving line: one column short of the terminal, so that it never wraps.
fn render(status: &str, elapsed: Duration, frame: usize, unicode: bool, columns: usize) -> String {
    let sign = if unicode {
        FRAMES[frame % FRAMES.len()]
    } else {
        FRAMES_ASCII[frame % FRAMES_ASCII.len()]
    };
    let text = format!(
        "{sign} {}  {}",
        sanitise::line(status),
        format::duration(elapsed)
    );
    format::truncate(&text, columns.saturating_sub(1).max(1))
}

/// Whether the environment promises that more than ASCII can be shown.
#[must_use]
pub fn is_utf8_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn the_moving_line_says_what_and_how_long() {
        let text = render("installing", Duration::from_millis(1234), 0, true, 80);
        assert_eq!(text, "⠋ installing  1.2 s");
        let text = render("installing", Duration::from_millis(1234), 1, false, 80);
        assert_eq!(text, "/ installing  1.2 s");
    }

    proptest! {
        #[test]
        fn it_never_wraps_and_never_steers(
            status in any::<String>(),
            frame in any::<usize>(),
            columns in 2usize..200,
        ) {
            let text = render(&status, Duration::from_secs(3), frame, true, columns);
            prop_assert!(text.width() < columns, "{text:?}");
            prop_assert!(!text.chars().any(sanitise::is_unsafe));
        }
    }
}
