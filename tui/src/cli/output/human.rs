//! Tells people what the events of a project mean: a state machine from events
//! to lines. It reads no clock (times are those of the events), so that a log
//! that is shown again reads as it did then, and writes nothing itself.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kiln_proto::v1 as pb;
use pb::event::Body;
use prost_types::Timestamp;

use super::{Line, Style, format, json};

/// Lines of a failed step that are shown.
const OUTPUT_LINES: usize = 12;
/// Bytes of prose that wait for the end of their line.
const PROSE_MAX: usize = 4096;
/// Bytes of a step's output that are kept.
const OUTPUT_MAX: usize = 64 * 1024;

/// The signs in front of lines.
#[derive(Clone, Copy, Debug)]
struct Signs {
    good: &'static str,
    bad: &'static str,
    skip: &'static str,
}

const UNICODE: Signs = Signs {
    good: "✓",
    bad: "✗",
    skip: "·",
};
const ASCII: Signs = Signs {
    good: "ok",
    bad: "failed",
    skip: "-",
};

/// What is known of a generation while it runs.
pub struct Narrator {
    signs: Signs,
    /// Only this generation, and what concerns the project; `None` for all.
    only: Option<String>,
    status: Option<String>,
    /// Changed with the status, but not with figures inside it.
    stage: u64,
    started: Option<Timestamp>,
    attempt_started: Option<Timestamp>,
    demo: bool,
    files: HashMap<i32, OpenFile>,
    attempt_files: usize,
    attempt_bytes: i64,
    prose: String,
    step: Option<Step>,
}

struct OpenFile {
    path: String,
    kind: pb::OperationKind,
    bytes: usize,
}

struct Step {
    label: String,
    title: String,
    output: VecDeque<String>,
    kept: usize,
}

impl Narrator {
    /// Tells about one generation, or about everything in a project.
    #[must_use]
    pub fn new(only: Option<String>, unicode: bool) -> Self {
        Self {
            signs: if unicode { UNICODE } else { ASCII },
            only,
            status: None,
            stage: 0,
            started: None,
            attempt_started: None,
            demo: false,
            files: HashMap::new(),
            attempt_files: 0,
            attempt_bytes: 0,
            prose: String::new(),
            step: None,
        }
    }

    /// What is going on now, and a number that changes when it is something else.
    #[must_use]
    pub fn status(&self) -> (Option<&str>, u64) {
        (self.status.as_deref(), self.stage)
    }

    /// What an event means.
    pub fn event(&mut self, event: &pb::Event) -> Vec<Line> {
        let Some(body) = &event.body else {
            return Vec::new();
        };
        if let Some(only) = &self.only
            && !event.generation_id.is_empty()
            && event.generation_id != *only
        {
            return Vec::new();
        }
        let mut lines = Vec::new();
        if !matches!(body, Body::TextDelta(_)) {
            self.flush_prose(&mut lines);
        }
        self.body(body, event.time.as_ref(), &mut lines);
        lines
    }

    fn body(&mut self, body: &Body, time: Option<&Timestamp>, lines: &mut Vec<Line>) {
        match body {
            Body::ProjectCreated(body) => lines.push(label("created", &body.name)),
            Body::ProjectUpdated(body) => lines.push(label("renamed", &body.name)),
            Body::ProjectDeleted(pb::ProjectDeleted {}) => {
                lines.push(label("deleted", "the project and everything in it"));
            }
            Body::GenerationStarted(body) => self.started(body, time, lines),
            Body::GenerationStateChanged(body) => self.state(body.state, lines),
            Body::AttemptStarted(body) => self.attempt_started(body, time, lines),
            Body::TextDelta(body) => self.prose(&body.text, lines),
            Body::FileStarted(body) => self.file_started(body),
            Body::FileDelta(body) => self.file_delta(body),
            Body::FileFinished(body) => self.file_finished(body, lines),
            Body::OperationReceived(body) => lines.push(operation(body)),
            Body::AttemptFinished(body) => self.attempt_finished(body, time, lines),
            Body::RevisionCreated(body) => lines.push(self.revision(body)),
            Body::StepStarted(body) => self.step_started(body),
            Body::StepOutput(body) => self.step_output(&body.text),
            Body::StepFinished(body) => self.step_finished(body, lines),
            Body::GenerationFinished(body) => self.finished(body, time, lines),
            Body::SandboxStateChanged(body) => self.sandbox(body, lines),
            Body::PreviewChanged(body) => {
                if self.only.is_none() {
                    lines.push(label("preview", &body.url));
                }
            }
        }
    }

    fn started(
        &mut self,
        body: &pb::GenerationStarted,
        time: Option<&Timestamp>,
        lines: &mut Vec<Line>,
    ) {
        self.started = time.copied();
        self.demo = body.demo;
        self.say("starting");
        lines.push(label("prompt", &format::first_line(&body.prompt, 72)));
        let mut line = label("model", &body.model);
        if body.demo {
            line = line.add(Style::Warn, " (canned answers)");
        }
        lines.push(line);
    }

    fn state(&mut self, state: i32, lines: &mut Vec<Line>) {
        use pb::GenerationState as S;
        let what = match S::try_from(state) {
            Ok(S::Queued) => {
                lines.push(label("queued", "another generation is running"));
                "waiting for its turn"
            }
            Ok(S::Preparing) => "putting the context together",
            Ok(S::Generating) => "waiting for the model",
            Ok(S::Applying) => "applying the files",
            Ok(S::Installing) => "preparing the sandbox",
            Ok(S::Starting) => "starting the app",
            Ok(S::Checking) => "checking the app",
            Ok(S::Repairing) => {
                lines.push(label(
                    "repair",
                    "what the check found goes back to the model",
                ));
                "repairing"
            }
            Ok(S::Finished | S::Unspecified) | Err(_) => return,
        };
        self.say(what);
    }

    fn attempt_started(
        &mut self,
        body: &pb::AttemptStarted,
        time: Option<&Timestamp>,
        lines: &mut Vec<Line>,
    ) {
        self.attempt_started = time.copied();
        self.attempt_files = 0;
        self.attempt_bytes = 0;
        self.files.clear();
        self.say("waiting for the model");
        if body.attempt > 1 {
            let why = match pb::AttemptKind::try_from(body.kind) {
                Ok(pb::AttemptKind::Continuation) => "continues where the answer was cut off",
                Ok(pb::AttemptKind::Repair) => "repairs",
                Ok(pb::AttemptKind::First | pb::AttemptKind::Unspecified) | Err(_) => "again",
            };
            lines.push(label(
                "attempt",
                &format!("{}: {} {why}", body.attempt, body.model),
            ));
        }
    }

    /// Prose is shown by whole lines: it comes in pieces of any size.
    fn prose(&mut self, text: &str, lines: &mut Vec<Line>) {
        self.prose.push_str(text);
        while let Some(end) = self.prose.find('\n') {
            let rest = self.prose.split_off(end + 1);
            let line = std::mem::replace(&mut self.prose, rest);
            push_prose(&line, lines);
        }
        if self.prose.len() > PROSE_MAX {
            self.flush_prose(lines);
        }
    }

    fn flush_prose(&mut self, lines: &mut Vec<Line>) {
        push_prose(&std::mem::take(&mut self.prose), lines);
    }

    fn file_started(&mut self, body: &pb::FileStarted) {
        let kind = pb::OperationKind::try_from(body.kind).unwrap_or(pb::OperationKind::Unspecified);
        self.say(&format!("writing {}", body.path));
        self.files.insert(
            body.operation,
            OpenFile {
                path: body.path.clone(),
                kind,
                bytes: 0,
            },
        );
    }

    fn file_delta(&mut self, body: &pb::FileDelta) {
        if let Some(file) = self.files.get_mut(&body.operation) {
            file.bytes += body.text.len();
            let bytes = i64::try_from(file.bytes).unwrap_or(i64::MAX);
            // Only a figure in what is said already: its time goes on.
            self.status = Some(format!("writing {} ({})", file.path, format::size(bytes)));
        }
    }

    fn file_finished(&mut self, body: &pb::FileFinished, lines: &mut Vec<Line>) {
        let Some(file) = self.files.remove(&body.operation) else {
            return;
        };
        self.attempt_files += 1;
        self.attempt_bytes += body.size_bytes;
        let sign = if file.kind == pb::OperationKind::Edit {
            "~"
        } else {
            "+"
        };
        lines.push(
            Line::plain(format!("  {sign} {}", file.path))
                .add(Style::Dim, format!("  {}", format::size(body.size_bytes))),
        );
        self.say("waiting for the model");
    }

    fn attempt_finished(
        &mut self,
        body: &pb::AttemptFinished,
        time: Option<&Timestamp>,
        lines: &mut Vec<Line>,
    ) {
        let took = between(self.attempt_started.as_ref(), time);
        let well = body.error.is_empty() && matches!(body.finish_reason.as_str(), "stop" | "");
        let mut text = format!(
            "{}, {}",
            format::plural(self.attempt_files, "file"),
            format::size(self.attempt_bytes)
        );
        if let Some(usage) = &body.usage {
            let tokens = format::count(usage.completion_tokens);
            text.push_str(&format!(", {tokens} tokens"));
        }
        if !matches!(body.finish_reason.as_str(), "stop" | "") {
            text.push_str(&format!(" ({})", body.finish_reason));
        }
        lines.push(self.done(well, "model", &text, took));
        push_detail(&body.error, lines);
        self.say("working");
    }

    fn revision(&self, body: &pb::RevisionCreated) -> Line {
        let number = |kind: pb::FileChangeKind| {
            body.changes
                .iter()
                .filter(|change| change.kind == i32::from(kind))
                .count()
        };
        let parts: Vec<String> = [
            (number(pb::FileChangeKind::Added), "added"),
            (number(pb::FileChangeKind::Modified), "changed"),
            (number(pb::FileChangeKind::Deleted), "deleted"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
        let text = if parts.is_empty() {
            format!("{}: nothing changed", body.number)
        } else {
            format!("{}: {}", body.number, parts.join(", "))
        };
        self.done(true, "revision", &text, None)
    }

    fn step_started(&mut self, body: &pb::StepStarted) {
        let name = json::step(body.step).unwrap_or("STEP").to_lowercase();
        let label = if body.count > 0 {
            format!("{}/{} {name}", body.position, body.count)
        } else {
            name
        };
        let title = if body.title.is_empty() {
            label.clone()
        } else {
            format!("{label}: {}", body.title)
        };
        self.say(&title);
        self.step = Some(Step {
            label,
            title: body.title.clone(),
            output: VecDeque::new(),
            kept: 0,
        });
    }

    fn step_output(&mut self, text: &str) {
        let Some(step) = &mut self.step else { return };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            step.kept += line.len();
            step.output.push_back(line.to_owned());
        }
        while step.output.len() > OUTPUT_LINES || step.kept > OUTPUT_MAX {
            let Some(line) = step.output.pop_front() else {
                break;
            };
            step.kept -= line.len();
        }
    }

    fn step_finished(&mut self, body: &pb::StepFinished, lines: &mut Vec<Line>) {
        let step = self.step.take().unwrap_or_else(|| Step {
            label: json::step(body.step).unwrap_or("STEP").to_lowercase(),
            title: String::new(),
            output: VecDeque::new(),
            kept: 0,
        });
        let took = body.duration.as_ref().and_then(|duration| {
            Some(Duration::new(
                u64::try_from(duration.seconds).ok()?,
                u32::try_from(duration.nanos).ok()?,
            ))
        });
        match pb::StepOutcome::try_from(body.outcome) {
            Ok(pb::StepOutcome::Skipped) => {
                let detail = if body.detail.is_empty() {
                    "nothing to do"
                } else {
                    &body.detail
                };
                lines.push(Line::styled(
                    Style::Dim,
                    format!("{} {:<12} {}", self.signs.skip, step.label, first(detail)),
                ));
            }
            Ok(pb::StepOutcome::Failed) => {
                lines.push(self.done(false, &step.label, &step.title, took));
                push_detail(&body.detail, lines);
                for line in step.output {
                    lines.push(Line::styled(Style::Dim, format!("    {line}")));
                }
            }
            Ok(pb::StepOutcome::Passed | pb::StepOutcome::Unspecified) | Err(_) => {
                let text = if body.detail.is_empty() {
                    step.title.as_str()
                } else {
                    first(&body.detail)
                };
                lines.push(self.done(true, &step.label, text, took));
            }
        }
        self.say("working");
    }

    fn sandbox(&self, body: &pb::SandboxStateChanged, lines: &mut Vec<Line>) {
        let failed = body.state == i32::from(pb::SandboxState::Failed);
        if self.only.is_none() || failed {
            let state = json::sandbox_state(body.state).unwrap_or("UNKNOWN");
            lines.push(label("sandbox", &state.to_lowercase()));
            push_detail(&body.detail, lines);
        }
    }

    fn finished(
        &mut self,
        body: &pb::GenerationFinished,
        time: Option<&Timestamp>,
        lines: &mut Vec<Line>,
    ) {
        self.status = None;
        self.stage += 1;
        let took = between(self.started.as_ref(), time)
            .map(|took| format!(" in {}", format::duration(took)))
            .unwrap_or_default();
        let outcome = json::outcome(body.outcome).unwrap_or("UNKNOWN");
        let ready = body.outcome == i32::from(pb::GenerationOutcome::Ready);
        let mut text = outcome.to_lowercase().replace('_', " ");
        if let Some(reason) = json::failure_reason(body.failure_reason) {
            text.push_str(&format!(" ({reason})"));
        }
        let mut figures = Vec::new();
        if body.attempts > 1 {
            figures.push(format!("{} model calls", body.attempts));
        }
        if let Some(usage) = &body.usage {
            let about = if usage.estimated { "about " } else { "" };
            figures.push(format!(
                "{about}{} tokens in, {} out",
                format::count(usage.prompt_tokens),
                format::count(usage.completion_tokens)
            ));
        }
        let cost = body.usage.as_ref().and_then(|usage| usage.cost_micro_usd);
        figures.push(format::cost(cost, self.demo));
        let style = if ready { Style::Good } else { Style::Bad };
        lines.push(
            Line::styled(style, format!("{text}{took}"))
                .add(Style::Dim, format!("  {}", figures.join(", "))),
        );
        if !ready {
            push_detail(&body.message, lines);
        }
    }

    fn say(&mut self, what: &str) {
        self.status = Some(what.to_owned());
        self.stage += 1;
    }

    fn done(&self, well: bool, what: &str, text: &str, took: Option<Duration>) -> Line {
        let (style, sign) = if well {
            (Style::Good, self.signs.good)
        } else {
            (Style::Bad, self.signs.bad)
        };
        let mut line = Line::styled(style, sign).add(Style::Plain, format!(" {what:<12} {text}"));
        if let Some(took) = took {
            line = line.add(Style::Dim, format!("  {}", format::duration(took)));
        }
        line
    }
}

/// A line that begins with what it is about.
#[must_use]
pub fn label(what: &str, text: &str) -> Line {
    // At least one column between the two.
    let what = format!("{what} ");
    Line::styled(Style::Dim, format!("{what:<9}")).add(Style::Plain, text)
}

fn operation(body: &pb::OperationReceived) -> Line {
    use pb::OperationKind as K;
    let text = match K::try_from(body.kind) {
        Ok(K::Rename) => format!("  > {} to {}", body.path, body.new_path),
        Ok(K::Delete) => format!("  - {}", body.path),
        Ok(K::AddDependency) => format!("  + package {}", body.packages.join(", ")),
        Ok(K::Read) => format!("  ? {}", body.path),
        Ok(K::Write | K::Edit | K::Unspecified) | Err(_) => format!("  * {}", body.path),
    };
    Line::plain(text)
}

fn push_prose(text: &str, lines: &mut Vec<Line>) {
    let text = text.trim_end();
    if !text.is_empty() {
        lines.push(Line::styled(Style::Dim, format!("  {text}")));
    }
}

fn push_detail(text: &str, lines: &mut Vec<Line>) {
    let text = text.lines().filter(|line| !line.trim().is_empty());
    for line in text.take(OUTPUT_LINES) {
        lines.push(Line::plain(format!("    {}", line.trim_end())));
    }
}

fn first(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

fn between(from: Option<&Timestamp>, to: Option<&Timestamp>) -> Option<Duration> {
    let nanos =
        |time: &Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let nanos = nanos(to?) - nanos(from?);
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests;
