//! The daemon's one way to a model: a chat request in, a stream of chunks out.
//!
//! It knows two endpoints, the provider's and the demo model's, and picks one by
//! the model's id. Everything behind that choice is the same for both. It never
//! changes: another provider is another edge (see [`super::switch`]).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::answer::AnswerStream;
use super::catalogue::{Catalogue, Defaults, Listing, Model, ResolvedModel};
use super::demo::{self, DemoEndpoint};
use super::endpoint::{Dialect, EdgeError, Endpoint};
use super::failure::{FIRST_WAIT, Failure};
use super::tally::Tally;
use crate::config::ModelConfig;
use crate::domain::error::Result;
use crate::domain::generation::FailureReason;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Kiln.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What they say.
    pub content: String,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model.
    pub model: String,
    /// Models that the provider tries after it, where the provider can.
    pub fallbacks: Vec<String>,
    /// The conversation; the last one is the prompt.
    pub messages: Vec<Message>,
    /// Tokens of the answer at most. Lowered to what the model can, where that
    /// is known.
    pub max_tokens: u32,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) first_token: Duration,
    pub(super) idle: Duration,
    pub(super) ceiling: Duration,
    pub(super) first_wait: Duration,
}

/// What may be told of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its address.
    pub base_url: String,
    /// Whether there is a key for it.
    pub has_key: bool,
}

/// What an edge has whatever its provider is.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    demo: Option<Arc<Endpoint>>,
    defaults: Defaults,
    timing: Timing,
}

impl Ground {
    pub(super) fn new(config: &ModelConfig, demo: Option<DemoEndpoint>) -> Result<Self, EdgeError> {
        let demo = demo
            .map(|demo| {
                let base_url = format!("http://{}", demo.address);
                Endpoint::new(&base_url, Some(demo.token), Dialect::OpenRouter)
            })
            .transpose()?
            .map(Arc::new);
        Ok(Self {
            demo,
            defaults: Defaults {
                model: config.default.clone(),
                roles: config.roles.clone(),
            },
            timing: Timing {
                first_token: config.first_token_timeout,
                idle: config.idle_timeout,
                ceiling: config.ceiling,
                first_wait: FIRST_WAIT,
            },
        })
    }

    /// The edge to a provider, or to the demo models alone. `models` are those
    /// that the provider has just listed, where it was asked.
    pub(super) fn edge(&self, provider: Option<Endpoint>, models: Option<Vec<Model>>) -> Edge {
        let provider = provider.map(Arc::new);
        let catalogue = Catalogue::new(
            provider.clone(),
            models,
            self.demo.is_some(),
            self.defaults.clone(),
        );
        Edge {
            provider,
            demo: self.demo.clone(),
            catalogue: Arc::new(catalogue),
            timing: self.timing,
        }
    }
}

/// The model edge.
#[derive(Debug)]
pub struct Edge {
    provider: Option<Arc<Endpoint>>,
    demo: Option<Arc<Endpoint>>,
    catalogue: Arc<Catalogue>,
    timing: Timing,
}

impl Edge {
    /// The edge that `config` describes. `demo` is what [`demo::start`] gave.
    /// Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`EdgeError`], when the configuration is of no use.
    pub fn new(config: &ModelConfig, demo: Option<DemoEndpoint>) -> Result<Self, EdgeError> {
        let ground = Ground::new(config, demo)?;
        Ok(ground.edge(configured(config)?, None))
    }

    /// Asks a model. Nothing happens until the stream is polled; dropping it
    /// closes the connection.
    #[must_use]
    pub fn stream(&self, request: ChatRequest) -> AnswerStream {
        let is_demo = demo::is_demo(&request.model);
        let endpoint = if is_demo { &self.demo } else { &self.provider };
        let Some(endpoint) = endpoint else {
            return AnswerStream::failed(Failure::lasting(
                FailureReason::ModelNotFound,
                "nothing here serves this model; choose a provider or another model",
            ));
        };
        let Some(body) = self.body(&request, endpoint.dialect()) else {
            return AnswerStream::failed(Failure::lasting(
                FailureReason::Internal,
                "the request cannot be written as json",
            ));
        };
        let prompt_bytes = request.messages.iter().map(|m| m.content.len()).sum();
        let tally = Tally::new(Arc::clone(&self.catalogue), request.model, prompt_bytes);
        AnswerStream::new(Arc::clone(endpoint), body, self.timing, tally)
    }

    /// The provider; `None` where only demo models can be used.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        self.provider.as_ref().map(|endpoint| Provider {
            base_url: endpoint.base_url().to_owned(),
            has_key: endpoint.has_key(),
        })
    }

    /// The models that there are.
    pub async fn models(&self) -> Listing {
        self.catalogue.list().await
    }

    /// The model that `wanted` names, or the default.
    ///
    /// # Errors
    ///
    /// `Invalid` for a demo model that does not exist or an id that is none;
    /// `NoProviderKey` where only demo models can be used.
    pub async fn resolve(&self, wanted: Option<&str>) -> Result<ResolvedModel> {
        self.catalogue.resolve(wanted).await
    }

    #[cfg(test)]
    pub(super) fn with_first_wait(mut self, first_wait: Duration) -> Self {
        self.timing.first_wait = first_wait;
        self
    }

    fn body(&self, request: &ChatRequest, dialect: Dialect) -> Option<Bytes> {
        let most = self
            .catalogue
            .known(&request.model)
            .and_then(|model| model.max_output_tokens)
            .and_then(|most| u32::try_from(most).ok())
            .filter(|most| *most > 0);
        let has_fallbacks = !request.fallbacks.is_empty();
        let json = match dialect {
            Dialect::OpenRouter => serde_json::to_vec(&WireRequest {
                models: has_fallbacks.then(|| {
                    std::iter::once(request.model.as_str())
                        .chain(request.fallbacks.iter().map(String::as_str))
                        .collect()
                }),
                usage: Some(WireUsage { include: true }),
                ..WireRequest::plain(request, most)
            }),
            Dialect::Plain => serde_json::to_vec(&WireRequest::plain(request, most)),
        };
        json.ok().map(Bytes::from)
    }
}

/// The provider that the configuration names, if it names one.
pub(super) fn configured(config: &ModelConfig) -> Result<Option<Endpoint>, EdgeError> {
    if !config.names_provider() {
        return Ok(None);
    }
    let dialect = if !config.base_url_is_custom || Endpoint::is_openrouter(&config.base_url) {
        Dialect::OpenRouter
    } else {
        Dialect::Plain
    };
    Endpoint::new(&config.base_url, config.api_key.clone(), dialect).map(Some)
}

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<&'a str>>,
    messages: &'a [Message],
    max_tokens: u32,
    stream: bool,
    stream_options: WireStreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(Serialize)]
struct WireStreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WireUsage {
    include: bool,
}

impl<'a> WireRequest<'a> {
    fn plain(request: &'a ChatRequest, most: Option<u32>) -> Self {
        Self {
            model: &request.model,
            models: None,
            messages: &request.messages,
            max_tokens: most.map_or(request.max_tokens, |most| most.min(request.max_tokens)),
            stream: true,
            stream_options: WireStreamOptions {
                include_usage: true,
            },
            usage: None,
        }
    }
}
