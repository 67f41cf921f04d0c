//! `kiln files`: lists a revision's files, or prints one. On a terminal what is
//! printed is cleaned, and bytes that are no text are refused; elsewhere they
//! come as they are.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::Files;
use super::exit::{Failure, Stop};
use super::output::{format, json};
use super::project::{self, PAGE_SIZE, PAGES_MAX};
use crate::client::{Client, Error};

pub(super) async fn run(context: &Context, args: Files) -> Result<(), Stop> {
    let client = context.client().await?;
    let project = project::resolve(context, &client, args.of.project.as_deref()).await?;
    let revision_id = resolve_revision(&client, &project, args.revision.as_deref()).await?;
    let Some(path) = args.path else {
        return list(context, &client, &project, revision_id, None).await;
    };
    let read = client
        .read_file(pb::ReadFileRequest {
            project_id: project.id.clone(),
            revision_id: revision_id.clone(),
            path: path.clone(),
        })
        .await;
    match read {
        Ok(answer) => print(context, answer),
        // Not a file; it may be a directory, which revisions do not know.
        Err(error) if error.reason() == Some("NOT_FOUND") => {
            let directory = path.trim_end_matches('/');
            list(context, &client, &project, revision_id, Some(directory)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The id of a revision that was named by number or id; empty for the newest.
pub(super) async fn resolve_revision(
    client: &Client,
    project: &pb::Project,
    wanted: Option<&str>,
) -> Result<String, Stop> {
    let Some(wanted) = wanted else {
        return Ok(String::new());
    };
    if uuid::Uuid::try_parse(wanted).is_ok() {
        return Ok(wanted.to_ascii_lowercase());
    }
    let number: i32 = wanted.trim_start_matches(['r', '#']).parse().map_err(|_| {
        Failure::usage(format!("\"{wanted}\" is no number or id of a revision"))
            .hint("`kiln history` lists the revisions")
    })?;
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let answer = client
            .list_revisions(pb::ListRevisionsRequest {
                project_id: project.id.clone(),
                page_size: PAGE_SIZE,
                page_token,
            })
            .await?;
        if let Some(found) = answer.revisions.iter().find(|r| r.number == number) {
            return Ok(found.id.clone());
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Err(
                Failure::failed("NOT_FOUND", format!("there is no revision {number}"))
                    .hint("`kiln history` lists the revisions")
                    .into(),
            );
        }
    }
    Err(Error::Protocol("a list without an end".to_owned()).into())
}

async fn list(
    context: &Context,
    client: &Client,
    project: &pb::Project,
    revision_id: String,
    below: Option<&str>,
) -> Result<(), Stop> {
    let mut answer = client
        .list_files(pb::ListFilesRequest {
            project_id: project.id.clone(),
            revision_id,
        })
        .await?;
    if let Some(directory) = below {
        let inside = |path: &str| {
            path.strip_prefix(directory)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        answer.files.retain(|file| inside(&file.path));
        if answer.files.is_empty() {
            return Err(Failure::failed(
                "NOT_FOUND",
                format!("there is no file or directory \"{directory}\""),
            )
            .hint("`kiln files` lists what there is")
            .into());
        }
    }
    let output = &context.output;
    if output.json() {
        for file in &answer.files {
            output.object(&json::file(file, &answer.revision_id))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = answer
        .files
        .iter()
        .map(|file| vec![format::size(file.size_bytes), file.path.clone()])
        .collect();
    for line in format::table(&["SIZE", "PATH"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}

fn print(context: &Context, answer: pb::ReadFileResponse) -> Result<(), Stop> {
    let output = &context.output;
    let binary = !answer.data.is_empty();
    if output.json() {
        let file = answer.file.unwrap_or_default();
        let text = (!binary).then_some(answer.text);
        return output.object(&json::file(&file, "").with("text", text));
    }
    if binary {
        if output.is_terminal() {
            return Err(Failure::failed("BINARY", "the file is not text")
                .hint("send it to a file: kiln files … > FILE")
                .into());
        }
        return output.bytes(&answer.data);
    }
    output.text(&answer.text)
}
