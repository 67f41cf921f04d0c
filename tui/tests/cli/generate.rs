//! `kiln new` and `kiln generate`, from prompt to outcome.

use std::io::{BufRead, BufReader};
use std::process::Child;

use kiln_proto::v1::GenerationOutcome as Outcome;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tonic::Code;

use crate::support::daemon::refusal;
use crate::support::events::{self, PREVIEW};
use crate::support::kiln::finish;
use crate::support::{Daemon, Home};

fn daemon(answer: Vec<kiln_proto::v1::Event>) -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.state().answer = answer;
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

#[test]
fn a_prompt_becomes_an_address_on_stdout() {
    let (_dir, daemon, home) = daemon(events::ready());
    let ran = home.run(&["new", "a", "todo", "list"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, format!("{PREVIEW}\n"));
    let expected = [
        "project  a todo list",
        "model    demo/kiln (canned answers)",
        "  Here is your app.",
        "  + src/App.tsx  2.1 kB",
        "✓ 1/2 install  installing  1.0 s",
        "ready in 0.0 s  1,200 tokens in, 345 out, demo: free",
        "hint: open the address",
    ];
    for line in expected {
        assert!(
            ran.stderr.contains(line),
            "{line} is not in\n{}",
            ran.stderr
        );
    }
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\r'), "{}", ran.stderr);
    assert_eq!(daemon.state().projects[0].name, "a todo list");
}

#[test]
fn scripts_get_one_object_a_line_and_the_result_last() {
    let (_dir, _daemon, home) = daemon(events::ready());
    let ran = home.run(&["new", "a todo list", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let objects = ran.objects();
    assert_eq!(objects[0]["type"], "project");
    assert_eq!(objects[1]["type"], "generation");
    assert_eq!(ran.sequences(), (1..=8).collect::<Vec<_>>());
    let file = &objects[5];
    assert_eq!(file["kind"], "file_started");
    assert_eq!(file["path"], "src/App.tsx");
    assert_eq!(file["operation_kind"], "WRITE");
    let result = objects.last().unwrap();
    assert_eq!(result["type"], "result");
    assert_eq!(result["outcome"], "READY");
    assert_eq!(result["preview_url"], PREVIEW);
    assert_eq!(result["generation_id"], events::GENERATION);
    assert_eq!(result["cost_micro_usd"], 0);
    assert_eq!(result["demo"], true);
}

#[test]
fn an_unknown_cost_is_unknown_everywhere() {
    let mut answer = events::ready();
    *answer.last_mut().unwrap() = events::finished(Outcome::Ready, None);
    let (_dir, _daemon, home) = daemon(answer);
    let ran = home.run(&["new", "x", "--json"]);
    assert_eq!(ran.objects().last().unwrap()["cost_micro_usd"], Value::Null);
    let ran = home.run(&["generate", "x"]);
    assert!(ran.stderr.contains("cost unknown"), "{}", ran.stderr);
}

#[test]
fn the_prompt_may_come_from_stdin() {
    let (_dir, daemon, home) = daemon(events::ready());
    let ran = home.run_with_stdin(&["new", "-"], "a shop\nfor tea\n".as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(daemon.state().started[0].prompt, "a shop\nfor tea");
    assert_eq!(daemon.state().projects[0].name, "a shop for tea");
}

#[test]
fn no_prompt_is_refused_before_anything_is_made() {
    let (_dir, daemon, home) = daemon(events::ready());
    for (arguments, stdin) in [
        (&["new", "-"][..], &b""[..]),
        (&["new", "-"], b"  \n"),
        (&["new", "-"], b"\xff\xfe"),
        (&["new", " "], b""),
    ] {
        let ran = home.run_with_stdin(arguments, stdin);
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
    // A closed stdin is an empty one.
    let ran = home.shell("\"$KILN\" new - <&-");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(daemon.calls(), Vec::<&str>::new());
}

#[test]
fn a_refused_prompt_leaves_no_empty_project() {
    let (_dir, daemon, home) = daemon(events::ready());
    daemon.fail(
        "StartGeneration",
        refusal(
            Code::FailedPrecondition,
            "NO_PROVIDER_KEY",
            "no key for a provider",
        ),
    );
    let ran = home.run(&["new", "x", "--model", "a/b"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("no key for a provider"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("demo/kiln"), "{}", ran.stderr);
    assert!(daemon.state().projects.is_empty());
}

#[test]
fn reasons_come_with_what_to_do() {
    let (_dir, daemon, home) = daemon(events::ready());
    daemon.project("shop");
    for (code, reason, hint) in [
        (
            Code::FailedPrecondition,
            "GENERATION_RUNNING",
            "kiln cancel",
        ),
        (Code::Unavailable, "DOCKER_UNAVAILABLE", "Docker engine"),
        (Code::FailedPrecondition, "IMAGE_MISSING", "sandbox-image"),
        (Code::InvalidArgument, "MODEL_NOT_ALLOWED", "kiln models"),
    ] {
        daemon.fail("StartGeneration", refusal(code, reason, "no"));
        let ran = home.run(&["generate", "x"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(hint), "{reason}: {}", ran.stderr);
        daemon.fail("StartGeneration", refusal(code, reason, "no"));
        let ran = home.run(&["generate", "x", "--json"]);
        assert_eq!(ran.objects().last().unwrap()["reason"], reason);
    }
}

#[test]
fn starting_is_tried_again_with_the_same_request_id() {
    let (_dir, daemon, home) = daemon(events::ready());
    daemon.project("shop");
    let status = refusal(Code::Unavailable, "DB_UNAVAILABLE", "the database is away");
    daemon.fail("StartGeneration", status.clone());
    daemon.fail("StartGeneration", status);
    let ran = home.run(&["generate", "x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let calls = daemon.calls();
    let starts = calls.iter().filter(|c| **c == "StartGeneration").count();
    assert_eq!(starts, 3);
}

#[test]
fn outcomes_that_are_not_ready_fail_and_say_what_to_do() {
    for (outcome, name, hint) in [
        (Outcome::Interrupted, "INTERRUPTED", "nothing is run twice"),
        (Outcome::Failed, "FAILED", "in the daemon's own words"),
        (Outcome::Truncated, "TRUNCATED", "cut off"),
    ] {
        let answer = vec![events::started(), events::finished(outcome, None)];
        let (_dir, daemon, home) = daemon(answer);
        daemon.project("shop");
        let ran = home.run(&["generate", "-p", "shop", "x"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
        let ran = home.run(&["generate", "-p", "shop", "x", "--json"]);
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.objects().last().unwrap()["outcome"], name);
    }
}

/// Reads objects until one of a type comes.
fn wait_for(child: &mut Child, reader: &mut impl BufRead, kind: &str) {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            panic!("no {kind} before the end: {:?}", child.wait());
        }
        let object: Value = serde_json::from_str(&line).unwrap();
        if object["type"] == kind {
            return;
        }
    }
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
}

#[test]
fn the_first_ctrl_c_cancels() {
    let (_dir, daemon, home) = daemon(vec![events::started()]);
    daemon.project("shop");
    let mut child = home.command(&["generate", "x", "--json"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut child, &mut reader, "event");
    interrupt(&child);
    wait_for(&mut child, &mut reader, "cancelling");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "result");
    assert_eq!(last["outcome"], "CANCELLED");
    assert!(daemon.calls().contains(&"CancelGeneration"));
}

#[test]
fn the_second_ctrl_c_leaves_at_once() {
    let (_dir, daemon, home) = daemon(vec![events::started()]);
    daemon.project("shop");
    daemon.state().cancel_ends = false;
    let mut child = home.command(&["generate", "x", "--json"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut child, &mut reader, "event");
    interrupt(&child);
    wait_for(&mut child, &mut reader, "cancelling");
    interrupt(&child);
    wait_for(&mut child, &mut reader, "error");
    assert_eq!(finish(child).code, Some(1));
}

#[test]
fn the_project_is_the_only_one_and_that_is_said() {
    let (_dir, daemon, home) = daemon(events::ready());
    let ran = home.run(&["generate", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("kiln new"), "{}", ran.stderr);
    let shop = daemon.project("shop");
    let ran = home.run(&["generate", "x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("project  shop"), "{}", ran.stderr);
    assert!(ran.stderr.contains("your only one"), "{}", ran.stderr);
    assert_eq!(daemon.state().started[0].project_id, shop.id);
    daemon.project("blog");
    let ran = home.run(&["generate", "x"]);
    assert!(
        ran.stderr.contains("the one changed last"),
        "{}",
        ran.stderr
    );
}

#[test]
fn on_a_terminal_there_is_a_spinner_and_nothing_of_it_stays() {
    let (_dir, _daemon, home) = daemon(events::ready());
    let (code, shown) = home.on_terminal(&["new", "x"], &[]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\x1b[32m✓\x1b[0m"), "{shown:?}");
    assert!(shown.contains(PREVIEW), "{shown:?}");
    // Whatever was drawn in place was taken away before the result.
    let after = shown.rsplit("\x1b[2K").next().unwrap();
    assert!(!after.contains('⠋'), "{shown:?}");

    let home = home.variable("NO_COLOR", "1");
    let (_, shown) = home.on_terminal(&["new", "x"], &[]);
    assert!(!shown.contains("\x1b[32m"), "{shown:?}");

    let home = home.variable("TERM", "dumb");
    let (_, shown) = home.on_terminal(&["new", "x"], &[]);
    assert!(!shown.contains('\x1b'), "{shown:?}");
}
