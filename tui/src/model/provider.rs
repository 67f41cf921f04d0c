//! Where models come from, and what else could be chosen.

/// Where models come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// What serves now, for people: `OpenRouter`, an address, `the demo model`.
    pub current: String,
    /// Whether only the demo models serve.
    pub demo_only: bool,
    /// Whether nothing was ever chosen: the first run.
    pub unchosen: bool,
    /// Whether this account may choose.
    pub can_change: bool,
    /// Why not, or what is wrong.
    pub detail: String,
    /// Endpoints that were found on the daemon's machine.
    pub endpoints: Vec<FoundEndpoint>,
}

/// An endpoint on the daemon's machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundEndpoint {
    /// Its base URL.
    pub base_url: String,
    /// What it seems to be.
    pub name: String,
    /// How many models it has.
    pub model_count: i32,
}
