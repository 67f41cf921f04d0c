//! The prompt: what is written, sent, kept, brought back, cancelled.

use kiln_proto::v1 as pb;
use kiln_tui::effect::{Answer, Call, Effect};
use kiln_tui::model::Start;
use kiln_tui::msg::{Local, Msg};

use crate::support::client::{Client, start};
use crate::support::log::Log;
use crate::support::messages::{self, project, refusal};

const SIZE: (u16, u16) = (80, 24);

fn opened() -> (Client, Log) {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    let mut log = Log::new("p1");
    log.prompt("make it blue")
        .ends(pb::GenerationOutcome::Ready, "");
    client.report(log.report());
    client.settle();
    (client, log)
}

fn written(client: &Client) -> &str {
    client.model.workspace().unwrap().prompt.text()
}

fn sent(client: &Client) -> Vec<&str> {
    client
        .calls
        .iter()
        .filter_map(|(_, call)| match call {
            Call::StartGeneration { prompt, .. } => Some(prompt.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_prompt_is_sent_once_and_seen_at_once() {
    let (mut client, mut log) = opened();
    client.write("make it green");
    client.press("enter");
    assert_eq!(sent(&client), ["make it green"]);
    assert_eq!(written(&client), "");
    assert!(client.shows("make it green") && client.shows("sending"));
    client.press("enter enter");
    assert_eq!(client.calls.len(), 1);

    // Its answer and its first entry come in either order; it is one turn.
    log.prompt("make it green");
    let id = log.generation_id().to_owned();
    let (call, _) = client.calls.pop().unwrap();
    client.report(log.report());
    client.take(Msg::Answered {
        id: call,
        result: Ok(Answer::Started(id)),
    });
    let workspace = client.model.workspace().unwrap();
    assert_eq!(workspace.conversation.prompts().count(), 2);
    assert!(workspace.conversation.is_busy());
}

#[test]
fn what_is_pasted_stays_in_the_prompt() {
    let (mut client, _) = opened();
    client.paste("first\nsecond\r\nthird\n");
    assert_eq!(written(&client), "first\nsecond\nthird\n");
    assert!(client.calls.is_empty());
    assert!(client.shows("first") && client.shows("third"));
    client.press("enter");
    assert_eq!(sent(&client), ["first\nsecond\nthird\n"]);
}

#[test]
fn lines_are_begun_by_three_keys() {
    for key in ["alt-enter", "shift-enter", "ctrl-j"] {
        let (mut client, _) = opened();
        client.write("a");
        client.press(key);
        client.write("b");
        assert_eq!(written(&client), "a\nb", "{key}");
        assert!(client.calls.is_empty());
    }
}

#[test]
fn letters_are_letters_there() {
    let (mut client, _) = opened();
    client.write("q?/jkngG[]zi yS");
    assert_eq!(written(&client), "q?/jkngG[]zi yS");
    assert!(client.model.overlays.is_empty());
}

#[test]
fn keys_of_readline_edit() {
    let (mut client, _) = opened();
    client.write("one two three");
    client.press("ctrl-w ctrl-a");
    client.write("zero ");
    assert_eq!(written(&client), "zero one two ");
    client.press("ctrl-u");
    assert_eq!(written(&client), "one two ");
    client.press("ctrl-k");
    assert_eq!(written(&client), "");
    client.press("ctrl-_");
    assert_eq!(written(&client), "one two ");
}

#[test]
fn earlier_prompts_come_back_also_those_of_other_runs() {
    let (mut client, _) = opened();
    client.write("half");
    client.press("ctrl-up");
    assert_eq!(written(&client), "make it blue");
    client.press("ctrl-down");
    assert_eq!(written(&client), "half", "what was begun is not lost");
    client.press("ctrl-u");
    client.write("make it round");
    client.press("enter alt-up");
    assert_eq!(written(&client), "make it round");
    client.press("alt-up");
    assert_eq!(written(&client), "make it blue");
}

#[test]
fn nothing_and_blanks_are_not_sent() {
    let (mut client, _) = opened();
    client.press("enter");
    client.write("  ");
    client.press("enter alt-enter enter");
    assert!(client.calls.is_empty());
}

#[test]
fn a_draft_survives_leaving_and_the_next_run() {
    let (mut client, _) = opened();
    client.write("half a thought");
    client.press("esc");
    assert!(client.wanted(
        |e| matches!(e, Effect::KeepDraft { key, text } if key == "p1" && text == "half a thought")
    ));
    client.press("enter");
    assert_eq!(written(&client), "half a thought");
    client.press("enter");
    assert!(client.wanted(
        |e| matches!(e, Effect::KeepDraft { key, text } if key == "p1" && text.is_empty())
    ));

    let mut next = Client::with(
        SIZE,
        Start {
            drafts: [("p1".to_owned(), "of another day".to_owned())].into(),
            ..start()
        },
    );
    next.report(messages::hello());
    next.report(messages::projects(vec![project("p1", "a")]));
    next.press("enter");
    assert_eq!(written(&next), "of another day");
}

#[test]
fn a_prompt_that_is_refused_comes_back() {
    let (mut client, _) = opened();
    client.write("make it green");
    client.press("enter");
    client.refuse(refusal("NO_PROVIDER_KEY", "no key is set"));
    assert_eq!(written(&client), "make it green");
    assert!(client.shows("not sent: no key is set"));
    assert!(!client.model.workspace().unwrap().conversation.is_busy());
    client.press("enter");
    assert_eq!(sent(&client), ["make it green"], "it can be sent again");
}

#[test]
fn one_prompt_at_a_time_and_none_without_a_connection() {
    let (mut client, mut log) = opened();
    log.prompt("make it green");
    client.report(log.report());
    client.write("and round");
    client.press("enter");
    assert!(sent(&client).is_empty());
    assert!(client.shows("one prompt at a time"));
    assert_eq!(written(&client), "and round");

    let (mut client, _) = opened();
    client.report(messages::offline(4_000, 1));
    client.write("and round");
    client.press("enter");
    assert!(sent(&client).is_empty());
    assert!(client.shows("there is no connection"));
    assert_eq!(written(&client), "and round");
    client.report(messages::hello());
    client.press("enter");
    assert_eq!(sent(&client), ["and round"]);
}

#[test]
fn ctrl_c_cancels_once_and_does_not_quit() {
    let (mut client, mut log) = opened();
    log.prompt("make it green");
    client.report(log.report());
    client.press("ctrl-c ctrl-c ctrl-c");
    let cancels: Vec<&Call> = client.calls.iter().map(|(_, call)| call).collect();
    assert!(
        matches!(&cancels[..], [Call::Cancel { generation_id }] if generation_id == log.generation_id()),
        "{cancels:?}"
    );
    assert!(!client.wanted(|e| matches!(e, Effect::Quit)));
    assert!(client.shows("cancelling"));
    client.settle();
    log.ends(pb::GenerationOutcome::Cancelled, "");
    client.report(log.report());
    assert!(client.shows("cancelled after") && !client.shows("cancelling"));
    // Now nothing runs: it asks, then quits.
    client.press("ctrl-c");
    assert!(!client.wanted(|e| matches!(e, Effect::Quit)));
    client.press("ctrl-c");
    assert!(client.wanted(|e| matches!(e, Effect::Quit)));
}

#[test]
fn the_editor_gets_the_prompt_and_gives_it_back() {
    let (mut client, _) = opened();
    client.write("short");
    client.press("ctrl-g");
    assert!(client.wanted(|e| matches!(e, Effect::Edit(text) if text == "short")));
    client.local(Local::Edited(Ok("long\nand careful\n".to_owned())));
    assert!(written(&client).starts_with("long\nand careful"));
    assert!(client.calls.is_empty(), "it is not sent by itself");
    client.local(Local::Edited(Err("there is no editor".to_owned())));
    assert!(client.shows("there is no editor"));
    assert!(written(&client).starts_with("long\nand careful"));
}

#[test]
fn pages_scroll_what_is_above_the_prompt() {
    let (mut client, mut log) = opened();
    log.prompt("tell me")
        .says(
            &(0..100)
                .map(|n| format!("- point {n}\n"))
                .collect::<String>(),
        )
        .ends(pb::GenerationOutcome::Ready, "");
    client.report(log.report());
    assert!(client.shows("point 99"));
    client.press("pageup pageup");
    assert!(!client.shows("point 99"));
    assert!(client.shows("more below"));
    client.press("pagedown pagedown");
    assert!(client.shows("point 99"));
    // These are keys of text.
    client.write("ab");
    client.press("ctrl-u");
    assert_eq!(written(&client), "");
    assert!(client.shows("point 99"));
}
