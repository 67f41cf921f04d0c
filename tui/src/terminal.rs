//! The terminal as a resource: taken for the full-screen client, and given back
//! as it was on every way out, panics and signals included.
//!
//! Nothing is drawn here. The rest of the client never sets a mode by itself.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// Whether the terminal is ours now. Written by whoever takes or gives back;
/// read by the panic hook, which must not mend what is not broken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that panicked, as Rust has it.
const PANICKED: i32 = 101;

/// Why the full-screen client cannot be shown here.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Standard input or output is a file or a pipe.
    #[error("not a terminal: the full-screen client needs one on standard input and output")]
    NoTerminal,
    /// It says of itself that it can do nothing.
    #[error("this terminal (TERM={0}) cannot place text: use another one, or the commands")]
    Dumb(String),
}

/// The terminal, in full-screen mode. Dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// The size that it was drawn at last.
    drawn_at: (u16, u16),
    mouse: bool,
}

/// Whether a full-screen client can be shown.
///
/// # Errors
/// If not: why.
pub fn check() -> Result<(), Unusable> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Unusable::NoTerminal);
    }
    match std::env::var("TERM") {
        Ok(term) if term == "dumb" => Err(Unusable::Dumb(term)),
        _ => Ok(()),
    }
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it does not let itself be taken; it is then as before.
    pub fn take(mouse: bool) -> io::Result<Self> {
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut screen = Self {
            terminal,
            drawn_at: (0, 0),
            mouse,
        };
        screen.enter()?;
        Ok(screen)
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// If the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws a frame: what differs from the one before is written.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let size = self.size()?;
        if size != self.drawn_at {
            self.renew()?;
        }
        self.terminal.draw(draw).map(|_| ())
    }

    /// Empties the screen; the next frame is drawn as a whole.
    ///
    /// Ratatui's own way asks the terminal where its cursor is, and waits up to
    /// two seconds for one that does not answer.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub fn renew(&mut self) -> io::Result<()> {
        self.drawn_at = self.size()?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        execute!(io::stdout(), Clear(ClearType::All))
    }

    /// Switches the mouse. Without it the terminal's own selection works.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        if mouse == self.mouse {
            return Ok(());
        }
        self.mouse = mouse;
        if mouse {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    /// Gives the terminal back for a while: to an editor, or to the shell.
    pub fn leave(&mut self) {
        give_back();
    }

    /// Takes it again, with nothing on it.
    ///
    /// # Errors
    /// If it does not let itself be taken.
    pub fn enter(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        let taken = self.try_enter();
        if taken.is_err() {
            give_back();
        }
        taken
    }

    fn try_enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            cursor::Hide
        )?;
        if self.mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.renew()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Puts the terminal back as it was, if it is ours. A terminal that is gone
/// needs no mending.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(
        out,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// A panic is shown on the ordinary screen, not on one that goes away with it. It
/// ends the client wherever it happens: one that lost a part of itself would
/// draw over what was said of that.
fn give_back_on_panic() {
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if HOOKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let was_taken = TAKEN.load(Ordering::SeqCst);
        give_back();
        before(panic);
        if was_taken {
            std::process::exit(PANICKED);
        }
    }));
}
