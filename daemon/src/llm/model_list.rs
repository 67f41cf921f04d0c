//! The provider's list of models, as it comes over the wire.

use serde::{Deserialize, Deserializer};

use super::catalogue::{ID_LIMIT_BYTES, Model, Prices};
use super::demo;
use super::endpoint::{Endpoint, read_bounded};
use super::lenient::{Number, whole};

/// Bytes of a list that is wanted whole.
pub(super) const BODY_LIMIT_BYTES: usize = 8 << 20;
const MODELS_LIMIT: usize = 10_000;
const NAME_LIMIT_CHARS: usize = 200;

/// Why there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nobody answers.
    Unreachable,
    /// Nobody answers in time.
    Slow,
    /// The key is refused, or one is missing.
    Key,
    /// There is no such address.
    Missing,
    /// It cannot answer now.
    Busy,
    /// It answers with another error, or points elsewhere.
    Refused,
    /// The answer breaks off, or is too long.
    Broken,
    /// The answer is something else.
    NoList,
}

impl Problem {
    /// What a status other than success stands for.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Key,
            404 => Self::Missing,
            408 | 429 | 500.. => Self::Busy,
            _ => Self::Refused,
        }
    }

    /// Completes the sentence "the endpoint …".
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::Slow => "does not answer in time",
            Self::Key => "refuses the key",
            Self::Missing => "has none",
            Self::Busy | Self::Refused => "answers with an error",
            Self::Broken => "breaks off, or sends more than 8 MiB",
            Self::NoList => "sends something that is no list of models",
        }
    }
}

/// Asks the provider; reads no more than `limit` bytes.
pub(super) async fn ask(provider: &Endpoint, limit: usize) -> Result<Vec<Model>, Problem> {
    let response = provider
        .get("/models")
        .send()
        .await
        .map_err(|_| Problem::Unreachable)?;
    if !response.status().is_success() {
        return Err(Problem::of_status(response.status().as_u16()));
    }
    let body = read_bounded(response, limit).await;
    let body = body.ok_or(Problem::Broken)?;
    let list: WireList = serde_json::from_slice(&body).map_err(|_| Problem::NoList)?;
    let models = list.data.into_iter().take(MODELS_LIMIT);
    Ok(models.filter_map(WireModel::into_model).collect())
}

#[derive(Deserialize)]
struct WireList {
    #[serde(deserialize_with = "list_or_null")]
    data: Vec<WireModel>,
}

/// Some servers say `null` where there are none.
fn list_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WireModel>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct WireModel {
    id: Option<String>,
    name: Option<String>,
    context_length: Number,
    top_provider: Option<WireProvider>,
    pricing: Option<WirePricing>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireProvider {
    context_length: Number,
    max_completion_tokens: Number,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WirePricing {
    prompt: Number,
    completion: Number,
}

impl WireModel {
    fn into_model(self) -> Option<Model> {
        let id = self.id?;
        let usable = (1..=ID_LIMIT_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic())
            && !demo::is_demo(&id);
        if !usable {
            return None;
        }
        let name = self.name.filter(|name| !name.trim().is_empty());
        let name = name.map(|name| name.chars().take(NAME_LIMIT_CHARS).collect());
        let provider = self.top_provider.unwrap_or_default();
        let pricing = self.pricing.unwrap_or_default();
        Some(Model {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            context_tokens: tokens(self.context_length).or(tokens(provider.context_length)),
            max_output_tokens: tokens(provider.max_completion_tokens),
            prices: Prices {
                prompt: price(pricing.prompt),
                completion: price(pricing.completion),
            },
            demo: false,
            roles: Vec::new(),
        })
    }
}

fn tokens(number: Number) -> Option<i64> {
    number.0.and_then(whole).filter(|tokens| *tokens > 0)
}

/// US dollars for a token to millionths of a dollar for a million tokens. A price
/// below nothing stands for one that varies, which is unknown.
fn price(number: Number) -> Option<i64> {
    number.0.and_then(|usd| whole(usd * 1e12))
}
