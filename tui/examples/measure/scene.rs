//! What is shown while it is measured: a project, its conversation and its log
//! lines, the same in every run. Made as the daemon's messages, so that all of it
//! goes in through the client's own gate.

use kiln_proto::v1 as pb;
use pb::event::Body;
use prost_types::Timestamp;

/// The model that everything was made with.
pub(crate) const MODEL: &str = "demo/kiln";
/// The project.
pub(crate) const PROJECT: &str = "0193a7c2-0000-7000-8000-000000000001";

/// Some second, long ago.
const EPOCH: i64 = 1_700_000_000;

/// The project, with a sandbox that runs.
pub(crate) fn project() -> pb::Project {
    pb::Project {
        id: PROJECT.into(),
        name: "a todo list".into(),
        template: "react-vite-tailwind".into(),
        update_time: Some(at(EPOCH, 0)),
        agent_state: pb::GenerationState::Finished.into(),
        last_outcome: pb::GenerationOutcome::Ready.into(),
        sandbox_state: pb::SandboxState::Running.into(),
        preview_url: "http://127.0.0.1:42000/".into(),
        ..pb::Project::default()
    }
}

/// A line of the sandbox: of several lengths, some longer than a pane is wide,
/// some with colours, some on standard error.
pub(crate) fn log_line(index: u64) -> pb::LogLine {
    let stream = if index.is_multiple_of(7) {
        pb::LogStream::Stderr
    } else {
        pb::LogStream::Stdout
    };
    let text = match index % 5 {
        0 => format!("GET /api/tasks?page={index} 200 in {} ms", index % 97),
        1 => format!("\x1b[32m[vite]\x1b[39m hot updated: /src/components/Task{index}.tsx"),
        2 => format!(
            "request {index} from 127.0.0.1: accept text/html, application/json; \
             agent Mozilla/5.0 (X11; Linux x86_64); took {} ms and wrote {} bytes to the client",
            index % 89,
            index * 31 % 100_000
        ),
        3 => format!("warning: übergroße Antwort für Aufgabe №{index}"),
        _ => format!("worker {} is idle", index % 16),
    };
    let seconds = i64::try_from(index / 1000).unwrap_or(0);
    let nanos = i32::try_from(index % 1000).unwrap_or(0) * 1_000_000;
    pb::LogLine {
        number: i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1),
        time: Some(at(EPOCH + seconds, nanos)),
        stream: stream.into(),
        text,
    }
}

/// A prompt and what came of it: prose of so many lines, two files, the end. The
/// first entry has the position `sequence`.
pub(crate) fn turn(sequence: i64, number: i32, prose_lines: usize) -> Vec<pb::Event> {
    let generation_id = format!("0193a7c2-1111-7000-8000-{number:012}");
    let mut bodies = vec![Body::GenerationStarted(pb::GenerationStarted {
        prompt: format!("make the list number {number} sortable, and keep the order"),
        model: MODEL.into(),
        demo: true,
        ..pb::GenerationStarted::default()
    })];
    bodies.extend((0..prose_lines).map(|line| Body::TextDelta(prose(line))));
    for (operation, path) in ["src/App.tsx", "src/components/TaskItem.tsx"]
        .into_iter()
        .enumerate()
    {
        let operation = i32::try_from(operation).unwrap_or(0);
        bodies.push(Body::FileStarted(pb::FileStarted {
            operation,
            kind: pb::OperationKind::Write.into(),
            path: path.into(),
        }));
        bodies.push(Body::FileDelta(pb::FileDelta {
            operation,
            text: "export const answer = (list: Task[]) => list.length;\n".repeat(40),
        }));
        bodies.push(Body::FileFinished(pb::FileFinished {
            operation,
            size_bytes: 2120,
        }));
    }
    bodies.push(Body::GenerationFinished(pb::GenerationFinished {
        outcome: pb::GenerationOutcome::Ready.into(),
        message: "the app runs".into(),
        preview_url: "http://127.0.0.1:42000/".into(),
        ..pb::GenerationFinished::default()
    }));
    events(sequence, &generation_id, bodies)
}

/// A prompt whose answer is still being written, with so many lines so far.
pub(crate) fn growing(sequence: i64, prose_lines: usize) -> Vec<pb::Event> {
    let mut bodies = vec![Body::GenerationStarted(pb::GenerationStarted {
        prompt: "explain all of it".into(),
        model: MODEL.into(),
        demo: true,
        ..pb::GenerationStarted::default()
    })];
    bodies.extend((0..prose_lines).map(|line| Body::TextDelta(prose(line))));
    events(sequence, GROWING, bodies)
}

/// The next line of the answer that is being written.
pub(crate) fn next_line(sequence: i64, line: usize) -> pb::Event {
    let body = Body::TextDelta(prose(line));
    events(sequence, GROWING, vec![body]).remove(0)
}

const GROWING: &str = "0193a7c2-2222-7000-8000-000000000001";

fn prose(line: usize) -> pb::TextDelta {
    let text = match line % 6 {
        0 => format!("\n## Part {line}\n"),
        1 => format!("- the **list** of part {line} keeps its order in `localStorage`\n"),
        2 => format!("- a task has a text, a date and a state; there are {line} of them\n"),
        5 => "\n".to_owned(),
        _ => format!(
            "Sentence {line} says what was changed and why, in about as many words as a \
             sentence of a model has, so that it takes a row and a half.\n"
        ),
    };
    pb::TextDelta { text }
}

fn events(first: i64, generation_id: &str, bodies: Vec<Body>) -> Vec<pb::Event> {
    (first..)
        .zip(bodies)
        .map(|(sequence, body)| pb::Event {
            sequence,
            time: Some(at(EPOCH + sequence / 100, 0)),
            generation_id: generation_id.into(),
            body: Some(body),
        })
        .collect()
}

fn at(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}
