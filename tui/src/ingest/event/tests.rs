use kiln_proto::v1 as pb;

use super::*;
use crate::model::project::Sandbox;

fn of(body: Raw) -> Body {
    event(pb::Event {
        body: Some(body),
        ..pb::Event::default()
    })
    .body
}

fn text(delta: &str) -> Delta {
    match of(Raw::TextDelta(pb::TextDelta { text: delta.into() })) {
        Body::Text(delta) => delta,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_keeps_its_place_and_time() {
    let raw = pb::Event {
        sequence: 7,
        time: Some(prost_types::Timestamp {
            seconds: 2,
            nanos: 5_000_000,
        }),
        generation_id: "g".into(),
        body: None,
    };
    assert_eq!(
        event(raw),
        Event {
            sequence: 7,
            time_ms: 2_005,
            generation_id: "g".into(),
            body: Body::Other,
        }
    );
}

#[test]
fn a_line_end_may_lie_between_two_pieces() {
    assert_eq!(
        text("a\r"),
        Delta {
            text: "a".into(),
            begins_line: false,
            held_return: true
        }
    );
    assert_eq!(
        text("\nb"),
        Delta {
            text: "\nb".into(),
            begins_line: true,
            held_return: false
        }
    );
    assert_eq!(text("a\r\nb").text, "a\nb");
    assert_eq!(text("a\rb").text, "a^Mb", "in the middle it is shown");
}

#[test]
fn text_of_the_model_is_cleaned_and_its_lines_stay() {
    assert_eq!(text("a\x1b[2J\nb\u{202e}").text, "a^[[2J\nb\u{fffd}");
    let prompt = of(Raw::GenerationStarted(pb::GenerationStarted {
        prompt: "a\nb\x07".into(),
        model: "m\nn".into(),
        demo: true,
        user_id: String::new(),
    }));
    assert_eq!(
        prompt,
        Body::GenerationStarted {
            prompt: "a\nb^G".into(),
            model: "m^Jn".into(),
            demo: true
        }
    );
}

#[test]
fn sentences_are_one_line_and_have_an_end() {
    let failed = of(Raw::StepFinished(pb::StepFinished {
        step: pb::StepKind::Check.into(),
        outcome: pb::StepOutcome::Failed.into(),
        duration: None,
        detail: format!("first\nsecond {}", "x".repeat(5_000)),
    }));
    let Body::StepFinished {
        detail,
        duration,
        outcome,
        step,
    } = failed
    else {
        panic!("{failed:?}");
    };
    assert_eq!((step, outcome), (Step::Check, Outcome::Failed));
    assert_eq!(duration, Duration::ZERO);
    assert!(detail.starts_with("first second x"));
    assert_eq!(detail.chars().count(), 2_001);
    assert!(detail.ends_with('…'));
}

#[test]
fn output_of_a_step_loses_its_colours() {
    let output = of(Raw::StepOutput(pb::StepOutput {
        step: pb::StepKind::Install.into(),
        text: "\x1b[32madded\x1b[0m 3\r\nx\x1b]0;t\x07\n".into(),
    }));
    assert_eq!(
        output,
        Body::StepOutput {
            step: Step::Install,
            text: "added 3\nx^[]0;t^G\n".into()
        }
    );
}

#[test]
fn operations_say_what_they_concern() {
    let received = |kind: pb::OperationKind| {
        of(Raw::OperationReceived(pb::OperationReceived {
            operation: 1,
            kind: kind.into(),
            path: "a\x1b".into(),
            new_path: "b".into(),
            packages: vec!["c\n".into()],
        }))
    };
    use crate::model::event::Operation;
    assert_eq!(
        received(pb::OperationKind::Rename),
        Body::Operation(Operation::Rename {
            from: "a^[".into(),
            to: "b".into()
        })
    );
    assert_eq!(
        received(pb::OperationKind::Delete),
        Body::Operation(Operation::Delete("a^[".into()))
    );
    assert_eq!(
        received(pb::OperationKind::AddDependency),
        Body::Operation(Operation::AddDependency(vec!["c^J".into()]))
    );
    assert_eq!(
        received(pb::OperationKind::Read),
        Body::Operation(Operation::Read("a^[".into()))
    );
}

/// What a later daemon may send is taken as the nearest thing that is known.
#[test]
fn what_is_not_known_is_no_fault() {
    assert_eq!(
        of(Raw::GenerationStateChanged(pb::GenerationStateChanged {
            state: 99
        })),
        Body::StateChanged(State::Preparing)
    );
    assert_eq!(
        of(Raw::SandboxStateChanged(pb::SandboxStateChanged {
            state: 99,
            detail: String::new()
        })),
        Body::SandboxStateChanged {
            state: Sandbox::Stopped,
            detail: String::new()
        }
    );
    let Body::GenerationFinished(finish) = of(Raw::GenerationFinished(pb::GenerationFinished {
        outcome: 99,
        ..pb::GenerationFinished::default()
    })) else {
        panic!("no end");
    };
    assert_eq!(finish.outcome, crate::model::event::Ended::Failed);
    assert!(!finish.spent.is_any());
    assert_eq!(
        finish.spent.cost_micro_usd, None,
        "not known is not nothing"
    );
}

#[test]
fn nobody_uses_less_than_nothing() {
    let Body::GenerationFinished(finish) = of(Raw::GenerationFinished(pb::GenerationFinished {
        usage: Some(pb::Usage {
            prompt_tokens: -5,
            completion_tokens: i64::MAX,
            cost_micro_usd: Some(-1),
            estimated: true,
        }),
        ..pb::GenerationFinished::default()
    })) else {
        panic!("no end");
    };
    assert_eq!(
        finish.spent,
        Spent {
            prompt_tokens: 0,
            completion_tokens: i64::MAX,
            cost_micro_usd: None,
            estimated: true
        }
    );
}
