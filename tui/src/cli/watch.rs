//! `kiln watch`: what happens to a project, on stdout, until Ctrl-C or the end
//! of the project. It changes nothing.

use std::time::Duration;

use super::Context;
use super::args::Watch;
use super::exit::Stop;
use super::generate::{connection, one_line};
use super::output::human::Narrator;
use super::output::{Line, Style, json, progress};
use super::project;
use crate::client::resume::Update;
use crate::client::watch::{WatchOptions, watch};

pub(super) async fn run(context: &Context, args: Watch) -> Result<(), Stop> {
    let client = context.client().await?;
    let named = args.of.project.as_deref();
    let project = project::resolve(context, &client, named).await?;
    let mut followed = watch(
        &client,
        WatchOptions {
            project_id: project.id.clone(),
            after: args.after,
            until_generation_id: None,
            patience: Some(Duration::from_secs(args.patience.retry_for.into())),
        },
    );
    let output = &context.output;
    let mut narrator = Narrator::new(None, progress::is_utf8_locale());
    while let Some(update) = followed.next().await? {
        match update {
            Update::Item(batch) => {
                if let Some(snapshot) = &batch.snapshot {
                    if output.json() {
                        output.object(&json::project(snapshot))?;
                    } else if named.is_some() {
                        output.note(&project::named(snapshot));
                    }
                }
                for event in &batch.events {
                    if output.json() {
                        output.object(&json::event(event))?;
                        continue;
                    }
                    for line in narrator.event(event) {
                        output.result(&line)?;
                    }
                }
            }
            Update::Lost { cause } => {
                if output.json() {
                    output.object(&connection("lost", Some(&cause)))?;
                }
                output.note(
                    &Line::styled(Style::Warn, "connection lost, trying again")
                        .add(Style::Dim, format!("  {}", one_line(&cause))),
                );
            }
            Update::Resumed => {
                if output.json() {
                    output.object(&connection("resumed", None))?;
                }
                output.note(&Line::styled(Style::Good, "resumed"));
            }
        }
    }
    Ok(())
}
