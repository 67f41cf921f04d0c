//! `kiln cancel`: ends the generation that runs on a project. That nothing runs
//! is no error: what was wanted is so.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::OfProject;
use super::exit::Stop;
use super::output::json::{self, Object};
use super::output::{Line, Style};
use super::project;

pub(super) async fn run(context: &Context, of: OfProject) -> Result<(), Stop> {
    let client = context.client().await?;
    let project = project::resolve(context, &client, of.project.as_deref()).await?;
    let output = &context.output;
    if project.running_generation_id.is_empty() {
        if output.json() {
            return output.object(
                &Object::new("result")
                    .with("outcome", "NOTHING_RUNS")
                    .with("project_id", project.id.as_str()),
            );
        }
        output.note(&Line::plain("nothing is running on ").add(Style::Strong, project.name));
        return Ok(());
    }
    let answer = client
        .cancel_generation(pb::CancelGenerationRequest {
            generation_id: project.running_generation_id,
        })
        .await?;
    if output.json() {
        if let Some(generation) = &answer.generation {
            output.object(&json::generation(generation))?;
        }
        return Ok(());
    }
    output.note(
        &Line::plain("cancelling on ")
            .add(Style::Strong, project.name)
            .add(Style::Plain, "; what was complete is kept"),
    );
    Ok(())
}
