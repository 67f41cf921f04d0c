//! One project: what was asked and what came of it.

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_proto::v1::{FileChangeKind, GenerationOutcome, OperationKind};
use kiln_tui::model::Start;
use kiln_tui::model::settings::Settings;
use kiln_tui::view::theme::Palette;

use super::{kept, looks, seen, seen_drawn_to};
use crate::support::app::{APP, CSS, first_prompt, ready, ready_with, streaming, with_files};
use crate::support::client::{Client, start};
use crate::support::log::Log;
use crate::support::messages::{self, line, new_project, project, refusal};

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
    seen_drawn_to("workspace_sending", {
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
        seen_drawn_to(&format!("workspace_{name}"), client);
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
    seen_drawn_to("workspace_demo", client);
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
    seen_drawn_to("workspace_not_sent", client);
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
    seen_drawn_to("workspace_connected_again", client);
}

#[test]
fn deleted_meanwhile() {
    let mut client = ready((80, 24));
    let mut log = Log::new("p1");
    log.after(0)
        .push(Body::ProjectDeleted(pb::ProjectDeleted {}));
    client.report(log.report());
    client.report(messages::projects(Vec::new()));
    seen_drawn_to("workspace_deleted", client);
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
    kept("workspace_smallest", &ready((40, 10)).draw().picture());
}
