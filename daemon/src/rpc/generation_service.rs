//! `kiln.v1.GenerationService`: messages in, use cases, messages out.

use kiln_proto::v1::{self, generation_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use super::lists::{Listing, listing};
use super::streams::{Streams, WatchStream};
use crate::app::generations::{Generations, IfRunning, StartGeneration};
use crate::app::projects::Projects;
use crate::domain::account;
use crate::domain::error::Error;
use crate::domain::id::{GenerationId, ProjectId};
use crate::domain::text::Prompt;

/// The service.
#[derive(Clone)]
pub struct GenerationService {
    generations: Generations,
    projects: Projects,
    streams: Streams,
}

impl GenerationService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(generations: Generations, projects: Projects, streams: Streams) -> Self {
        Self {
            generations,
            projects,
            streams,
        }
    }
}

#[tonic::async_trait]
impl generation_service_server::GenerationService for GenerationService {
    async fn start_generation(
        &self,
        request: Request<v1::StartGenerationRequest>,
    ) -> Result<Response<v1::StartGenerationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let start = read_start(Start {
            project_id: message.project_id,
            prompt: message.prompt,
            model: message.model,
            if_running: message.if_running,
            request_id: message.request_id,
        })?;
        let generation = self.generations.start(&caller, start).await?;
        Ok(Response::new(v1::StartGenerationResponse {
            generation: Some(convert::generation(generation)),
        }))
    }

    type GenerateStream = WatchStream<v1::GenerateResponse>;

    async fn generate(
        &self,
        request: Request<v1::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let after = message.after_sequence;
        let generation = if message.generation_id.is_empty() {
            let start = read_start(Start {
                project_id: message.project_id,
                prompt: message.prompt,
                model: message.model,
                if_running: message.if_running,
                request_id: message.request_id,
            })?;
            self.generations.start(&caller, start).await?
        } else {
            self.generations
                .get(&caller, read_id(&message.generation_id)?)
                .await?
        };
        let project = self.projects.get(&caller, generation.project_id).await?;
        // From its own first event on, or from where the caller left off.
        let after = after.max(generation.first_sequence - 1);
        let stream = self
            .streams
            .generation(caller, &project, generation, after)
            .await?;
        Ok(Response::new(stream))
    }

    async fn cancel_generation(
        &self,
        request: Request<v1::CancelGenerationRequest>,
    ) -> Result<Response<v1::CancelGenerationResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().generation_id)?;
        let generation = self.generations.cancel(&caller, id).await?;
        Ok(Response::new(v1::CancelGenerationResponse {
            generation: Some(convert::generation(generation)),
        }))
    }

    async fn get_generation(
        &self,
        request: Request<v1::GetGenerationRequest>,
    ) -> Result<Response<v1::GetGenerationResponse>, Status> {
        let caller = caller(&request)?;
        let id = read_id(&request.into_inner().generation_id)?;
        let generation = self.generations.get(&caller, id).await?;
        Ok(Response::new(v1::GetGenerationResponse {
            generation: Some(convert::generation(generation)),
        }))
    }

    async fn list_generations(
        &self,
        request: Request<v1::ListGenerationsRequest>,
    ) -> Result<Response<v1::ListGenerationsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::default();
        let project = fields.id::<ProjectId>("project_id", &message.project_id);
        let Listing { page, rows } = listing(
            &mut fields,
            (message.page_size, &message.page_token),
            "ListGenerations",
            &[&message.project_id],
        )?;
        let Some(project) = project else {
            return Err(fields.into_error().into());
        };
        let mut generations = self.generations.list(&caller, project, rows).await?;
        let next_page_token = page.finish(&mut generations, |generation| {
            (generation.created_at, generation.id.uuid())
        });
        Ok(Response::new(v1::ListGenerationsResponse {
            generations: generations.into_iter().map(convert::generation).collect(),
            next_page_token,
        }))
    }
}

fn read_id(text: &str) -> Result<GenerationId, Error> {
    let mut fields = Fields::default();
    fields
        .id("generation_id", text)
        .ok_or_else(|| fields.into_error())
}

/// What both ways of starting have in common.
struct Start {
    project_id: String,
    prompt: String,
    model: String,
    if_running: i32,
    request_id: String,
}

fn read_start(start: Start) -> Result<StartGeneration, Error> {
    let mut fields = Fields::default();
    let project = fields.id("project_id", &start.project_id);
    let prompt = match Prompt::parse(start.prompt) {
        Ok(prompt) => Some(prompt),
        Err(Error::Invalid(violations)) => {
            for violation in violations {
                fields.take::<()>(Err(violation));
            }
            None
        }
        Err(other) => return Err(other),
    };
    let if_running = match v1::IfRunning::try_from(start.if_running) {
        Ok(v1::IfRunning::Unspecified | v1::IfRunning::Refuse) => Some(IfRunning::Refuse),
        Ok(v1::IfRunning::Queue) => Some(IfRunning::Queue),
        Err(_) => {
            fields.refuse("if_running", "must be REFUSE or QUEUE");
            None
        }
    };
    let request_id = fields.take(account::request_id(&start.request_id));
    match (project, prompt, if_running, request_id) {
        (Some(project), Some(prompt), Some(if_running), Some(request_id)) => Ok(StartGeneration {
            project,
            prompt,
            model: Some(start.model).filter(|model| !model.is_empty()),
            if_running,
            request_id,
        }),
        _ => Err(fields.into_error()),
    }
}
