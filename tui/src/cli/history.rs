//! `kiln history`: the revisions of a project, newest first.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::OfProject;
use super::exit::Stop;
use super::output::{Line, format, json};
use super::project::{self, PAGE_SIZE, PAGES_MAX};
use crate::client::Error;

pub(super) async fn run(context: &Context, of: OfProject) -> Result<(), Stop> {
    let client = context.client().await?;
    let project = project::resolve(context, &client, of.project.as_deref()).await?;
    let mut revisions = Vec::new();
    let mut page_token = String::new();
    for page in 0.. {
        if page == PAGES_MAX {
            return Err(Error::Protocol("a list without an end".to_owned()).into());
        }
        let answer = client
            .list_revisions(pb::ListRevisionsRequest {
                project_id: project.id.clone(),
                page_size: PAGE_SIZE,
                page_token,
            })
            .await?;
        revisions.extend(answer.revisions);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let output = &context.output;
    if output.json() {
        for revision in &revisions {
            output.object(&json::revision(revision))?;
        }
        return Ok(());
    }
    if revisions.is_empty() {
        output.note(&Line::plain(
            "no revision yet: `kiln generate` makes the first",
        ));
        return Ok(());
    }
    let now = format::now();
    let rows: Vec<Vec<String>> = revisions
        .iter()
        .map(|revision| {
            let health = json::health(revision.health).unwrap_or("UNKNOWN");
            vec![
                revision.number.to_string(),
                format::ago(revision.create_time.as_ref(), now),
                health.to_lowercase(),
                revision.file_count.to_string(),
                format::size(revision.total_bytes),
                format::first_line(&revision.title, 60),
            ]
        })
        .collect();
    for line in format::table(&["#", "MADE", "HEALTH", "FILES", "SIZE", "TITLE"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}
