//! One project: conversation, files, logs, prompt.

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_proto::v1::{FileChangeKind, GenerationOutcome, GenerationState, OperationKind};
use kiln_tui::model::Start;
use kiln_tui::model::settings::Settings;
use kiln_tui::view::theme::Palette;

use super::{looks, seen, seen_once};
use crate::support::client::{Client, start};
use crate::support::log::Log;
use crate::support::messages::{self, line, new_project, project, refusal};

const APP: &str = "import { useState } from 'react'\n\n/** A list of things to do. */\nexport default function App() {\n  const [items, setItems] = useState<string[]>([])\n  return (\n    <main className=\"app\">\n      <h1>Todo</h1>\n      {items.map((item) => <p key={item}>{item}</p>)}\n      <button onClick={() => setItems([...items, 'milk'])}>add</button>\n    </main>\n  )\n}\n";
const CSS: &str = "body {\n  font-family: system-ui;\n  margin: 2rem;\n}\n";

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

fn ready_with(mut client: Client) -> Client {
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
fn streaming(size: (u16, u16)) -> Client {
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

#[test]
fn reading_the_history() {
    seen("workspace_reading", |size| {
        Client::opened(size, project("p1", "Todo list with due dates"))
    });
}

#[test]
fn empty() {
    seen("workspace_empty", |size| {
        let mut client = Client::opened(size, new_project("p1", "Todo list with due dates"));
        let mut log = Log::new("p1");
        log.push(Body::ProjectCreated(pb::ProjectCreated {
            name: "Todo list with due dates".to_owned(),
            template: "react-vite".to_owned(),
        }));
        client.report(log.report());
        client.settle();
        client
    });
}

#[test]
fn sending() {
    seen_once("workspace_sending", {
        let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
        client.write("A todo list");
        client.press("enter");
        client
    });
}

#[test]
fn while_the_model_writes() {
    seen("workspace_streaming", streaming);
    looks("workspace_streaming", streaming((80, 24)));
}

#[test]
fn while_it_is_checked() {
    seen("workspace_checking", |size| {
        let mut client = Client::opened(size, new_project("p1", "Todo list with due dates"));
        let mut log = Log::new("p1");
        log.prompt("A todo list")
            .after(900)
            .file("src/App.tsx", APP)
            .attempt_ends("")
            .revision(1, &[("src/App.tsx", FileChangeKind::Modified)])
            .step(pb::StepKind::Sandbox, 1, "wake the sandbox")
            .step_ends(pb::StepKind::Sandbox, pb::StepOutcome::Passed, 310, "")
            .step(pb::StepKind::Sync, 2, "write the files")
            .step_ends(pb::StepKind::Sync, pb::StepOutcome::Passed, 40, "")
            .step(pb::StepKind::Install, 3, "install dependencies")
            .after(1_400)
            .step_says(pb::StepKind::Install, "added 212 packages in 1 s\n");
        client.now_ms = log.now_ms;
        client.report(log.report());
        client.settle();
        client.wait(0);
        client
    });
}

#[test]
fn ready_with_an_app() {
    seen("workspace_ready", ready);
    looks("workspace_ready", ready((200, 50)));
}

#[test]
fn a_long_conversation() {
    seen("workspace_long", |size| {
        let mut client = Client::opened(size, project("p1", "Todo list with due dates"));
        with_files(&mut client);
        let mut log = Log::new("p1");
        first_prompt(&mut log);
        for n in 2..30 {
            log.after(60_000)
                .prompt(&format!(
                    "change number {n}: make the button rounder and the heading larger"
                ))
                .after(500)
                .says("Both are in the style sheet.\n")
                .begins("src/index.css", OperationKind::Edit)
                .writes(
                    "<<<<<<< SEARCH\n  margin: 2rem;\n=======\n  margin: 3rem;\n>>>>>>> REPLACE\n",
                );
            log.finishes(71)
                .attempt_ends("")
                .revision(n, &[("src/index.css", FileChangeKind::Modified)])
                .steps_pass()
                .ends(GenerationOutcome::Ready, "");
        }
        client.now_ms = log.now_ms;
        client.report(log.report());
        client.settle();
        client.press("pageup pageup");
        client
    });
}

fn failed(size: (u16, u16)) -> Client {
    let mut client = Client::opened(size, project("p1", "Todo list with due dates"));
    with_files(&mut client);
    let mut log = Log::new("p1");
    first_prompt(&mut log);
    log.after(20_000)
        .prompt("Use the date picker of the browser")
        .after(700)
        .file("src/App.tsx", APP)
        .attempt_ends("")
        .revision(2, &[("src/App.tsx", FileChangeKind::Modified)])
        .step(pb::StepKind::Sandbox, 1, "wake the sandbox")
        .step_ends(pb::StepKind::Sandbox, pb::StepOutcome::Passed, 12, "")
        .step(pb::StepKind::Check, 6, "check types")
        .step_says(
            pb::StepKind::Check,
            "src/App.tsx:12:7 - error TS2322: Type 'string' is not assignable to type 'Date | undefined'.\n\n12       due={item.due}\n         ~~~\n\nFound 1 error.\n",
        )
        .step_ends(
            pb::StepKind::Check,
            pb::StepOutcome::Failed,
            1_900,
            "the type check found 1 error",
        )
        .ends(
            GenerationOutcome::Failed,
            "the app does not pass its own check: src/App.tsx:12:7 Type 'string' is not assignable to type 'Date | undefined'",
        );
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.settle();
    client
}

#[test]
fn failed_at_the_check() {
    seen("workspace_failed", failed);
    looks("workspace_failed", failed((80, 24)));
}

/// What it cost is not known: it must not be called free.
#[test]
fn interrupted() {
    seen("workspace_interrupted", |size| {
        let mut client = Client::opened(size, new_project("p1", "Todo list with due dates"));
        let mut log = Log::new("p1");
        log.prompt("A todo list with due dates")
            .after(800)
            .says("I will make")
            .begins("src/App.tsx", OperationKind::Write)
            .writes(&APP[..120])
            .after(9_000)
            .ends_with(pb::GenerationFinished {
                outcome: GenerationOutcome::Interrupted.into(),
                message: "the daemon stopped while this ran; send the prompt again to go on"
                    .to_owned(),
                ..pb::GenerationFinished::default()
            });
        client.now_ms = log.now_ms;
        client.report(log.report());
        client.settle();
        client
    });
}

#[test]
fn other_endings() {
    for (name, outcome, message) in [
        (
            "cancelled",
            GenerationOutcome::Cancelled,
            "cancelled by Ada",
        ),
        (
            "truncated",
            GenerationOutcome::Truncated,
            "the answer reached the longest length that the model allows",
        ),
        (
            "over_budget",
            GenerationOutcome::OverBudget,
            "the budget of 0.50 dollars for one prompt is used up",
        ),
    ] {
        let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
        let mut log = Log::new("p1");
        log.prompt("A todo list")
            .after(800)
            .begins("src/App.tsx", OperationKind::Write)
            .writes(&APP[..120])
            .after(3_000)
            .ends(outcome, message);
        client.now_ms = log.now_ms;
        client.report(log.report());
        client.settle();
        seen_once(&format!("workspace_{name}"), client);
    }
}

/// The demo model costs nothing, and that is said of it alone.
#[test]
fn answered_by_the_demo_model() {
    let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
    let mut log = Log::new("p1");
    log.prompt_to("A todo list", "demo/kiln", true)
        .after(800)
        .file("src/index.css", CSS)
        .attempt_ends("")
        .revision(1, &[("src/index.css", FileChangeKind::Added)])
        .steps_pass()
        .ends_with(pb::GenerationFinished {
            outcome: GenerationOutcome::Ready.into(),
            usage: Some(pb::Usage {
                prompt_tokens: 900,
                completion_tokens: 400,
                cost_micro_usd: Some(0),
                estimated: true,
            }),
            preview_url: "http://127.0.0.1:5301".to_owned(),
            ..pb::GenerationFinished::default()
        });
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.settle();
    seen_once("workspace_demo", client);
}

#[test]
fn not_sent() {
    let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
    client.write("A todo list");
    client.press("enter");
    client.refuse(refusal(
        "NO_PROVIDER_KEY",
        "no key for a model provider is set",
    ));
    seen_once("workspace_not_sent", client);
}

#[test]
fn offline_while_the_model_writes() {
    seen("workspace_offline", |size| {
        let mut client = streaming(size);
        client.report(messages::offline(4_200, 2));
        client.wait(1_100);
        client
    });
}

#[test]
fn connected_again() {
    let mut client = ready((80, 24));
    client.report(messages::offline(500, 1));
    client.report(messages::hello());
    client.settle();
    seen_once("workspace_connected_again", client);
}

#[test]
fn deleted_meanwhile() {
    let mut client = ready((80, 24));
    let mut log = Log::new("p1");
    log.after(0)
        .push(Body::ProjectDeleted(pb::ProjectDeleted {}));
    client.report(log.report());
    client.report(messages::projects(Vec::new()));
    seen_once("workspace_deleted", client);
}

#[test]
fn wide_characters() {
    seen("workspace_wide", |size| {
        let mut client = Client::new(size);
        client.daemon.files.insert(
            "src/部品/項目.tsx".to_owned(),
            "// 項目を表示する部品です 🎌\nexport const 項目 = () => <li>買い物：牛乳、卵、パン</li>\n"
                .as_bytes()
                .to_vec(),
        );
        client.report(messages::hello());
        client.report(messages::projects(vec![project(
            "p1",
            "期限つきのやることリスト 📝",
        )]));
        client.settle();
        client.press("enter");
        let mut log = Log::new("p1");
        log.prompt("期限つきのやることリストを作ってください。期限を過ぎたものは赤くしてください。 🚀🚀🚀")
            .after(700)
            .says("はい、小さなアプリを作ります。一つ目のファイルは部品で、二つ目のファイルは見た目です。画面の幅を越える長い文もきちんと折り返されるはずです。\n\n| 列 | 意味 |\n|---|---|\n| 期限 | いつまでに |\n| ✅ | 済んだかどうか |\n\n")
            .file("src/部品/項目.tsx", "// 項目を表示する部品です 🎌\nexport const 項目 = () => null\n")
            .attempt_ends("")
            .revision(1, &[("src/部品/項目.tsx", FileChangeKind::Added)])
            .steps_pass()
            .ends(GenerationOutcome::Ready, "");
        client.now_ms = log.now_ms;
        client.report(log.report());
        client.report(messages::lines(
            "p1",
            1,
            vec![
                line(1, pb::LogStream::Stdout, "準備ができました 🎉 http://127.0.0.1:5173/"),
                line(2, pb::LogStream::Stderr, "警告：リストの各要素には一意のキーが必要です。これはとても長い警告なので一行には収まりません。"),
            ],
            0,
        ));
        client.settle();
        client.write("見出しを大きく 👍");
        client
    });
}

#[test]
fn the_files_and_a_file() {
    seen("workspace_tree", |size| {
        let mut client = ready(size);
        client.press("alt-2 down down");
        client
    });
    seen("workspace_viewer", |size| {
        let mut client = ready(size);
        client.press("alt-2 down down down down down enter");
        client.settle();
        client
    });
    let mut client = ready((120, 40));
    client.press("alt-2 down down down down down enter");
    client.settle();
    looks("workspace_viewer", client);
}

fn long_lines(size: (u16, u16)) -> Client {
    let mut client = Client::new(size);
    let long = (0..60)
        .map(|n| format!("word{n}"))
        .collect::<Vec<_>>()
        .join(" ");
    client.daemon.files.insert(
        "data.txt".to_owned(),
        format!("short\n{long}\n\tindented by a tab\nlast\n").into_bytes(),
    );
    client
        .daemon
        .files
        .insert("logo.png".to_owned(), vec![0x89, b'P', b'N', b'G', 0xff, 0]);
    client.report(messages::hello());
    client.report(messages::projects(vec![project(
        "p1",
        "Todo list with due dates",
    )]));
    client.settle();
    client.press("enter");
    let mut log = Log::new("p1");
    log.prompt("data").ends(GenerationOutcome::Ready, "");
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.settle();
    client.press("alt-2");
    client
}

#[test]
fn a_file_of_long_lines() {
    let mut client = long_lines((80, 24));
    client.press("enter");
    client.settle();
    client.press("right");
    seen_once("workspace_viewer_sideways", client);

    let mut client = long_lines((80, 24));
    client.press("enter");
    client.settle();
    client.press("w");
    seen_once("workspace_viewer_wrapped", client);

    let mut client = long_lines((120, 40));
    client.press("enter");
    client.settle();
    client.press("/");
    client.write("word42");
    client.press("enter");
    seen_once("workspace_viewer_found", client);
}

#[test]
fn a_file_that_is_no_text_and_one_that_is_gone() {
    let mut client = long_lines((80, 24));
    client.press("down enter");
    client.settle();
    seen_once("workspace_viewer_binary", client);

    let mut client = long_lines((80, 24));
    client.press("enter");
    client.refuse(refusal(
        "NOT_FOUND",
        "there is no such file in this revision",
    ));
    seen_once("workspace_viewer_gone", client);
}

#[test]
fn logs() {
    seen("workspace_logs", |size| {
        let mut client = ready(size);
        client.press("alt-3");
        client
    });
    let mut client = ready((120, 40));
    client.press("alt-3");
    looks("workspace_logs", client);
}

#[test]
fn logs_of_one_stream_with_a_search() {
    let mut client = ready((80, 24));
    client.press("alt-3 s s");
    seen_once("workspace_logs_errors", client);

    let mut client = ready((80, 24));
    client.press("alt-3 t /");
    client.write("app");
    client.press("enter m");
    seen_once("workspace_logs_only_matches", client);

    let mut client = ready((80, 24));
    client.press("alt-3 w");
    client.report(messages::lines(
        "p1",
        1,
        vec![line(2_000, pb::LogStream::Stdout, "much was written")],
        1_989,
    ));
    seen_once("workspace_logs_wrapped_with_a_gap", client);
}

#[test]
fn no_logs_yet() {
    let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
    client.press("alt-3");
    seen_once("workspace_logs_empty", client);
}

#[test]
fn conversation_with_the_keys_and_unfolded() {
    seen("workspace_unfolded", |size| {
        let mut client = ready(size);
        client.press("alt-1 z g");
        client
    });
}

#[test]
fn a_prompt_of_several_lines() {
    seen("workspace_prompt", |size| {
        let mut client = ready(size);
        client.paste("Make these changes:\n- rounder buttons\n- a heading that says how many things are left to do today, in words rather than in figures, as long as there are fewer than twelve\n- no more\n");
        client.write("Thanks");
        client
    });
}

#[test]
fn without_colour_in_ascii_and_on_a_dark_ground() {
    looks("workspace_no_color", {
        ready_with(Client::with(
            (80, 24),
            Start {
                no_color: true,
                ..start()
            },
        ))
    });
    seen("workspace_ascii", |size| {
        ready_with(Client::with(
            size,
            Start {
                ascii: true,
                ..start()
            },
        ))
    });
    looks("workspace_dark", {
        ready_with(Client::with(
            (80, 24),
            Start {
                settings: Settings {
                    palette: Palette::Dark,
                    welcomed: true,
                    ..Settings::default()
                },
                ..start()
            },
        ))
    });
}

#[test]
fn smallest() {
    seen_once("workspace_smallest", ready((40, 10)));
}
