//! `kiln.v1.ModelService`: messages in, the catalogue, messages out.

use std::sync::Arc;

use kiln_proto::v1::{self, model_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::page::Page;
use crate::domain::error::Error;
use crate::llm::{Model, Switch};

/// The service.
#[derive(Clone)]
pub struct ModelService {
    edge: Arc<Switch>,
}

impl ModelService {
    /// The service over the edge that is in force.
    #[must_use]
    pub fn new(edge: Arc<Switch>) -> Self {
        Self { edge }
    }
}

#[tonic::async_trait]
impl model_service_server::ModelService for ModelService {
    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        caller(&request)?;
        let message = request.into_inner();
        let page: Page<String> = Page::parse(
            message.page_size,
            &message.page_token,
            "ListModels",
            &[&message.filter],
        )
        .map_err(|violation| Error::Invalid(vec![violation]))?;
        let listing = self.edge.now().models().await;
        let filter = message.filter.to_lowercase();
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let mut models: Vec<Model> = listing
            .models
            .into_iter()
            .filter(|model| page.after.as_ref().is_none_or(|after| model.id > *after))
            .filter(|model| {
                model.id.to_lowercase().contains(&filter)
                    || model.name.to_lowercase().contains(&filter)
            })
            .collect();
        models.sort_by(|one, other| one.id.cmp(&other.id));
        models.truncate(limit);
        let next_page_token = page.finish(&mut models, |model| model.id.clone());
        Ok(Response::new(v1::ListModelsResponse {
            models: models.into_iter().map(model).collect(),
            next_page_token,
            warning: listing.warning.unwrap_or_default(),
        }))
    }
}

fn model(model: Model) -> v1::Model {
    v1::Model {
        id: model.id,
        name: model.name,
        context_tokens: model.context_tokens.unwrap_or(0),
        max_output_tokens: model.max_output_tokens.unwrap_or(0),
        prompt_micro_usd_per_million: model.prices.prompt,
        completion_micro_usd_per_million: model.prices.completion,
        demo: model.demo,
        roles: model.roles,
    }
}
