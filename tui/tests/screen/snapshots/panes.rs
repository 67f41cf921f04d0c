//! Files and logs of a project.

use kiln_proto::v1 as pb;
use kiln_proto::v1::GenerationOutcome;

use super::{looks, seen, seen_drawn_to};
use crate::support::app::ready;
use crate::support::client::Client;
use crate::support::log::Log;
use crate::support::messages::{self, line, new_project, project, refusal};

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
    seen_drawn_to("workspace_viewer_sideways", client);

    let mut client = long_lines((80, 24));
    client.press("enter");
    client.settle();
    client.press("w");
    seen_drawn_to("workspace_viewer_wrapped", client);

    let mut client = long_lines((120, 40));
    client.press("enter");
    client.settle();
    client.press("/");
    client.write("word42");
    client.press("enter");
    seen_drawn_to("workspace_viewer_found", client);
}

#[test]
fn a_file_that_is_no_text_and_one_that_is_gone() {
    let mut client = long_lines((80, 24));
    client.press("down enter");
    client.settle();
    seen_drawn_to("workspace_viewer_binary", client);

    let mut client = long_lines((80, 24));
    client.press("enter");
    client.refuse(refusal(
        "NOT_FOUND",
        "there is no such file in this revision",
    ));
    seen_drawn_to("workspace_viewer_gone", client);
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
    seen_drawn_to("workspace_logs_errors", client);

    let mut client = ready((80, 24));
    client.press("alt-3 t /");
    client.write("app");
    client.press("enter m");
    seen_drawn_to("workspace_logs_only_matches", client);

    let mut client = ready((80, 24));
    client.press("alt-3 w");
    client.report(messages::lines(
        "p1",
        1,
        vec![line(2_000, pb::LogStream::Stdout, "much was written")],
        1_989,
    ));
    seen_drawn_to("workspace_logs_wrapped_with_a_gap", client);
}

#[test]
fn no_logs_yet() {
    let mut client = Client::opened((80, 24), new_project("p1", "Todo list"));
    client.press("alt-3");
    seen_drawn_to("workspace_logs_empty", client);
}
