//! Watching over connections and daemons that break.

use std::io::{BufRead, BufReader};

use kiln_proto::v1 as pb;
use tonic::Code;

use crate::support::daemon::refusal;
use crate::support::kiln::finish;
use crate::support::{Daemon, Home, Plan, events};

fn daemon() -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.state().answer = events::ready();
    daemon.project("shop");
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

#[test]
fn a_broken_stream_goes_on_without_a_gap_and_without_a_repeat() {
    let (_dir, daemon, home) = daemon();
    daemon.state().plans = [Plan::Fail(2, Code::Unavailable), Plan::End(3), Plan::Repeat].into();
    let ran = home.run(&["generate", "x", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.sequences(), (1..=8).collect::<Vec<_>>());
    let after: Vec<_> = daemon
        .state()
        .watched
        .iter()
        .map(|request| request.after_sequence)
        .collect();
    assert_eq!(after, [Some(0), Some(2), Some(5)]);
    let states: Vec<_> = ran
        .objects()
        .iter()
        .filter(|object| object["type"] == "connection")
        .map(|object| object["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["lost", "resumed", "lost", "resumed"]);
}

#[test]
fn people_are_told_once_that_it_broke_and_that_it_goes_on() {
    let (_dir, daemon, home) = daemon();
    let away = refusal(Code::Unavailable, "SHUTTING_DOWN", "going down");
    for _ in 0..3 {
        daemon.fail("WatchProject", away.clone());
    }
    let ran = home.run(&["generate", "x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lost = "connection lost, trying again  going down\n";
    assert_eq!(ran.stderr.matches(lost).count(), 1, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("resumed\n").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_hole_in_the_log_is_never_passed_over() {
    let (_dir, daemon, home) = daemon();
    daemon.state().plans = [Plan::Skip(4)].into();
    let ran = home.run(&["generate", "x", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.sequences(), (1..=8).collect::<Vec<_>>());

    let (_dir, daemon, home) = daemon_with_a_hole();
    let ran = home.run(&["generate", "x", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.sequences(), [1, 2, 3]);
    assert_eq!(ran.objects().last().unwrap()["reason"], "PROTOCOL");
    drop(daemon);
}

fn daemon_with_a_hole() -> (tempfile::TempDir, Daemon, Home) {
    let (dir, daemon, home) = daemon();
    daemon.state().plans = vec![Plan::Skip(4); 10].into();
    (dir, daemon, home)
}

#[test]
fn a_killed_daemon_is_waited_for_and_the_outcome_shown() {
    let (_dir, mut daemon, home) = daemon();
    daemon.state().answer = vec![events::started(), events::text("thinking\n")];
    let mut child = home.command(&["generate", "x", "--json"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    let mut read_until = |wanted: &str| {
        loop {
            let from = seen.len();
            assert!(reader.read_line(&mut seen).unwrap() > 0, "{seen}");
            if seen[from..].contains(wanted) {
                return seen.clone();
            }
        }
    };
    read_until("thinking");
    daemon.kill();
    read_until("\"lost\"");
    // What a daemon does with the generations of its earlier life.
    daemon
        .shared
        .append([events::finished(pb::GenerationOutcome::Interrupted, None)]);
    daemon.restart();
    read_until("\"resumed\"");
    let seen = read_until("\"result\"");
    let last: serde_json::Value = serde_json::from_str(seen.lines().last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "INTERRUPTED");
    let sequences: Vec<i64> = seen
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|object| object["type"] == "event")
        .map(|object| object["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(finish(child).code, Some(1));
}

#[test]
fn what_trying_again_cannot_mend_ends_it() {
    let (_dir, daemon, home) = daemon();
    daemon.fail(
        "WatchProject",
        refusal(Code::OutOfRange, "SEQ_AHEAD", "past the head"),
    );
    let ran = home.run(&["watch", "--after", "99"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("past the head"), "{}", ran.stderr);
}

#[test]
fn patience_ends_with_unreachable_and_where_to_go_on() {
    let (_dir, daemon, home) = daemon();
    daemon.state().plans = vec![Plan::Fail(0, Code::Unavailable); 50].into();
    daemon.state().plans[0] = Plan::Fail(2, Code::Unavailable);
    let ran = home.run(&["generate", "-p", "shop", "x", "--retry-for", "1"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(
        ran.stderr.contains("kiln watch -p shop --after 2"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_session_that_ends_between_breaks_is_renewed() {
    let (_dir, daemon, home) = daemon();
    daemon.state().plans = [Plan::Fail(2, Code::Unavailable)].into();
    daemon.fail(
        "WatchProject",
        refusal(Code::Unauthenticated, "SESSION_EXPIRED", "over"),
    );
    let ran = home.run(&["generate", "x", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.sequences(), (1..=8).collect::<Vec<_>>());
}

#[test]
fn watching_from_now_on_begins_with_a_snapshot() {
    let (_dir, daemon, home) = daemon();
    daemon.shared.append(events::ready());
    let mut child = home.command(&["watch", "--json"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let snapshot: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(snapshot["type"], "project");
    assert_eq!(snapshot["head_sequence"], 8);
    daemon.shared.append([events::text("new")]);
    line.clear();
    reader.read_line(&mut line).unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["sequence"], 9);
    child.kill().unwrap();
    child.wait().unwrap();
}
