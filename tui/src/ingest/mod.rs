//! The gate between the daemon's messages and the client's own words: the only
//! place where the schema's types become the model's, and the only one where
//! text that others wrote is cleaned. Behind it, text is safe to draw.

pub mod event;
pub mod file;
mod hint;
pub mod log;
pub mod project;
pub mod report;

use kiln_proto::v1 as pb;

use crate::failure::Failure;
use crate::model::catalogue::{Catalogue, ModelEntry};
use crate::model::connection::{Account, Server};
use crate::model::provider::{FoundEndpoint, Provider};
use crate::sanitise;

/// Names and ids with more characters than this are cut.
const NAME_MAX: usize = 200;
/// Paths with more characters than this are cut. A revision has no longer ones.
const PATH_MAX: usize = 240;
/// Sentences for people with more characters than this are cut.
const SENTENCE_MAX: usize = 2_000;

/// Cleans a name: one line, of a sane length.
#[must_use]
pub fn name(text: &str) -> String {
    cut(&sanitise::line(text), NAME_MAX)
}

/// Cleans a path. One of a revision is never cut, since it is asked for again.
#[must_use]
pub fn path(text: &str) -> String {
    cut(&sanitise::line(text), PATH_MAX)
}

/// Cleans a sentence for people: one line, of a sane length.
#[must_use]
pub fn sentence(text: &str) -> String {
    cut(&sanitise::line(&text.replace('\n', " ")), SENTENCE_MAX)
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What went wrong on the connection.
#[must_use]
pub fn failure(error: crate::client::Error) -> Failure {
    let failure = crate::cli::exit::Failure::from(error);
    Failure {
        reason: name(&failure.reason),
        message: sentence(&failure.message),
        hint: hint::here(&failure.reason, failure.hint.as_deref()).map(sentence),
    }
}

/// What the daemon says of itself.
#[must_use]
pub fn server(info: &pb::GetServerInfoResponse) -> Server {
    let docker = info.docker.as_ref();
    let provider = info.provider.as_ref();
    Server {
        version: name(&info.version),
        docker_down: docker
            .filter(|docker| !docker.available)
            .map(|docker| sentence(&docker.detail)),
        demo_only: provider.is_none_or(|provider| provider.demo_only),
        default_model: provider.map_or_else(String::new, |p| name(&p.default_model)),
        sign_up: name(&info.sign_up),
    }
}

/// Who is signed in.
#[must_use]
pub fn account(user: &pb::User) -> Account {
    Account {
        name: name(if user.display_name.is_empty() {
            &user.email
        } else {
            &user.display_name
        }),
        owner: user.owner,
    }
}

/// Where models come from.
#[must_use]
pub fn provider(answer: &pb::GetProviderResponse) -> Provider {
    let status = answer.provider.clone().unwrap_or_default();
    Provider {
        current: if status.demo_only {
            "the demo model".to_owned()
        } else {
            name(&status.base_url)
        },
        demo_only: status.demo_only,
        unchosen: answer.source() == pb::ProviderSource::Demo,
        can_change: answer.can_change,
        detail: sentence(&answer.detail),
        endpoints: answer
            .local_endpoints
            .iter()
            .map(|found| FoundEndpoint {
                base_url: name(&found.base_url),
                name: name(&found.name),
                model_count: found.model_count,
            })
            .collect(),
    }
}

/// The models of one page.
#[must_use]
pub fn catalogue(answer: &pb::ListModelsResponse) -> Catalogue {
    Catalogue {
        models: answer.models.iter().map(model).collect(),
        warning: sentence(&answer.warning),
    }
}

fn model(model: &pb::Model) -> ModelEntry {
    ModelEntry {
        id: name(&model.id),
        name: name(&model.name),
        words: words(&name(&model.id), &name(&model.name)),
        context_tokens: model.context_tokens,
        prompt_price: model.prompt_micro_usd_per_million,
        completion_price: model.completion_micro_usd_per_million,
        demo: model.demo,
        roles: model.roles.iter().map(|role| name(role)).collect(),
    }
}

/// What a filter looks at: nothing twice.
fn words(id: &str, name: &str) -> String {
    if name.is_empty() || name == id {
        id.to_owned()
    } else {
        format!("{id}  {name}")
    }
}
