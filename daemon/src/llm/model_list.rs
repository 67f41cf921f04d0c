//! The provider's list of models, as it comes over the wire.

use serde::Deserialize;

use super::catalogue::{ID_LIMIT_BYTES, Model, Prices};
use super::demo;
use super::endpoint::{Endpoint, read_bounded};
use super::lenient::{Number, whole};

const BODY_LIMIT_BYTES: usize = 8 << 20;
const MODELS_LIMIT: usize = 10_000;
const NAME_LIMIT_CHARS: usize = 200;

/// Asks the provider. The error completes the sentence "the endpoint …".
pub(super) async fn ask(provider: &Endpoint) -> Result<Vec<Model>, &'static str> {
    let response = provider
        .get("/models")
        .send()
        .await
        .map_err(|_| "cannot be reached")?;
    if !response.status().is_success() {
        return Err(match response.status().as_u16() {
            401 | 403 => "refuses the key",
            404 => "has none",
            _ => "answers with an error",
        });
    }
    let body = read_bounded(response, BODY_LIMIT_BYTES).await;
    let body = body.ok_or("breaks off, or sends more than 8 MiB")?;
    let list: WireList =
        serde_json::from_slice(&body).map_err(|_| "sends something that is no list of models")?;
    let models = list.data.into_iter().take(MODELS_LIMIT);
    Ok(models.filter_map(WireModel::into_model).collect())
}

#[derive(Deserialize)]
struct WireList {
    data: Vec<WireModel>,
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
