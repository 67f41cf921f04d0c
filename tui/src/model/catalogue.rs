//! The models that can be chosen.

use super::list::Entry;

/// The models, and what is wrong with the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By id.
    pub models: Vec<ModelEntry>,
    /// What is wrong with the list; empty if nothing.
    pub warning: String,
}

/// One model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelEntry {
    /// What a request names.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Id and name: what a filter looks at.
    pub words: String,
    /// Tokens that fit into its window; 0 if unknown.
    pub context_tokens: i64,
    /// Price of a million tokens of prompt, in millionths of a US dollar.
    pub prompt_price: Option<i64>,
    /// Price of a million tokens of answer, in millionths of a US dollar.
    pub completion_price: Option<i64>,
    /// Whether its answers are canned.
    pub demo: bool,
    /// Roles that it has here.
    pub roles: Vec<String>,
}

impl Entry for ModelEntry {
    fn id(&self) -> &str {
        &self.id
    }

    fn text(&self) -> &str {
        &self.words
    }
}

impl ModelEntry {
    /// Its price per million tokens, in and out, for people.
    #[must_use]
    pub fn price(&self) -> String {
        use crate::cli::output::format::dollars;
        if self.demo {
            return "demo: free".to_owned();
        }
        match (self.prompt_price, self.completion_price) {
            (Some(0), Some(0)) => "free".to_owned(),
            (Some(prompt), Some(completion)) => {
                format!("{} / {}", dollars(prompt), dollars(completion))
            }
            (Some(_) | None, None) | (None, Some(_)) => "price unknown".to_owned(),
        }
    }

    /// Its window, for people.
    #[must_use]
    pub fn window(&self) -> String {
        match self.context_tokens {
            ..=0 => "?".to_owned(),
            tokens @ 1..1000 => tokens.to_string(),
            tokens @ 1000..1_000_000 => format!("{}k", tokens / 1000),
            tokens => format!("{}.{}M", tokens / 1_000_000, tokens / 100_000 % 10),
        }
    }
}
