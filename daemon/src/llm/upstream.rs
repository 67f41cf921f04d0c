//! A provider that an owner may choose through the API: OpenRouter, or a server
//! of this machine. Nothing else: whoever could name any address would have the
//! daemon call into networks that it reaches and they do not.
//!
//! It asks an endpoint whether it will do; it keeps nothing.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::catalogue::{Model, TIMEOUT};
use super::endpoint::{Dialect, EdgeError, Endpoint, is_loopback};
use super::model_list::{BODY_LIMIT_BYTES, Problem, ask};
use crate::config::OPENROUTER_URL;
use crate::domain::error::{FieldRule, Violation};

const URL_LIMIT_BYTES: usize = 500;
const KEY_LIMIT_BYTES: usize = 1_000;
/// What an address without a path stands for.
const USUAL_PATH: &str = "/v1";

/// A provider that may be chosen: its address and its key.
#[derive(Clone, Debug)]
pub struct Upstream {
    base_url: String,
    api_key: Option<SecretString>,
}

/// A provider that can be used.
#[derive(Debug)]
pub struct Source {
    endpoint: Endpoint,
    models: Option<Vec<Model>>,
}

/// Why an endpoint will not do. Texts complete the sentence "the endpoint …".
#[derive(Debug)]
pub enum Unfit {
    /// It refuses the key, or wants one.
    Key(&'static str),
    /// It does not answer, or not now.
    Unreachable(&'static str),
    /// It speaks something else.
    Protocol(&'static str),
    /// No client can be made for it.
    Setup(EdgeError),
}

impl Upstream {
    /// What somebody has chosen; an empty address is OpenRouter's.
    ///
    /// # Errors
    /// All violations, for the fields `base_url` and `api_key`.
    pub fn choose(base_url: &str, api_key: SecretString) -> Result<Self, Vec<Violation>> {
        use secrecy::ExposeSecret;
        let mut violations = Vec::new();
        let address = read_base_url(base_url);
        let is_openrouter = address.as_deref() == Some(OPENROUTER_URL);
        if address.is_none() {
            violations.push(Violation {
                field: "base_url",
                rule: FieldRule::ProviderUrl,
                message:
                    "must be empty for OpenRouter, or a plain http address of this machine such as \
                          http://127.0.0.1:11434/v1; any other endpoint is set in the daemon's \
                          configuration, as model.base_url"
                        .into(),
            });
        }
        let key = api_key.expose_secret();
        let problem = if key.is_empty() && is_openrouter {
            Some("OpenRouter needs a key")
        } else if key.len() > KEY_LIMIT_BYTES || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("must be visible ASCII without white space, at most 1,000 characters")
        } else {
            None
        };
        if let Some(problem) = problem {
            violations.push(Violation {
                field: "api_key",
                rule: FieldRule::Field,
                message: problem.into(),
            });
        }
        match address {
            Some(base_url) if violations.is_empty() => Ok(Self {
                base_url,
                api_key: (!key.is_empty()).then_some(api_key),
            }),
            _ => Err(violations),
        }
    }

    /// Its address.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its key.
    #[must_use]
    pub fn api_key(&self) -> Option<&SecretString> {
        self.api_key.as_ref()
    }

    /// Takes it as it is, without asking it.
    ///
    /// # Errors
    /// [`EdgeError`], when no client can be made for it.
    pub fn open(&self) -> Result<Source, EdgeError> {
        let dialect = if Endpoint::is_openrouter(&self.base_url) {
            Dialect::OpenRouter
        } else {
            Dialect::Plain
        };
        Ok(Source {
            endpoint: Endpoint::new(&self.base_url, self.api_key.clone(), dialect)?,
            models: None,
        })
    }

    /// Asks whether it will do, which takes up to twice the time that a catalogue
    /// may take.
    ///
    /// # Errors
    /// [`Unfit`].
    pub async fn check(&self) -> Result<Source, Unfit> {
        let mut source = self.open().map_err(Unfit::Setup)?;
        source.models = Some(list(&source.endpoint, TIMEOUT).await?);
        Ok(source)
    }
}

impl Source {
    /// The models that it has listed, if it was asked.
    #[must_use]
    pub fn models(&self) -> Option<&[Model]> {
        self.models.as_deref()
    }

    pub(super) fn into_parts(self) -> (Endpoint, Option<Vec<Model>>) {
        (self.endpoint, self.models)
    }
}

/// The address in the form in which it is kept; `None` where it is not allowed.
fn read_base_url(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() || text == OPENROUTER_URL {
        return Some(OPENROUTER_URL.to_owned());
    }
    if text.len() > URL_LIMIT_BYTES {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain || url.scheme() != "http" || !is_loopback(&url) || url.port() == Some(0) {
        return None;
    }
    if url.path() == "/" {
        url.set_path(USUAL_PATH);
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Its models, or why it will not do. OpenRouter lists its models to everybody, so
/// it is asked about the key first.
pub(super) async fn list(endpoint: &Endpoint, limit: Duration) -> Result<Vec<Model>, Unfit> {
    let unfit = |problem| unfit(problem, endpoint.has_key());
    if endpoint.dialect() == Dialect::OpenRouter {
        let asked = async {
            let response = endpoint.get("/key").send().await;
            let status = response.map_err(|_| Problem::Unreachable)?.status();
            if status.is_success() {
                Ok(())
            } else {
                Err(Problem::of_status(status.as_u16()))
            }
        };
        let asked = tokio::time::timeout(limit, asked).await;
        asked.unwrap_or(Err(Problem::Slow)).map_err(unfit)?;
    }
    let asked = tokio::time::timeout(limit, ask(endpoint, BODY_LIMIT_BYTES)).await;
    asked.unwrap_or(Err(Problem::Slow)).map_err(unfit)
}

fn unfit(problem: Problem, has_key: bool) -> Unfit {
    match problem {
        Problem::Key if has_key => Unfit::Key(problem.text()),
        Problem::Key => Unfit::Key("wants a key"),
        Problem::Unreachable | Problem::Slow | Problem::Busy => Unfit::Unreachable(problem.text()),
        Problem::Missing => Unfit::Protocol("has no list of models (GET /models)"),
        Problem::Refused | Problem::Broken | Problem::NoList => Unfit::Protocol(problem.text()),
    }
}
