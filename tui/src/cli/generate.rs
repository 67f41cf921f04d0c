//! `kiln generate`, and what `kiln new` does after the project is made: start a
//! generation, follow it to its end over whatever breaks, cancel it on Ctrl-C.
//!
//! Leaving does not cancel: the daemon owns the generation.

use std::time::Duration;

use kiln_proto::v1 as pb;
use pb::event::Body;

use super::Context;
use super::args::Generate;
use super::exit::{Exit, Failure, Stop};
use super::hints;
use super::interrupt::Interrupts;
use super::output::human::{self, Narrator};
use super::output::json::{self, Object};
use super::output::progress::{self, Progress};
use super::output::{Line, Style, format};
use super::project;
use super::prompt;
use crate::client::resume::Update;
use crate::client::watch::{Batch, WatchOptions, watch};
use crate::client::{Client, Error};

/// How long starting and cancelling are tried: shorter than watching, because
/// nothing is lost yet.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// What to start.
pub(super) struct Work {
    /// The project.
    pub(super) project: pb::Project,
    /// The prompt.
    pub(super) prompt: String,
    /// The model; empty for the project's.
    pub(super) model: String,
    /// Whether to wait for a generation that runs.
    pub(super) queue: bool,
    /// How long a break may last.
    pub(super) patience: Duration,
}

pub(super) async fn run(context: &Context, args: Generate) -> Result<(), Stop> {
    let prompt = prompt::prompt_text(&args.prompt)?;
    let client = context.client().await?;
    let named = args.of.project.as_deref();
    let project = project::resolve(context, &client, named).await?;
    if named.is_some() {
        context.output.note(&project::named(&project));
    }
    let work = Work {
        project,
        prompt,
        model: args.model.unwrap_or_default(),
        queue: args.queue,
        patience: Duration::from_secs(args.patience.retry_for.into()),
    };
    let mut interrupts = Interrupts::listen()?;
    let generation = start(&client, &work).await?;
    follow(context, &client, &work, &generation, &mut interrupts).await
}

/// Starts the generation. One `request_id` for all tries: it starts once.
pub(super) async fn start(client: &Client, work: &Work) -> Result<pb::Generation, Error> {
    let if_running = if work.queue {
        pb::IfRunning::Queue
    } else {
        pb::IfRunning::Refuse
    };
    let request = pb::StartGenerationRequest {
        project_id: work.project.id.clone(),
        prompt: work.prompt.clone(),
        model: work.model.clone(),
        if_running: if_running.into(),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    client
        .persist(START_PATIENCE, || client.start_generation(request.clone()))
        .await?
        .generation
        .ok_or_else(|| Error::Protocol("no generation".to_owned()))
}

/// Follows a generation to its end, and says how it ended.
pub(super) async fn follow(
    context: &Context,
    client: &Client,
    work: &Work,
    generation: &pb::Generation,
    interrupts: &mut Interrupts,
) -> Result<(), Stop> {
    if context.output.json() {
        context.output.object(&json::generation(generation))?;
    }
    let mut followed = watch(
        client,
        WatchOptions {
            project_id: work.project.id.clone(),
            after: Some(generation.first_sequence.saturating_sub(1).max(0)),
            until_generation_id: Some(generation.id.clone()),
            patience: Some(work.patience),
        },
    );
    let mut view = View {
        context,
        narrator: Narrator::new(Some(generation.id.clone()), progress::is_utf8_locale()),
        progress: Progress::new(&context.output),
        generation_id: &generation.id,
        finished: None,
        head: 0,
    };
    view.omitted(generation);
    let mut ticks = tokio::time::interval(progress::TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut cancelling: Option<tokio::task::JoinHandle<Result<(), Error>>> = None;
    let mut interrupted = false;
    loop {
        tokio::select! {
            update = followed.next() => match update {
                Ok(Some(update)) => view.update(update)?,
                Ok(None) => break,
                Err(error) => {
                    view.progress.erase(&context.output);
                    return Err(lost(error, work, view.head).into());
                }
            },
            () = interrupts.next() => {
                if interrupted {
                    view.progress.erase(&context.output);
                    return Err(left(work).into());
                }
                interrupted = true;
                view.cancelling()?;
                cancelling = Some(cancel(client, &generation.id));
            },
            result = finished(&mut cancelling) => {
                cancelling = None;
                if let Err(error) = result {
                    view.note(&Line::styled(Style::Warn, format!("could not cancel: {error}")));
                    // Another Ctrl-C tries again rather than leaving.
                    interrupted = false;
                }
            },
            _ = ticks.tick(), if view.progress.is_moving() => view.progress.tick(&context.output),
        }
    }
    view.progress.erase(&context.output);
    let head = view.head;
    match view.finished.take() {
        Some(finished) => conclude(context, work, generation, &finished, head),
        None => Err(Failure::failed(
            "NOT_FOUND",
            "the project was deleted while the generation ran",
        )
        .into()),
    }
}

/// Cancels in a task of its own, so that events go on being shown.
fn cancel(client: &Client, generation_id: &str) -> tokio::task::JoinHandle<Result<(), Error>> {
    let client = client.clone();
    let generation_id = generation_id.to_owned();
    tokio::spawn(async move {
        client
            .persist(START_PATIENCE, || {
                client.cancel_generation(pb::CancelGenerationRequest {
                    generation_id: generation_id.clone(),
                })
            })
            .await
            .map(|_| ())
    })
}

/// The end of a task, if there is one; never otherwise.
async fn finished(
    task: &mut Option<tokio::task::JoinHandle<Result<(), Error>>>,
) -> Result<(), Error> {
    match task {
        Some(task) => match task.await {
            Ok(result) => result,
            Err(error) => Err(Error::Setup(error.to_string())),
        },
        None => std::future::pending().await,
    }
}

/// What people and scripts see while it runs.
struct View<'a> {
    context: &'a Context,
    narrator: Narrator,
    progress: Progress,
    generation_id: &'a str,
    finished: Option<pb::GenerationFinished>,
    /// The last sequence that was taken.
    head: i64,
}

impl View<'_> {
    fn note(&mut self, line: &Line) {
        self.progress.line(&self.context.output, line);
    }

    fn omitted(&mut self, generation: &pb::Generation) {
        if !generation.context_omitted.is_empty() {
            let what = generation.context_omitted.join(", ");
            let line = human::label("left out", &what)
                .add(Style::Dim, " (did not fit into the model's window)");
            self.note(&line);
        }
    }

    fn update(&mut self, update: Update<Batch>) -> Result<(), Stop> {
        let output = &self.context.output;
        match update {
            Update::Item(batch) => {
                for event in &batch.events {
                    self.head = event.sequence;
                    if output.json() {
                        output.object(&json::event(event))?;
                    } else {
                        for line in self.narrator.event(event) {
                            self.progress.line(output, &line);
                        }
                        let (status, stage) = self.narrator.status();
                        self.progress.show(status, stage);
                    }
                    if let Some(Body::GenerationFinished(finished)) = &event.body
                        && event.generation_id == self.generation_id
                    {
                        self.finished = Some(finished.clone());
                    }
                }
            }
            Update::Lost { cause } => {
                if output.json() {
                    output.object(&connection("lost", Some(&cause)))?;
                }
                let line = Line::styled(Style::Warn, "connection lost, trying again")
                    .add(Style::Dim, format!("  {}", one_line(&cause)));
                self.note(&line);
            }
            Update::Resumed => {
                if output.json() {
                    output.object(&connection("resumed", None))?;
                }
                self.note(&Line::styled(Style::Good, "resumed"));
            }
        }
        Ok(())
    }

    fn cancelling(&mut self) -> Result<(), Stop> {
        if self.context.output.json() {
            let object = Object::new("cancelling").with("generation_id", self.generation_id);
            self.context.output.object(&object)?;
        }
        self.note(&Line::styled(
            Style::Warn,
            "cancelling; what was complete is kept (Ctrl-C again leaves at once)",
        ));
        Ok(())
    }
}

/// What scripts are told about the connection.
pub(super) fn connection(state: &'static str, cause: Option<&str>) -> Object {
    Object::new("connection")
        .with("state", state)
        .with("message", cause)
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn conclude(
    context: &Context,
    work: &Work,
    generation: &pb::Generation,
    finished: &pb::GenerationFinished,
    head: i64,
) -> Result<(), Stop> {
    let output = &context.output;
    let ready = finished.outcome == i32::from(pb::GenerationOutcome::Ready);
    if output.json() {
        output.object(&json::result(&work.project.id, generation, finished, head))?;
    } else {
        if ready && !finished.preview_url.is_empty() {
            output.result(&Line::styled(Style::Strong, &finished.preview_url))?;
        }
        for line in next_steps(&work.project, finished) {
            output.note(&line);
        }
    }
    if ready {
        Ok(())
    } else {
        Err(Stop::Quiet(Exit::Failed))
    }
}

/// What to do after an outcome.
fn next_steps(project: &pb::Project, finished: &pb::GenerationFinished) -> Vec<Line> {
    use pb::GenerationOutcome as O;
    let handle = project::handle(project);
    let hint = |text: String| Line::styled(Style::Dim, "hint: ").add(Style::Plain, text);
    let mut lines = Vec::new();
    match O::try_from(finished.outcome) {
        Ok(O::Ready) => lines.push(hint(format!(
            "open the address in a browser; go on with `kiln generate -p {handle} \"…\"`"
        ))),
        Ok(O::Interrupted) => lines.push(hint(format!(
            "the daemon that ran it died, and nothing is run twice by itself: ask again with \
             `kiln generate -p {handle} \"…\"`; `kiln watch -p {handle} --after 0` shows what had come"
        ))),
        Ok(O::Cancelled) => lines.push(hint(format!(
            "`kiln history -p {handle}` shows what was kept; `kiln generate -p {handle} \"…\"` goes on"
        ))),
        Ok(O::Truncated) => lines.push(hint(
            "the answer was cut off: ask for less at once, or a model with longer answers (`kiln models`)".into(),
        )),
        Ok(O::OverBudget) => {
            lines.push(hint("the cap on the cost was reached: what was complete is kept".into()));
        }
        Ok(O::Failed | O::Unspecified) | Err(_) => {
            let reason = json::failure_reason(finished.failure_reason);
            if let Some(text) = reason.and_then(hints::for_failed_generation) {
                lines.push(hint(text.to_owned()));
            }
        }
    }
    let ready = finished.outcome == i32::from(O::Ready);
    if !ready && !finished.preview_url.is_empty() {
        lines.push(
            human::label("preview", &finished.preview_url)
                .add(Style::Dim, " (the last revision that worked)"),
        );
    }
    lines
}

/// The connection is gone for good; the generation may not be.
fn lost(error: Error, work: &Work, head: i64) -> Failure {
    let broken = error.is_retryable();
    let failure = Failure::from(error);
    if !broken {
        return failure;
    }
    let handle = project::handle(&work.project);
    failure.hint(format!(
        "gave up after {}; the generation may go on: `kiln watch -p {handle} --after {head}`",
        format::duration(work.patience)
    ))
}

fn left(work: &Work) -> Failure {
    let handle = project::handle(&work.project);
    Failure::failed("INTERRUPTED", "left; the generation may still be ending")
        .hint(format!("`kiln watch -p {handle}` shows how it goes on"))
}

#[cfg(test)]
mod tests {
    use super::super::output::Manner;
    use super::*;

    fn told(outcome: pb::GenerationOutcome, reason: pb::FailureReason) -> String {
        let project = pb::Project {
            name: "shop".into(),
            ..pb::Project::default()
        };
        let finished = pb::GenerationFinished {
            outcome: outcome.into(),
            failure_reason: reason.into(),
            preview_url: "http://127.0.0.1:4000".into(),
            ..pb::GenerationFinished::default()
        };
        next_steps(&project, &finished)
            .iter()
            .map(|line| line.render(Manner::of(false, None, false)) + "\n")
            .collect()
    }

    #[test]
    fn every_outcome_says_what_to_do() {
        use pb::{FailureReason as R, GenerationOutcome as O};
        let ready = told(O::Ready, R::Unspecified);
        assert!(ready.contains("kiln generate -p shop"), "{ready}");
        assert!(!ready.contains("last revision that worked"), "{ready}");
        let interrupted = told(O::Interrupted, R::Unspecified);
        assert!(interrupted.contains("died"), "{interrupted}");
        assert!(
            interrupted.contains("kiln generate -p shop"),
            "{interrupted}"
        );
        let failed = told(O::Failed, R::DockerUnavailable);
        assert!(failed.contains("Docker"), "{failed}");
        assert!(failed.contains("last revision that worked"), "{failed}");
        for outcome in [O::Cancelled, O::Truncated, O::OverBudget] {
            assert!(told(outcome, R::Unspecified).contains("hint: "));
        }
    }
}
