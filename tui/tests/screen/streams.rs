//! What comes over the connection: once, in order, to whom it belongs; and what
//! is left when it breaks.

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_tui::client::link::{Report, Topic};
use kiln_tui::effect::{Answer, Call, Effect};
use kiln_tui::model::Screen;
use kiln_tui::model::files::FileEntry;
use kiln_tui::msg::Msg;

use crate::support::client::Client;
use crate::support::log::Log;
use crate::support::messages::{self, line, lines, new_project, project, refusal};

const SIZE: (u16, u16) = (120, 40);

/// A project in which the model has begun to answer.
fn running() -> (Client, Log) {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    let mut log = Log::new("p1");
    log.prompt("make it blue").says("first words. ");
    client.report(log.report());
    client.settle();
    (client, log)
}

fn count(client: &mut Client, words: &str) -> usize {
    client.text().matches(words).count()
}

fn last(client: &Client) -> i64 {
    client
        .model
        .workspace()
        .unwrap()
        .conversation
        .last_sequence()
}

/// The same entries once more, as after a pump that was stopped in between.
fn again(report: &Report) -> Report {
    match report {
        Report::Project { id, batch } => Report::Project {
            id: id.clone(),
            batch: batch.clone(),
        },
        _ => panic!("no entries"),
    }
}

#[test]
fn an_entry_that_comes_twice_is_shown_once() {
    let (mut client, mut log) = running();
    log.says("second words. ");
    let report = log.report();
    client.report(again(&report));
    client.report(again(&report));
    client.report(report);
    assert_eq!(count(&mut client, "second words."), 1);
    assert_eq!(last(&client), 3);
    log.says("third words.");
    client.report(log.report());
    assert!(client.shows("first words. second words. third words."));
}

#[test]
fn entries_and_lines_of_others_are_passed_over() {
    let (mut client, _) = running();
    let mut other = Log::new("p2");
    other.prompt("not this").says("not these");
    client.report(other.report());
    client.report(lines(
        "p2",
        1,
        vec![line(1, pb::LogStream::Stdout, "not that")],
        0,
    ));
    client.report(lines(
        "p1",
        7,
        vec![line(1, pb::LogStream::Stdout, "nor that")],
        0,
    ));
    for words in ["not this", "not these", "not that", "nor that"] {
        assert!(!client.shows(words), "{words}");
    }
    assert_eq!(last(&client), 2);
}

#[test]
fn what_was_seen_stays_while_it_is_offline_and_goes_on_after() {
    let (mut client, mut log) = running();
    let before = client.followed().to_vec();
    client.report(messages::offline(4_000, 1));
    client.press("down");
    assert!(client.shows("offline") && client.shows("first words."));
    client.wait(2_000);
    assert!(client.shows("next try in 2 s") || client.shows("next try in 3 s"));
    assert_eq!(client.followed(), before, "nothing else is followed");
    // It reports that it tries: what was wrong stays to be read.
    client.report(Report::State(kiln_tui::client::link::State::Connecting));
    assert!(client.shows("start the daemon with"));
    client.report(messages::hello());
    assert!(client.shows("online") && client.shows("connected again; nothing was missed"));
    log.says("more words.");
    client.report(log.report());
    assert!(client.shows("first words. more words."));
    assert_eq!(client.model.workspace().unwrap().conversation.faults(), 0);
}

#[test]
fn files_are_asked_for_once_all_is_read_and_after_each_revision() {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    let asks = |client: &Client| {
        client
            .calls
            .iter()
            .filter(|(_, call)| matches!(call, Call::ListFiles { .. }))
            .count()
    };
    let mut log = Log::new("p1");
    log.prompt("a")
        .revision(1, &[("a.txt", pb::FileChangeKind::Added)]);
    client.report(log.report_with_head(9));
    assert_eq!(asks(&client), 0, "there is more to read");
    log.revision(2, &[("b.txt", pb::FileChangeKind::Added)]);
    client.report(log.report());
    assert_eq!(asks(&client), 1);
    client.settle();
    log.says("words");
    client.report(log.report());
    assert_eq!(asks(&client), 0);
    log.revision(3, &[("c.txt", pb::FileChangeKind::Added)]);
    client.report(log.report());
    assert_eq!(asks(&client), 1);
}

#[test]
fn a_file_that_is_open_is_read_again_when_it_may_have_changed() {
    let (mut client, mut log) = running();
    client.daemon.files = [("a.txt".to_owned(), b"old text\n".to_vec())].into();
    log.revision(1, &[("a.txt", pb::FileChangeKind::Added)]);
    client.report(log.report());
    client.settle();
    client.press("alt-2 enter");
    client.settle();
    assert!(client.shows("old text"));
    client.daemon.files = [("a.txt".to_owned(), b"new text\n".to_vec())].into();
    log.revision(2, &[("a.txt", pb::FileChangeKind::Modified)]);
    client.report(log.report());
    let (id, _) = client.calls.pop().unwrap();
    client.take(Msg::Answered {
        id,
        result: Ok(Answer::Files {
            revision_id: "another".to_owned(),
            files: vec![FileEntry {
                path: "a.txt".to_owned(),
                size: 9,
            }],
        }),
    });
    client.settle();
    assert!(client.shows("new text"));
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let (mut client, mut log) = running();
    log.revision(1, &[("a.txt", pb::FileChangeKind::Added)]);
    client.report(log.report());
    let (id, _) = client.calls.pop().unwrap();
    let files = |name: &str| Answer::Files {
        revision_id: "r".to_owned(),
        files: vec![FileEntry {
            path: name.to_owned(),
            size: 1,
        }],
    };
    client.take(Msg::Answered {
        id,
        result: Ok(files("good.txt")),
    });
    assert!(client.shows("good.txt"));
    // The same answer again, and one to a question that was never asked.
    client.take(Msg::Answered {
        id,
        result: Ok(files("late.txt")),
    });
    client.take(Msg::Answered {
        id: kiln_tui::effect::CallId(9_999),
        result: Ok(files("wild.txt")),
    });
    assert!(!client.shows("late.txt") && !client.shows("wild.txt"));

    // One that comes after another project was opened.
    log.revision(2, &[("a.txt", pb::FileChangeKind::Modified)]);
    client.report(log.report());
    let (id, _) = client.calls.pop().unwrap();
    client.report(messages::projects(vec![
        project("p1", "a"),
        project("p2", "b"),
    ]));
    client.press("alt-p k k enter");
    assert_eq!(client.model.workspace().unwrap().project.id, "p2");
    client.take(Msg::Answered {
        id,
        result: Ok(files("other.txt")),
    });
    assert!(!client.shows("other.txt"));
}

#[test]
fn another_life_of_the_app_is_another_subscription() {
    let mut client = Client::opened(SIZE, new_project("p1", "a"));
    let mut log = Log::new("p1");
    let state = |state: pb::SandboxState| {
        Body::SandboxStateChanged(pb::SandboxStateChanged {
            state: state.into(),
            detail: String::new(),
        })
    };
    let life = |life| Topic::Logs {
        project_id: "p1".to_owned(),
        life,
    };
    log.aside(state(pb::SandboxState::Running));
    client.report(log.report());
    assert!(client.followed().contains(&life(1)));
    client.report(lines(
        "p1",
        1,
        vec![line(1, pb::LogStream::Stdout, "of the first")],
        0,
    ));
    client.report(Report::Ended {
        topic: life(1),
        error: Some(refusal("SANDBOX_STATE", "the sandbox does not run")),
    });
    assert!(
        !client.shows("the sandbox does not run"),
        "that is to be expected"
    );
    log.aside(state(pb::SandboxState::Stopped));
    log.aside(state(pb::SandboxState::Running));
    client.report(log.report());
    client.report(lines(
        "p1",
        1,
        vec![line(2, pb::LogStream::Stdout, "of the past")],
        0,
    ));
    let now = client.model.workspace().unwrap().log_life;
    client.report(lines(
        "p1",
        now,
        vec![pb::LogLine {
            time: messages::time(messages::NOW_MS + 60_000),
            ..line(1, pb::LogStream::Stdout, "of the second")
        }],
        0,
    ));
    let seen = client.text();
    assert!(
        seen.contains("of the first") && seen.contains("of the second"),
        "{seen}"
    );
}

fn with_lines() -> Client {
    let (mut client, _) = running();
    client.report(lines(
        "p1",
        1,
        vec![
            line(1, pb::LogStream::Stdout, "served GET /"),
            line(2, pb::LogStream::Stderr, "warning: old"),
            line(3, pb::LogStream::System, "restarted"),
            line(4, pb::LogStream::Stdout, "served GET /app.js"),
        ],
        0,
    ));
    client.press("alt-3");
    client
}

#[test]
fn output_is_chosen_by_stream() {
    let mut client = with_lines();
    client.press("s s");
    assert!(client.shows("warning: old") && !client.shows("served"));
    client.press("s");
    assert!(!client.shows("warning: old"));
    client.press("s");
    assert!(client.shows("warning: old") && client.shows("restarted"));
}

#[test]
fn output_is_searched_and_only_what_matches_shown() {
    let mut client = with_lines();
    client.press("m");
    assert!(client.shows("search first"));
    client.press("/");
    client.write("APP.js");
    client.press("enter m");
    assert!(client.shows("served GET /app.js"));
    assert!(!client.shows("warning: old") && !client.shows("restarted"));
    client.press("y");
    assert!(
        client.wanted(|e| matches!(e, Effect::Clipboard(text) if text == "served GET /app.js"))
    );
    client.press("m");
    assert!(client.shows("warning: old"));
    client.press("/ ctrl-u");
    client.write("zebra");
    client.press("enter");
    assert!(client.shows("nothing here says \"zebra\""));
}

#[test]
fn output_is_saved_as_it_is_shown() {
    let mut client = with_lines();
    client.press("s s S");
    client.press("ctrl-u");
    client.write("out.txt");
    client.press("enter");
    let saved = client.effects.iter().find_map(|effect| match effect {
        Effect::Save { path, text } => Some((path.clone(), text.clone())),
        _ => None,
    });
    let (path, text) = saved.unwrap();
    assert_eq!(path.to_str(), Some("out.txt"));
    assert!(
        text.contains("warning: old") && !text.contains("served"),
        "{text}"
    );
}

#[test]
fn a_search_in_the_conversation_goes_to_what_it_finds() {
    let mut client = Client::opened((80, 24), project("p1", "a"));
    let mut log = Log::new("p1");
    log.prompt("needle in a haystack").says(
        &(0..80)
            .map(|n| format!("- straw {n}\n"))
            .collect::<String>(),
    );
    client.report(log.report());
    client.settle();
    assert!(!client.shows("needle"));
    client.press("alt-1 /");
    client.write("needle");
    client.press("enter");
    assert!(client.shows("needle in a haystack"));
}

#[test]
fn what_a_new_list_does_not_have_is_gone_also_where_it_is_open() {
    let mut client = Client::online(SIZE, vec![project("p1", "first"), project("p2", "second")]);
    client.press("enter");
    let id = client.model.workspace().unwrap().project.id.clone();
    client.report(messages::projects(vec![project(
        if id == "p1" { "p2" } else { "p1" },
        "the other",
    )]));
    assert!(matches!(client.model.screen, Screen::Projects(_)));
    assert!(client.shows("was deleted") && client.shows("the other"));
}

#[test]
fn a_stream_that_cannot_go_on_says_why() {
    let (mut client, _) = running();
    client.report(Report::Ended {
        topic: Topic::Project("p1".to_owned()),
        error: Some(refusal("INTERNAL", "the log cannot be read")),
    });
    assert!(client.shows("the log cannot be read"));
    client.report(Report::Ended {
        topic: Topic::Project("p1".to_owned()),
        error: Some(refusal("NOT_FOUND", "there is no such project")),
    });
    assert!(matches!(client.model.screen, Screen::Projects(_)));
}

/// An old prompt is the same whether it was followed or is read afterwards.
#[test]
fn a_history_reads_as_it_was_followed() {
    let story = |log: &mut Log| {
        log.prompt("make it blue")
            .says("some prose\n")
            .file("src/a.css", "a {}\n")
            .attempt_ends("")
            .revision(1, &[("src/a.css", pb::FileChangeKind::Added)])
            .steps_pass()
            .ends(pb::GenerationOutcome::Ready, "");
    };
    let mut whole = Client::opened(SIZE, project("p1", "a"));
    let mut log = Log::new("p1");
    story(&mut log);
    whole.now_ms = log.now_ms;
    whole.report(log.report());
    whole.settle();

    let mut piecemeal = Client::opened(SIZE, project("p1", "a"));
    let mut log = Log::new("p1");
    story(&mut log);
    piecemeal.now_ms = log.now_ms;
    let Report::Project { id, batch } = log.report() else {
        panic!("no entries");
    };
    for event in batch.events {
        let head = event.sequence;
        piecemeal.report(Report::Project {
            id: id.clone(),
            batch: kiln_tui::client::watch::Batch {
                snapshot: None,
                events: vec![event],
                head,
            },
        });
        piecemeal.settle();
        piecemeal.draw();
    }
    assert_eq!(piecemeal.text(), whole.text());
}
