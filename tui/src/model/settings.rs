//! What the user chose about the client itself; kept between runs.

use crate::view::theme::Palette;

/// The choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The colours.
    pub palette: Palette,
    /// Whether the mouse works in the client rather than in the terminal.
    pub mouse: bool,
    /// The model for new prompts where the project has none; empty for the
    /// server's.
    pub model: String,
    /// Whether the question where models are to come from was seen and answered, or
    /// put aside.
    pub welcomed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            palette: Palette::Terminal,
            mouse: true,
            model: String::new(),
            welcomed: false,
        }
    }
}
