//! Steps: what they see, what they say, and that nothing of them is left.

use std::collections::HashMap;

use kiln_proto::supervisor::v1::{Exit, RunStepRequest, RunStepResponse};
use prost_types::Duration;
use tonic::{Code, Streaming};

use crate::support::{
    Sandbox, StepOutcome, assert_refused, connect, is_alive, step, until, within,
};

/// Children of every kind, none of which ends when it is asked to.
const TREE_OF_PROCESSES: &str = "trap '' TERM; sleep 1000 & echo $!; setsid sleep 1000 & echo $!; \
     (sleep 1000 & echo $!); echo $$; wait";

#[tokio::test]
async fn output_and_exit_code_come_through() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox
        .step(&["sh", "-c", "echo out; echo err >&2; printf tail; exit 7"])
        .await;
    let mut lines: Vec<(i32, &str)> = outcome
        .lines
        .iter()
        .map(|line| (line.stream, line.text.as_str()))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [(1, "out"), (1, "tail"), (2, "err")]);
    assert!(outcome.lines.iter().all(|line| line.number == 0));
    let expected = Exit {
        code: 7,
        signal: 0,
        timed_out: false,
    };
    assert_eq!(outcome.exit, expected);
}

#[tokio::test]
async fn a_step_sees_its_slot_and_a_fixed_environment() {
    let sandbox = Sandbox::start().await;
    let mut request = step(&["sh", "-c", "pwd; env | cut -d= -f1 | sort; echo $GIVEN"]);
    request.environment = HashMap::from([("GIVEN".to_owned(), "a b".to_owned())]);
    let stream = sandbox.start_step(request).await.unwrap();
    let outcome = within(StepOutcome::of(stream)).await;
    let texts = outcome.texts();
    let slot = std::fs::canonicalize(sandbox.path("")).unwrap();
    assert_eq!(texts[0], slot.to_str().unwrap());
    assert_eq!(texts[texts.len() - 1], "a b");
    let allowed = [
        "PATH",
        "HOME",
        "LANG",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "TMPDIR",
        "BUN_INSTALL_CACHE_DIR",
        "KILN_RUN",
        "GIVEN",
        // The shell's own.
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for name in &texts[1..texts.len() - 1] {
        assert!(allowed.contains(name), "{name}");
    }
}

#[tokio::test]
async fn arguments_are_never_read_by_a_shell() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox
        .step(&["printf", "%s|", "$HOME", "a b", ";exit 3"])
        .await;
    assert_eq!(outcome.texts(), ["$HOME|a b|;exit 3|"]);
}

#[tokio::test]
async fn a_command_that_is_not_there_says_so() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox.step(&["no-such-command"]).await;
    assert_eq!(outcome.exit.code, 127);
    assert!(outcome.texts()[0].starts_with("cannot run no-such-command: "));
    let outcome = sandbox.step(&["/"]).await;
    assert_eq!(outcome.exit.code, 126);
}

#[tokio::test]
async fn ends_by_signals_are_told_even_those_without_a_name() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox.step(&["sh", "-c", "kill -9 $$"]).await;
    assert_eq!((outcome.exit.code, outcome.exit.signal), (137, 9));
    let outcome = sandbox.step(&["sh", "-c", "kill -40 $$"]).await;
    assert!(outcome.exit.code >= 128);
}

#[tokio::test]
async fn a_step_starts_with_signals_as_they_should_be() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox
        .step(&["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"])
        .await;
    let mask = |name: &str| {
        let texts = outcome.texts();
        let mask = texts.iter().find_map(|text| text.strip_prefix(name));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0);
    let pipe = 1 << (nix::libc::SIGPIPE - 1);
    assert_eq!(mask("SigIgn:") & pipe, 0);
}

#[tokio::test]
async fn a_timeout_ends_everything_that_the_step_started() {
    let sandbox = Sandbox::start().await;
    let mut request = step(&["sh", "-c", TREE_OF_PROCESSES]);
    request.timeout = Some(Duration {
        seconds: 0,
        nanos: 300_000_000,
    });
    let stream = sandbox.start_step(request).await.unwrap();
    let outcome = within(StepOutcome::of(stream)).await;
    let expected = Exit {
        code: 137,
        signal: 9,
        timed_out: true,
    };
    assert_eq!(outcome.exit, expected);
    let pids = pids(&outcome.texts());
    assert_eq!(pids.len(), 4);
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "{pids:?}");
}

#[tokio::test]
async fn nothing_outlives_a_step_that_ends_by_itself() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox
        .step(&[
            "sh",
            "-c",
            "sleep 1000 & echo $!; setsid sleep 1000 & echo $!",
        ])
        .await;
    assert_eq!(outcome.exit.code, 0);
    for pid in pids(&outcome.texts()) {
        assert!(!is_alive(pid));
    }
}

#[tokio::test]
async fn a_step_ends_when_its_stream_is_dropped() {
    let sandbox = Sandbox::start().await;
    let (stream, pids) = start_tree(&sandbox).await;
    drop(stream);
    until("the step is gone", || {
        !pids.iter().any(|pid| is_alive(*pid))
    })
    .await;
    sandbox.boot_id().await;
}

#[tokio::test]
async fn a_step_ends_when_its_connection_is_dropped() {
    let mut sandbox = Sandbox::start().await;
    let (stream, pids) = start_tree(&sandbox).await;
    // The old connection ends with its last user.
    let other = connect(&sandbox.socket()).await;
    drop(std::mem::replace(&mut sandbox.client, other));
    drop(stream);
    until("the step is gone", || {
        !pids.iter().any(|pid| is_alive(*pid))
    })
    .await;
    sandbox.boot_id().await;
}

#[tokio::test]
async fn a_flood_is_counted_to_the_line() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox.step(&["seq", "1", "400000"]).await;
    assert_eq!(outcome.exit.code, 0);
    assert!(outcome.dropped_count > 300_000);
    assert_eq!(outcome.lines.len() as i64 + outcome.dropped_count, 400_000);
}

#[tokio::test]
async fn no_more_than_eight_run_at_once() {
    let sandbox = Sandbox::start().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(sandbox.start_step(step(&["sleep", "1000"])).await.unwrap());
    }
    let refused = sandbox.start_step(step(&["true"])).await;
    assert_refused(refused, Code::ResourceExhausted, "TOO_MANY_STEPS");
    streams.clear();
    within(async {
        while sandbox.start_step(step(&["true"])).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn odd_commands_are_refused() {
    let sandbox = Sandbox::start().await;
    let many = vec!["x"; 300];
    let large = "x".repeat(300_000);
    for argv in [&[][..], &[""], &["a\0b"], &many, &["echo", &large]] {
        let refused = sandbox.start_step(step(argv)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    for name in ["", "A=B", "A\0", "KILN_RUN"] {
        let request = RunStepRequest {
            environment: HashMap::from([(name.to_owned(), String::new())]),
            ..step(&["true"])
        };
        let refused = sandbox.start_step(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name:?}");
    }
    let mut request = step(&["true"]);
    request.timeout = Some(Duration {
        seconds: -1,
        nanos: 0,
    });
    let refused = sandbox.start_step(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Starts a step that would run for long, with children of every kind.
async fn start_tree(sandbox: &Sandbox) -> (Streaming<RunStepResponse>, Vec<i32>) {
    let request = step(&["sh", "-c", TREE_OF_PROCESSES]);
    let mut stream = sandbox.start_step(request).await.unwrap();
    let mut found = Vec::new();
    while found.len() < 4 {
        let message = within(stream.message()).await.unwrap().unwrap();
        let texts: Vec<&str> = message.lines.iter().map(|line| &*line.text).collect();
        found.extend(pids(&texts));
    }
    assert!(found.iter().all(|pid| is_alive(*pid)));
    (stream, found)
}

fn pids(texts: &[&str]) -> Vec<i32> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}
