//! What lies over a screen. Overlays are a stack: the last one has the keys, and
//! going back takes it away.

use super::catalogue::ModelEntry;
use super::form::{Field, Form};
use super::list::{Entry, FilterList};
use crate::keymap::Action;
use crate::text::Row;

/// A line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteItem {
    /// What it does.
    pub action: Action,
}

impl Entry for PaletteItem {
    fn id(&self) -> &str {
        self.action.entry().name
    }

    fn text(&self) -> &str {
        self.action.entry().title
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// Everything that can be done, to be found by its words.
    Palette(FilterList<PaletteItem>),
    /// The models, to choose one.
    Models {
        /// The list.
        list: FilterList<ModelEntry>,
        /// What it is chosen for.
        for_what: ModelFor,
    },
    /// A page of text.
    Page(Page),
    /// A question that is answered with yes or no.
    Confirm(Confirm),
    /// A few fields.
    Ask(Ask),
    /// Where models come from.
    Provider(ProviderChoice),
    /// What can be chosen about the client: which line is selected.
    Settings(usize),
}

/// What a model is chosen for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFor {
    /// The open project.
    Project(String),
    /// New projects.
    New,
}

/// A page of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: &'static str,
    /// What it says.
    pub rows: Vec<Row>,
    /// The first row that is seen.
    pub top: usize,
    /// What copying copies; empty for nothing.
    pub copies: String,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// What is asked.
    pub question: String,
    /// What it would mean.
    pub detail: String,
    /// What yes is called.
    pub verb: &'static str,
    /// What yes does.
    pub then: Confirmed,
}

/// What is done after a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Delete this project.
    DeleteProject {
        /// UUID.
        id: String,
    },
    /// Sign out.
    SignOut,
    /// Leave.
    Quit,
}

/// A few fields and what they are for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its title.
    pub title: &'static str,
    /// The fields.
    pub form: Form,
    /// What they are for.
    pub purpose: AskedFor,
}

/// What fields are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedFor {
    /// A new project: prompt and name.
    NewProject,
    /// Another name for a project.
    Rename {
        /// UUID.
        id: String,
    },
    /// A file for the logs.
    SaveLogs,
    /// Words to look for.
    Search,
    /// A model's id, typed by hand.
    ModelId(ModelFor),
}

impl Ask {
    /// A new project.
    #[must_use]
    pub fn new_project(draft: &str) -> Self {
        Self {
            title: "New project",
            form: Form::new(vec![
                Field::text("What should it be?", "a todo list with due dates").with(draft),
                Field::plain("Name", "from the prompt, where empty"),
            ]),
            purpose: AskedFor::NewProject,
        }
    }

    /// Another name.
    #[must_use]
    pub fn rename(id: String, name: &str) -> Self {
        Self {
            title: "Rename the project",
            form: Form::new(vec![Field::plain("Name", "").with(name)]),
            purpose: AskedFor::Rename { id },
        }
    }

    /// A file for the logs.
    #[must_use]
    pub fn save_logs(suggestion: &str) -> Self {
        Self {
            title: "Save the logs",
            form: Form::new(vec![Field::plain("File", "").with(suggestion)]),
            purpose: AskedFor::SaveLogs,
        }
    }

    /// Words to look for.
    #[must_use]
    pub fn search() -> Self {
        Self {
            title: "Search",
            form: Form::new(vec![Field::plain(
                "Find",
                "Enter finds; nothing ends the search",
            )]),
            purpose: AskedFor::Search,
        }
    }

    /// A model's id.
    #[must_use]
    pub fn model_id(for_what: ModelFor, typed: &str) -> Self {
        Self {
            title: "Model by id",
            form: Form::new(vec![Field::plain("Id", "vendor/model").with(typed)]),
            purpose: AskedFor::ModelId(for_what),
        }
    }
}

/// Where models come from: a list, and below it a field where one is needed.
#[derive(Clone, Debug)]
pub struct ProviderChoice {
    /// Whether this is shown because nothing was ever chosen.
    pub first_run: bool,
    /// Which line is selected.
    pub selected: usize,
    /// The field that is being filled: a key, or an address.
    pub form: Option<Form>,
    /// What is wrong.
    pub error: Option<String>,
    /// Whether it was sent and is not answered yet.
    pub busy: bool,
}

impl ProviderChoice {
    /// With nothing chosen yet.
    #[must_use]
    pub fn new(first_run: bool) -> Self {
        Self {
            first_run,
            selected: 0,
            form: None,
            error: None,
            busy: false,
        }
    }
}
