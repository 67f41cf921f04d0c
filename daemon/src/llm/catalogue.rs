//! Which models there are, what fits into them and what they cost.
//!
//! A compatible server may say no more of a model than its id: everything else
//! is optional. A catalogue that cannot be had is a warning, never an error: any
//! id typed by hand may be used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::demo;
use super::endpoint::{Dialect, Endpoint};
use super::model_list::{BODY_LIMIT_BYTES, Problem, ask};
use crate::domain::error::{Error, FieldRule, Result};
use crate::domain::generation::Usage;

/// What OpenRouter points at the newest model of a family.
const OPENROUTER_DEFAULT: &str = "~anthropic/claude-sonnet-latest";

const FRESH_FOR: Duration = Duration::from_secs(600);
/// A catalogue that could not be had is asked for again after this.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How long a provider may take to list its models.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of the id of a model, at most.
pub(super) const ID_LIMIT_BYTES: usize = 200;

/// Prices in millionths of a US dollar for a million tokens; `None` is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of the prompt.
    pub prompt: Option<i64>,
    /// Of the answer.
    pub completion: Option<i64>,
}

impl Prices {
    /// What `usage` costs in millionths of a US dollar, if both prices are known.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<i64> {
        let prompt = i128::from(usage.prompt_tokens) * i128::from(self.prompt?);
        let completion = i128::from(usage.completion_tokens) * i128::from(self.completion?);
        i64::try_from((prompt + completion + 500_000) / 1_000_000).ok()
    }
}

/// A model of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What a request names.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Tokens that fit into its window.
    pub context_tokens: Option<i64>,
    /// Tokens of an answer at most.
    pub max_output_tokens: Option<i64>,
    /// What it costs.
    pub prices: Prices,
    /// Whether its answers are canned.
    pub demo: bool,
    /// Roles that it has here: `default`, and those of the configuration.
    pub roles: Vec<String>,
}

/// The models that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// By id.
    pub models: Vec<Model>,
    /// What is wrong with the catalogue, for people.
    pub warning: Option<String>,
}

/// A model that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedModel {
    /// What a request names.
    pub id: String,
    /// Whether its answers are canned: for the label, and for nothing else.
    pub demo: bool,
    /// Tokens that fit into its window.
    pub context_tokens: Option<i64>,
    /// Tokens of an answer at most.
    pub max_output_tokens: Option<i64>,
    /// What it costs.
    pub prices: Prices,
}

/// What the configuration says about models.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) model: Option<String>,
    pub(super) roles: Vec<(String, String)>,
}

/// The catalogue, kept for ten minutes.
#[derive(Debug)]
pub struct Catalogue {
    provider: Option<Arc<Endpoint>>,
    demo: Vec<Model>,
    defaults: Defaults,
    /// Written by whoever holds `fetching`, read by everybody.
    cached: Mutex<Option<Cached>>,
    /// Held while the provider is asked, so that one asks for all.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Cached {
    fetched: Arc<Fetched>,
    expires: Instant,
}

#[derive(Debug, Default)]
struct Fetched {
    /// In the provider's order.
    models: Vec<Model>,
    by_id: HashMap<String, usize>,
    warning: Option<String>,
}

impl Catalogue {
    /// `models` are those that the provider has just listed, where it was asked.
    pub(super) fn new(
        provider: Option<Arc<Endpoint>>,
        models: Option<Vec<Model>>,
        has_demo: bool,
        defaults: Defaults,
    ) -> Self {
        let cached = models.map(|models| Cached {
            fetched: Arc::new(Fetched::new(models)),
            expires: Instant::now() + FRESH_FOR,
        });
        Self {
            provider,
            demo: if has_demo { demo::models() } else { Vec::new() },
            defaults,
            cached: Mutex::new(cached),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// What is known of a model without asking anybody.
    pub(super) fn known(&self, id: &str) -> Option<Model> {
        if let Some(model) = self.demo.iter().find(|model| model.id == id) {
            return Some(model.clone());
        }
        self.cached()?.fetched.find(id).cloned()
    }

    /// See [`super::Edge::models`].
    pub(super) async fn list(&self) -> Listing {
        let fetched = self.fetch().await;
        let default = self.default_id(&fetched);
        let mut models = self.demo.clone();
        models.extend(fetched.models.iter().cloned());
        let mut warnings: Vec<String> = fetched.warning.iter().cloned().collect();
        let default_role = default.map(|id| ("default".to_owned(), id));
        for (role, id) in default_role.iter().chain(&self.defaults.roles) {
            match models.iter_mut().find(|model| model.id == *id) {
                Some(model) => model.roles.push(role.clone()),
                None if fetched.warning.is_some() || self.provider.is_none() => {}
                None => warnings.push(format!(
                    "the model of the role {role}, {id}, is not in the catalogue"
                )),
            }
        }
        models.sort_by(|a, b| a.id.cmp(&b.id));
        Listing {
            models,
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
        }
    }

    /// See [`super::Edge::resolve`].
    pub(super) async fn resolve(&self, wanted: Option<&str>) -> Result<ResolvedModel> {
        let id = match wanted
            .filter(|id| !id.is_empty())
            .or(self.defaults.model.as_deref())
        {
            Some(id) => id.to_owned(),
            None if self.provider.is_none() => {
                let first = self.demo.first().ok_or(Error::NoProviderKey)?;
                return Ok(resolved(first.id.clone(), Some(first)));
            }
            None => {
                let fetched = self.fetch().await;
                self.default_id(&fetched).ok_or_else(|| {
                    not_allowed("the endpoint names no models: name one, or set model.default")
                })?
            }
        };
        if id.len() > ID_LIMIT_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(not_allowed("not the id of a model"));
        }
        if demo::is_demo(&id) {
            let model = self.demo.iter().find(|model| model.id == id);
            let model = model.ok_or_else(|| not_allowed("there is no such demo model"))?;
            return Ok(resolved(id, Some(model)));
        }
        if self.provider.is_none() {
            return Err(Error::NoProviderKey);
        }
        let fetched = self.fetch().await;
        let model = fetched.find(&id);
        Ok(resolved(id, model))
    }

    /// The model that is used where none is named.
    fn default_id(&self, fetched: &Fetched) -> Option<String> {
        if let Some(id) = &self.defaults.model {
            return Some(id.clone());
        }
        match &self.provider {
            None => self.demo.first().map(|model| model.id.clone()),
            Some(provider) => match provider.dialect() {
                Dialect::OpenRouter => Some(OPENROUTER_DEFAULT.to_owned()),
                Dialect::Plain => fetched.models.first().map(|model| model.id.clone()),
            },
        }
    }

    fn cached(&self) -> Option<Cached> {
        self.cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn fetch(&self) -> Arc<Fetched> {
        let Some(provider) = &self.provider else {
            return Arc::default();
        };
        if let Some(fetched) = self.fresh() {
            return fetched;
        }
        let _fetching = self.fetching.lock().await;
        if let Some(fetched) = self.fresh() {
            return fetched;
        }
        let answer = tokio::time::timeout(TIMEOUT, ask(provider, BODY_LIMIT_BYTES)).await;
        let (fetched, valid) = match answer.unwrap_or(Err(Problem::Slow)) {
            Ok(models) => (Fetched::new(models), FRESH_FOR),
            Err(problem) => {
                let problem = problem.text();
                tracing::warn!(problem, "no catalogue of models");
                let warning =
                    format!("the catalogue of models cannot be had: the endpoint {problem}");
                let old = self.cached().map(|cached| cached.fetched.models.clone());
                let mut fetched = Fetched::new(old.unwrap_or_default());
                fetched.warning = Some(warning);
                (fetched, RETRY_AFTER)
            }
        };
        let fetched = Arc::new(fetched);
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(Cached {
            fetched: Arc::clone(&fetched),
            expires: Instant::now() + valid,
        });
        fetched
    }

    fn fresh(&self) -> Option<Arc<Fetched>> {
        self.cached()
            .filter(|cached| Instant::now() < cached.expires)
            .map(|cached| cached.fetched)
    }
}

impl Fetched {
    fn new(models: Vec<Model>) -> Self {
        let mut by_id = HashMap::with_capacity(models.len());
        for (index, model) in models.iter().enumerate() {
            by_id.entry(model.id.clone()).or_insert(index);
        }
        Self {
            models,
            by_id,
            warning: None,
        }
    }

    /// The model with this id, or that with the id before the colon: `x:online`
    /// is `x` with something added.
    fn find(&self, id: &str) -> Option<&Model> {
        let base = id.split_once(':').map(|(base, _)| base);
        let index = self.by_id.get(id).or_else(|| self.by_id.get(base?))?;
        self.models.get(*index)
    }
}

fn resolved(id: String, model: Option<&Model>) -> ResolvedModel {
    ResolvedModel {
        id,
        demo: model.is_some_and(|model| model.demo),
        context_tokens: model.and_then(|model| model.context_tokens),
        max_output_tokens: model.and_then(|model| model.max_output_tokens),
        prices: model.map(|model| model.prices).unwrap_or_default(),
    }
}

fn not_allowed(message: &str) -> Error {
    Error::invalid("model", FieldRule::ModelNotAllowed, message)
}
