//! `kiln logs`: what a project's app wrote, on stdout; what is ours to say about
//! it goes to stderr.

use std::time::Duration;

use super::Context;
use super::args::Logs;
use super::exit::Stop;
use super::generate::{connection, one_line};
use super::output::json::{self, Object};
use super::output::{Line, Style};
use super::project;
use crate::client::logs::{LogOptions, logs};
use crate::client::resume::Update;

pub(super) async fn run(context: &Context, args: Logs) -> Result<(), Stop> {
    let client = context.client().await?;
    let project = project::resolve(context, &client, args.of.project.as_deref()).await?;
    let mut followed = logs(
        &client,
        LogOptions {
            project_id: project.id,
            // In the schema 0 is the default, and -1 is none.
            tail: if args.tail == 0 { -1 } else { args.tail },
            follow: args.follow,
            patience: Some(Duration::from_secs(args.patience.retry_for.into())),
        },
    );
    let output = &context.output;
    while let Some(update) = followed.next().await? {
        match update {
            Update::Item(batch) => {
                if batch.dropped > 0 {
                    if output.json() {
                        output.object(&Object::new("log_dropped").with("count", batch.dropped))?;
                    }
                    output.note(&Line::styled(
                        Style::Warn,
                        format!(
                            "{} lines were dropped: the app writes too fast",
                            batch.dropped
                        ),
                    ));
                }
                for line in &batch.lines {
                    if output.json() {
                        output.object(&json::log(line))?;
                    } else {
                        output.text(&format!("{}\n", line.text))?;
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
    if args.follow {
        output.note(&Line::styled(Style::Dim, "the sandbox stopped"));
    }
    Ok(())
}
