//! A few labelled fields, one of which has the keys.

use super::editor::Editor;

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its label.
    pub label: &'static str,
    /// What belongs in it, shown while it is empty.
    pub hint: &'static str,
    /// What is in it.
    pub editor: Editor,
}

impl Field {
    /// A field that shows what is in it.
    #[must_use]
    pub fn plain(label: &'static str, hint: &'static str) -> Self {
        Self {
            label,
            hint,
            editor: Editor::line(),
        }
    }

    /// A field that does not.
    #[must_use]
    pub fn masked(label: &'static str, hint: &'static str) -> Self {
        Self {
            label,
            hint,
            editor: Editor::masked(),
        }
    }

    /// A field of several lines.
    #[must_use]
    pub fn text(label: &'static str, hint: &'static str) -> Self {
        Self {
            label,
            hint,
            editor: Editor::prompt(),
        }
    }

    /// With this in it.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.editor.restore(text);
        self
    }
}

/// The fields.
#[derive(Clone, Debug)]
pub struct Form {
    /// From top to bottom; at least one.
    pub fields: Vec<Field>,
    /// Which has the keys.
    pub focus: usize,
    /// What is wrong, said by the daemon or seen here.
    pub error: Option<String>,
    /// Whether it was sent and is not answered yet.
    pub busy: bool,
}

impl Form {
    /// A form of these fields.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self {
            fields,
            focus: 0,
            error: None,
            busy: false,
        }
    }

    /// What is in a field; empty where there is no such field.
    #[must_use]
    pub fn value(&self, index: usize) -> &str {
        self.fields
            .get(index)
            .map_or("", |field| field.editor.text())
    }

    /// The field with the keys.
    pub fn focused(&mut self) -> Option<&mut Editor> {
        self.fields
            .get_mut(self.focus)
            .map(|field| &mut field.editor)
    }

    /// Gives the keys to the field after, around.
    pub fn next(&mut self) {
        self.focus = (self.focus + 1) % self.fields.len().max(1);
    }

    /// Gives the keys to the field before, around.
    pub fn previous(&mut self) {
        let count = self.fields.len().max(1);
        self.focus = (self.focus + count - 1) % count;
    }

    /// Whether the last field has the keys.
    #[must_use]
    pub fn at_last(&self) -> bool {
        self.focus + 1 >= self.fields.len()
    }
}
