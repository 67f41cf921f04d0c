use super::super::Manner;
use super::*;

fn at(seconds: i64, body: Body) -> pb::Event {
    pb::Event {
        sequence: 1,
        time: Some(Timestamp { seconds, nanos: 0 }),
        generation_id: "g".into(),
        body: Some(body),
    }
}

fn shown(narrator: &mut Narrator, events: &[pb::Event]) -> Vec<String> {
    events
        .iter()
        .flat_map(|event| narrator.event(event))
        .map(|line| line.render(Manner::of(false, None, false)))
        .collect()
}

fn started(demo: bool) -> Body {
    Body::GenerationStarted(pb::GenerationStarted {
        prompt: "a todo list\nwith dates".into(),
        model: "demo/kiln".into(),
        demo,
        user_id: String::new(),
    })
}

fn finished(outcome: pb::GenerationOutcome, cost: Option<i64>) -> Body {
    Body::GenerationFinished(pb::GenerationFinished {
        outcome: outcome.into(),
        attempts: 1,
        message: "what happened".into(),
        usage: Some(pb::Usage {
            prompt_tokens: 1234,
            completion_tokens: 56,
            cost_micro_usd: cost,
            estimated: false,
        }),
        ..pb::GenerationFinished::default()
    })
}

#[test]
fn a_generation_from_beginning_to_end() {
    let file = |kind: pb::OperationKind, operation, path: &str| {
        Body::FileStarted(pb::FileStarted {
            operation,
            kind: kind.into(),
            path: path.into(),
        })
    };
    let end = |operation, size_bytes| {
        Body::FileFinished(pb::FileFinished {
            operation,
            size_bytes,
        })
    };
    let events = [
        at(0, started(true)),
        at(
            0,
            Body::AttemptStarted(pb::AttemptStarted {
                attempt: 1,
                kind: pb::AttemptKind::First.into(),
                model: "demo/kiln".into(),
            }),
        ),
        at(
            1,
            Body::TextDelta(pb::TextDelta {
                text: "I will ".into(),
            }),
        ),
        at(
            1,
            Body::TextDelta(pb::TextDelta {
                text: "build.\nFirst".into(),
            }),
        ),
        at(1, file(pb::OperationKind::Write, 0, "src/App.tsx")),
        at(2, end(0, 2100)),
        at(2, file(pb::OperationKind::Edit, 1, "src/index.css")),
        at(3, end(1, 310)),
        at(
            3,
            Body::OperationReceived(pb::OperationReceived {
                operation: 2,
                kind: pb::OperationKind::Delete.into(),
                path: "old.ts".into(),
                ..pb::OperationReceived::default()
            }),
        ),
        at(
            3,
            Body::AttemptFinished(pb::AttemptFinished {
                attempt: 1,
                finish_reason: "stop".into(),
                ..pb::AttemptFinished::default()
            }),
        ),
        at(
            3,
            Body::RevisionCreated(pb::RevisionCreated {
                number: 1,
                changes: vec![pb::FileChange {
                    kind: pb::FileChangeKind::Added.into(),
                    ..pb::FileChange::default()
                }],
                ..pb::RevisionCreated::default()
            }),
        ),
        at(
            3,
            Body::StepStarted(pb::StepStarted {
                step: pb::StepKind::Install.into(),
                position: 2,
                count: 5,
                title: "installing dependencies".into(),
            }),
        ),
        at(
            4,
            Body::StepFinished(pb::StepFinished {
                step: pb::StepKind::Install.into(),
                outcome: pb::StepOutcome::Passed.into(),
                duration: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 0,
                }),
                detail: String::new(),
            }),
        ),
        at(12, finished(pb::GenerationOutcome::Ready, Some(0))),
    ];
    let mut narrator = Narrator::new(Some("g".into()), true);
    assert_eq!(
        shown(&mut narrator, &events),
        [
            "prompt   a todo list",
            "model    demo/kiln (canned answers)",
            "  I will build.",
            "  First",
            "  + src/App.tsx  2.1 kB",
            "  ~ src/index.css  310 B",
            "  - old.ts",
            "✓ model        2 files, 2.4 kB  3.0 s",
            "✓ revision     1: 1 added",
            "✓ 2/5 install  installing dependencies  1.0 s",
            "ready in 12.0 s  1,234 tokens in, 56 out, demo: free",
        ]
    );
    assert_eq!(narrator.status().0, None);
}

#[test]
fn an_unknown_cost_is_said_to_be_unknown() {
    let mut narrator = Narrator::new(None, true);
    let lines = shown(
        &mut narrator,
        &[
            at(0, started(false)),
            at(1, finished(pb::GenerationOutcome::Ready, None)),
        ],
    );
    let last = lines.last().unwrap();
    assert!(last.ends_with("cost unknown"), "{last}");
    assert!(!lines.iter().any(|line| line.contains("canned")));
}

#[test]
fn a_failed_step_shows_its_last_words() {
    let output: String = (1..=40).map(|n| format!("line {n}\n")).collect();
    let mut narrator = Narrator::new(Some("g".into()), false);
    let lines = shown(
        &mut narrator,
        &[
            at(
                0,
                Body::StepStarted(pb::StepStarted {
                    step: pb::StepKind::Probe.into(),
                    position: 4,
                    count: 5,
                    title: "asking for the page".into(),
                }),
            ),
            at(
                0,
                Body::StepOutput(pb::StepOutput {
                    step: pb::StepKind::Probe.into(),
                    text: output,
                }),
            ),
            at(
                1,
                Body::StepFinished(pb::StepFinished {
                    step: pb::StepKind::Probe.into(),
                    outcome: pb::StepOutcome::Failed.into(),
                    duration: None,
                    detail: "GET / answered 500".into(),
                }),
            ),
            at(2, finished(pb::GenerationOutcome::Failed, None)),
        ],
    );
    assert_eq!(lines[0], "failed 4/5 probe    asking for the page");
    assert_eq!(lines[1], "    GET / answered 500");
    assert_eq!(lines[2], "    line 29");
    assert_eq!(lines[2..14].len(), OUTPUT_LINES);
    assert_eq!(lines[13], "    line 40");
    assert!(lines[14].starts_with("failed"), "{}", lines[14]);
    assert_eq!(lines[15], "    what happened");
}

#[test]
fn another_generation_is_passed_over() {
    let mut other = at(0, started(true));
    other.generation_id = "other".into();
    let mut narrator = Narrator::new(Some("g".into()), true);
    assert_eq!(shown(&mut narrator, &[other]), Vec::<String>::new());
}

#[test]
fn figures_in_the_status_do_not_begin_its_time_anew() {
    let mut narrator = Narrator::new(Some("g".into()), true);
    narrator.event(&at(
        0,
        Body::FileStarted(pb::FileStarted {
            operation: 0,
            kind: pb::OperationKind::Write.into(),
            path: "a".into(),
        }),
    ));
    let before = narrator.status().1;
    narrator.event(&at(
        0,
        Body::FileDelta(pb::FileDelta {
            operation: 0,
            text: "x".repeat(1500),
        }),
    ));
    assert_eq!(narrator.status(), (Some("writing a (1.5 kB)"), before));
}

#[test]
fn prose_without_an_end_is_bounded() {
    let mut narrator = Narrator::new(None, true);
    let piece = at(
        0,
        Body::TextDelta(pb::TextDelta {
            text: "x".repeat(1000),
        }),
    );
    let lines: usize = (0..1000).map(|_| narrator.event(&piece).len()).sum();
    assert!(lines >= 190, "{lines}");
    assert!(narrator.prose.len() <= PROSE_MAX);
}
