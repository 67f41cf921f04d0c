//! The smallest full-screen ratatui program: the floor that the client is
//! measured against. One paragraph and one line about keys, drawn once; then it
//! waits for Ctrl-Q.

use std::io;

use crossterm::event::{Event, KeyCode, KeyModifiers, read};
use ratatui::widgets::{Paragraph, Wrap};

const WORDS: &str = "Kiln turns a prompt into a running web app, from the terminal.";

fn main() -> io::Result<()> {
    let mut terminal = ratatui::init();
    let result = show(&mut terminal);
    ratatui::restore();
    result
}

fn show(terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
    terminal.draw(|frame| {
        let area = frame.area();
        frame.render_widget(Paragraph::new(WORDS).wrap(Wrap { trim: true }), area);
        if let Some(last) = area.rows().next_back() {
            frame.render_widget("Ctrl-Q quits", last);
        }
    })?;
    loop {
        if let Event::Key(key) = read()?
            && key.code == KeyCode::Char('q')
            && key.modifiers.contains(KeyModifiers::CONTROL)
        {
            return Ok(());
        }
    }
}
