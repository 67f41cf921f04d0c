//! The demo model: canned answers for trying Kiln without a key.
//!
//! It is a small server on loopback that speaks OpenRouter's wire format, so that
//! its answers pass the same HTTP, SSE, parser, sandbox and gate code as any
//! other. The same request always gets the same answer. It understands no
//! prompt: it looks for words in it, and says so.

mod answer;
mod apps;
mod context;
mod server;

pub use server::{DemoEndpoint, start};

use super::catalogue::{Model, Prices};

/// A demo model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Writes an app, then edits it.
    Kiln,
    /// Writes an app with an error in it, then mends it.
    Repair,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Kiln, Self::Repair];

    fn id(self) -> &'static str {
        match self {
            Self::Kiln => "demo/kiln",
            Self::Repair => "demo/repair",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kiln => "Kiln (demo, canned answers)",
            Self::Repair => "Kiln with an error to repair (demo, canned answers)",
        }
    }

    fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}

const CONTEXT_TOKENS: i64 = 200_000;
const MAX_OUTPUT_TOKENS: i64 = 16_000;

/// Whether an id belongs to the demo, existing or not.
pub(super) fn is_demo(id: &str) -> bool {
    id.starts_with("demo/")
}

/// The demo models; the first is the default.
pub(super) fn models() -> Vec<Model> {
    Kind::ALL
        .into_iter()
        .map(|kind| Model {
            id: kind.id().to_owned(),
            name: kind.name().to_owned(),
            context_tokens: Some(CONTEXT_TOKENS),
            max_output_tokens: Some(MAX_OUTPUT_TOKENS),
            prices: Prices {
                prompt: Some(0),
                completion: Some(0),
            },
            demo: true,
            roles: Vec::new(),
        })
        .collect()
}
