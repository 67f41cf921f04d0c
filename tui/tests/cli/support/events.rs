//! Events of a generation, as the daemon writes them.

use kiln_proto::v1 as pb;
use pb::event::Body;

/// The generation of the tests.
pub(crate) const GENERATION: &str = "0193a7c2-aaaa-7000-8000-000000000001";
/// Its preview.
pub(crate) const PREVIEW: &str = "http://127.0.0.1:4100";

pub(crate) fn event(body: Body) -> pb::Event {
    pb::Event {
        time: Some(prost_types::Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        }),
        generation_id: GENERATION.into(),
        body: Some(body),
        ..pb::Event::default()
    }
}

pub(crate) fn started() -> pb::Event {
    event(Body::GenerationStarted(pb::GenerationStarted {
        prompt: "a todo list".into(),
        model: "demo/kiln".into(),
        demo: true,
        user_id: String::new(),
    }))
}

pub(crate) fn text(text: &str) -> pb::Event {
    event(Body::TextDelta(pb::TextDelta { text: text.into() }))
}

pub(crate) fn finished(outcome: pb::GenerationOutcome, cost: Option<i64>) -> pb::Event {
    event(Body::GenerationFinished(pb::GenerationFinished {
        outcome: outcome.into(),
        message: "in the daemon's own words".into(),
        revision_id: "0193a7c2-bbbb-7000-8000-000000000001".into(),
        usage: Some(pb::Usage {
            prompt_tokens: 1200,
            completion_tokens: 345,
            cost_micro_usd: cost,
            estimated: false,
        }),
        attempts: 1,
        preview_url: if outcome == pb::GenerationOutcome::Ready {
            PREVIEW.into()
        } else {
            String::new()
        },
        ..pb::GenerationFinished::default()
    }))
}

/// A generation that writes one file and becomes ready.
pub(crate) fn ready() -> Vec<pb::Event> {
    vec![
        started(),
        text("Here is "),
        text("your app.\n"),
        event(Body::FileStarted(pb::FileStarted {
            operation: 0,
            kind: pb::OperationKind::Write.into(),
            path: "src/App.tsx".into(),
        })),
        event(Body::FileFinished(pb::FileFinished {
            operation: 0,
            size_bytes: 2100,
        })),
        event(Body::StepStarted(pb::StepStarted {
            step: pb::StepKind::Install.into(),
            position: 1,
            count: 2,
            title: "installing".into(),
        })),
        event(Body::StepFinished(pb::StepFinished {
            step: pb::StepKind::Install.into(),
            outcome: pb::StepOutcome::Passed.into(),
            duration: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            detail: String::new(),
        })),
        finished(pb::GenerationOutcome::Ready, Some(0)),
    ]
}
