//! `kiln projects`: lists, shows, renames, deletes. Deleting asks first, and
//! where nobody can answer it needs `--yes`.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::{Projects, ProjectsCommand};
use super::exit::{Failure, Stop};
use super::output::json::{self, Object};
use super::output::{Line, Style, format, human};
use super::{project, prompt};
use crate::client::{Client, Error};

pub(super) async fn run(context: &Context, args: Projects) -> Result<(), Stop> {
    let client = context.client().await?;
    match args.command.unwrap_or(ProjectsCommand::List) {
        ProjectsCommand::List => list(context, &client).await,
        ProjectsCommand::Show { project } => {
            let project = project::find(&client, &project).await?;
            show(context, &project)
        }
        ProjectsCommand::Rename { project, name } => {
            let project = project::find(&client, &project).await?;
            rename(context, &client, &project, name).await
        }
        ProjectsCommand::Delete { project, yes } => {
            let project = project::find(&client, &project).await?;
            delete(context, &client, &project, yes).await
        }
    }
}

async fn list(context: &Context, client: &Client) -> Result<(), Stop> {
    let projects = project::all(client).await?;
    let output = &context.output;
    if output.json() {
        for project in &projects {
            output.object(&json::project(project))?;
        }
        return Ok(());
    }
    if projects.is_empty() {
        output.note(&Line::plain(
            "no projects yet: `kiln new PROMPT` makes the first",
        ));
        return Ok(());
    }
    let now = format::now();
    let rows: Vec<Vec<String>> = projects
        .iter()
        .map(|project| {
            vec![
                format::short_id(&project.id).to_owned(),
                project.name.clone(),
                state(project),
                format::ago(project.update_time.as_ref(), now),
                preview(project),
            ]
        })
        .collect();
    for line in format::table(&["ID", "NAME", "STATE", "CHANGED", "PREVIEW"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}

fn show(context: &Context, project: &pb::Project) -> Result<(), Stop> {
    let output = &context.output;
    if output.json() {
        return output.object(&json::project(project));
    }
    let sandbox = json::sandbox_state(project.sandbox_state).unwrap_or("STOPPED");
    let model = if project.default_model.is_empty() {
        "the server's default"
    } else {
        &project.default_model
    };
    let rows = [
        ("name", project.name.clone()),
        ("id", project.id.clone()),
        ("about", project.description.clone()),
        ("state", state(project)),
        ("template", project.template.clone()),
        ("model", model.to_owned()),
        ("sandbox", sandbox.to_lowercase()),
        ("preview", project.preview_url.clone()),
        (
            "cost",
            format::dollars(project.cost_micro_usd) + " as far as known",
        ),
        (
            "changed",
            format::ago(project.update_time.as_ref(), format::now()),
        ),
    ];
    for (what, text) in rows {
        if !text.is_empty() {
            output.result(&human::label(what, &text))?;
        }
    }
    Ok(())
}

async fn rename(
    context: &Context,
    client: &Client,
    project: &pb::Project,
    name: String,
) -> Result<(), Stop> {
    let answer = client
        .update_project(pb::UpdateProjectRequest {
            project_id: project.id.clone(),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["name".to_owned()],
            }),
            name,
            request_id: uuid::Uuid::new_v4().to_string(),
            ..pb::UpdateProjectRequest::default()
        })
        .await?;
    let changed = answer
        .project
        .ok_or_else(|| Error::Protocol("no project".to_owned()))?;
    if context.output.json() {
        return context.output.object(&json::project(&changed));
    }
    context.output.note(
        &Line::plain("renamed ")
            .add(Style::Strong, &project.name)
            .add(Style::Plain, " to ")
            .add(Style::Strong, changed.name),
    );
    Ok(())
}

async fn delete(
    context: &Context,
    client: &Client,
    project: &pb::Project,
    yes: bool,
) -> Result<(), Stop> {
    if !yes {
        if !prompt::can_ask() {
            return Err(Failure::usage("deleting needs --yes where nobody can be asked").into());
        }
        context.output.note(&project::named(project));
        let question = "Delete it, with its sandbox, its log and all its revisions?";
        if !prompt::confirm(question).await? {
            return Err(Failure::failed("DECLINED", "nothing was deleted").into());
        }
    }
    client
        .delete_project(pb::DeleteProjectRequest {
            project_id: project.id.clone(),
        })
        .await?;
    if context.output.json() {
        return context.output.object(
            &Object::new("result")
                .with("outcome", "DELETED")
                .with("project_id", project.id.as_str()),
        );
    }
    context
        .output
        .note(&Line::plain("deleted ").add(Style::Strong, &project.name));
    Ok(())
}

/// One word for where a project is: what runs, else how the last one ended.
fn state(project: &pb::Project) -> String {
    let word = if project.running_generation_id.is_empty() {
        json::outcome(project.last_outcome).unwrap_or("NEW")
    } else {
        json::generation_state(project.agent_state).unwrap_or("RUNNING")
    };
    word.to_lowercase().replace('_', " ")
}

fn preview(project: &pb::Project) -> String {
    if project.preview_url.is_empty() {
        "-".to_owned()
    } else {
        project.preview_url.clone()
    }
}
