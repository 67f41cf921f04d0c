//! An app in the making: what most tests of a workspace begin with.

use kiln_proto::v1 as pb;
use kiln_proto::v1::{FileChangeKind, GenerationOutcome, GenerationState, OperationKind};

use super::client::Client;
use super::log::Log;
use super::messages::{self, line, new_project, project};

/// Its main file.
pub(crate) const APP: &str = "import { useState } from 'react'\n\n/** A list of things to do. */\nexport default function App() {\n  const [items, setItems] = useState<string[]>([])\n  return (\n    <main className=\"app\">\n      <h1>Todo</h1>\n      {items.map((item) => <p key={item}>{item}</p>)}\n      <button onClick={() => setItems([...items, 'milk'])}>add</button>\n    </main>\n  )\n}\n";
/// Its style.
pub(crate) const CSS: &str = "body {\n  font-family: system-ui;\n  margin: 2rem;\n}\n";

/// The first prompt, up to a running app.
pub(crate) fn first_prompt(log: &mut Log) {
    log.prompt("A todo list with due dates. Overdue ones are red.")
        .after(30)
        .state(GenerationState::Preparing)
        .after(600)
        .says("I will make a small app with **two files**:\n\n")
        .says("- `src/App.tsx`, the list itself\n- `src/index.css`, how it looks\n\n")
        .file("src/App.tsx", APP)
        .file("src/index.css", CSS)
        .operation(OperationKind::AddDependency, "date-fns", "")
        .says("The list is kept in the browser, so it is there after a reload.\n")
        .attempt_ends("")
        .state(GenerationState::Applying)
        .revision(
            1,
            &[
                ("src/App.tsx", FileChangeKind::Modified),
                ("src/index.css", FileChangeKind::Added),
            ],
        )
        .steps_pass()
        .ends(GenerationOutcome::Ready, "");
}

/// A daemon that has the files of that app.
pub(crate) fn with_files(client: &mut Client) {
    for (path, text) in [
        ("index.html", "<!doctype html>\n<div id=\"root\"></div>\n"),
        (
            "package.json",
            "{\n  \"name\": \"app\",\n  \"private\": true\n}\n",
        ),
        ("src/App.tsx", APP),
        ("src/index.css", CSS),
        (
            "src/components/Item.tsx",
            "export const Item = () => null\n",
        ),
        (
            "src/lib/dates.ts",
            "export const today = () => new Date()\n",
        ),
    ] {
        client
            .daemon
            .files
            .insert(path.to_owned(), text.as_bytes().to_vec());
    }
}

/// What the dev server writes.
pub(crate) fn output() -> Vec<pb::LogLine> {
    use pb::LogStream::{Stderr, Stdout, System};
    vec![
        line(1, System, "dev server of slot a started"),
        line(2, Stdout, ""),
        line(
            3,
            Stdout,
            "  \u{1b}[32m\u{1b}[1mVITE\u{1b}[22m v7.1.4\u{1b}[39m  ready in 412 ms",
        ),
        line(4, Stdout, ""),
        line(
            5,
            Stdout,
            "  \u{1b}[32m➜\u{1b}[39m  Local:   http://127.0.0.1:5173/",
        ),
        line(
            6,
            Stdout,
            "12:00:07 [vite] (client) page reload src/App.tsx",
        ),
        line(
            7,
            Stderr,
            "Warning: Each child in a list should have a unique \"key\" prop.",
        ),
        line(
            8,
            Stderr,
            "    at App (http://127.0.0.1:5173/src/App.tsx?t=1772366407:23:31)",
        ),
        line(
            9,
            Stdout,
            "12:00:09 [vite] (client) hmr update /src/index.css, /src/App.tsx, /src/components/Item.tsx, /src/lib/dates.ts",
        ),
        line(10, System, "the watcher restarted"),
    ]
}

/// Ready, with files and logs.
pub(crate) fn ready(size: (u16, u16)) -> Client {
    ready_with(Client::new(size))
}

/// The same, for a client that has just begun.
pub(crate) fn ready_with(mut client: Client) -> Client {
    with_files(&mut client);
    client.report(messages::hello());
    client.report(messages::projects(vec![project(
        "p1",
        "Todo list with due dates",
    )]));
    client.settle();
    client.press("enter");
    let mut log = Log::new("p1");
    first_prompt(&mut log);
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.report(messages::lines("p1", 1, output(), 0));
    client.settle();
    client
}

/// While the model writes the second file.
pub(crate) fn streaming(size: (u16, u16)) -> Client {
    let mut client = Client::opened(size, new_project("p1", "Todo list with due dates"));
    let mut log = Log::new("p1");
    log.prompt("A todo list with due dates. Overdue ones are red.")
        .after(30)
        .state(GenerationState::Preparing)
        .after(600)
        .says("I will make a small app.\n\n")
        .file("src/index.css", CSS)
        .begins("src/App.tsx", OperationKind::Write)
        .after(1_200)
        .writes(&APP[..330]);
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.settle();
    client.wait(0);
    client
}
