//! stdout and stderr: who reads them, what they may get, and what happens when
//! nobody reads any more.

use kiln_proto::v1 as pb;

use crate::support::{Daemon, Home, events};

/// Escape sequences, title, clipboard, C1, bidi, zero width, a hidden tag.
const HOSTILE: &str = "a\x1b[2J\x1b]0;t\x07\x1b]52;c;aGk=\x07\x1bc\u{9b}31mb\u{202e}c\u{200b}d\u{feff}\u{e0041}\x08\x7f";

fn daemon() -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.project("shop");
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

/// What may reach a terminal: text, line ends, and the sequences of this client.
fn assert_tame(shown: &str) {
    let mut rest = shown.to_owned();
    for ours in [
        "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2K",
    ] {
        rest = rest.replace(ours, "");
    }
    let bad: Vec<char> = rest
        .chars()
        .filter(|c| !matches!(c, '\n' | '\r') && kiln_tui::sanitise::is_unsafe(*c))
        .collect();
    assert_eq!(bad, Vec::<char>::new(), "{shown:?}");
}

#[test]
fn hostile_text_never_steers_a_terminal() {
    let (_dir, daemon, home) = daemon();
    let mut answer = events::ready();
    answer.insert(1, events::text(&format!("{HOSTILE}\n")));
    let mut file = events::event(pb::event::Body::FileStarted(pb::FileStarted {
        operation: 1,
        kind: pb::OperationKind::Write.into(),
        path: HOSTILE.into(),
    }));
    file.generation_id = events::GENERATION.into();
    answer.insert(2, file);
    {
        let mut state = daemon.state();
        state.answer = answer;
        state.projects[0].name = HOSTILE.into();
        state.files = vec![(HOSTILE.into(), HOSTILE.into())];
        state.models = vec![pb::Model {
            id: HOSTILE.into(),
            name: HOSTILE.into(),
            ..pb::Model::default()
        }];
        state.local_endpoints = vec![pb::LocalEndpoint {
            base_url: HOSTILE.into(),
            name: HOSTILE.into(),
            model_count: 1,
        }];
        state.log_lines = vec![pb::LogLine {
            number: 1,
            text: HOSTILE.into(),
            ..pb::LogLine::default()
        }];
    }
    for arguments in [
        &["generate", "x"][..],
        &["generate", "x", "--json"],
        &["projects"],
        &["projects", "--json"],
        &["files"],
        &["files", HOSTILE],
        &["models"],
        &["provider"],
        &["provider", "--json"],
        &["logs"],
        &["projects", "show", HOSTILE],
        &["projects", "show", "\x1b[2Jnothing"],
        &["--\x1b[2Jnothing"],
    ] {
        let (_, shown) = home.on_terminal(arguments, &[]);
        assert!(!shown.is_empty(), "{arguments:?}");
        assert_tame(&shown);
    }
}

#[test]
fn a_pipe_gets_it_raw() {
    let (_dir, daemon, home) = daemon();
    daemon.state().files = vec![("a".into(), HOSTILE.into())];
    daemon.state().log_lines = vec![pb::LogLine {
        number: 1,
        text: HOSTILE.into(),
        ..pb::LogLine::default()
    }];
    assert_eq!(home.run(&["files", "a"]).stdout, HOSTILE);
    assert_eq!(home.run(&["logs"]).stdout, format!("{HOSTILE}\n"));
    let object = &home.run(&["logs", "--json"]).objects()[0];
    assert_eq!(object["text"], HOSTILE);
}

#[test]
fn no_control_sequence_reaches_a_pipe() {
    let (_dir, daemon, home) = daemon();
    daemon.state().answer = events::ready();
    for arguments in [
        &["generate", "x"][..],
        &["projects"],
        &["files"],
        &["--help"],
        &["status"],
        &["nonsense"],
    ] {
        let ran = home.run(arguments);
        assert!(!ran.stdout.contains('\x1b'), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.contains('\x1b'), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (_dir, daemon, home) = daemon();
    daemon.state().log_lines = (1..=20_000)
        .map(|number| pb::LogLine {
            number,
            text: "x".repeat(80),
            time: Some(prost_types::Timestamp {
                seconds: 1,
                nanos: 0,
            }),
            ..pb::LogLine::default()
        })
        .collect();
    daemon.state().answer = events::ready();
    for script in [
        "\"$KILN\" logs | head -1; echo \"${PIPESTATUS[0]}\"",
        "\"$KILN\" logs --json | head -1; echo \"${PIPESTATUS[0]}\"",
        "\"$KILN\" generate x --json | true; echo \"${PIPESTATUS[0]}\"",
        "\"$KILN\" --help | true; echo \"${PIPESTATUS[0]}\"",
        "\"$KILN\" projects | true; echo \"${PIPESTATUS[0]}\"",
    ] {
        let ran = home.shell(script);
        assert_eq!(ran.stdout.lines().last(), Some("0"), "{script}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{script}: {}", ran.stderr);
        assert!(!ran.stderr.contains("kiln: "), "{script}: {}", ran.stderr);
    }
}

#[test]
fn closed_streams_and_a_full_disk_are_no_panic() {
    let (_dir, daemon, home) = daemon();
    daemon.state().answer = events::ready();
    for script in [
        "\"$KILN\" projects >&-",
        "\"$KILN\" projects 2>&-",
        "\"$KILN\" generate x <&- >/dev/null",
        "\"$KILN\" generate x 2>&- >/dev/null",
    ] {
        let ran = home.shell(script);
        assert_eq!(ran.code, Some(0), "{script}: {ran:?}");
    }
    let ran = home.shell("\"$KILN\" projects >/dev/full");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("cannot write to stdout"),
        "{}",
        ran.stderr
    );
}
