//! Messages of the daemon, as they come over the wire: not cleaned.

use std::time::Duration;

use kiln_proto::v1 as pb;
use kiln_tui::client::error::{Refusal, UnreachableKind};
use kiln_tui::client::link::{Hello, Report, State};
use kiln_tui::client::logs::LogBatch;
use kiln_tui::client::{Address, Error};
use prost_types::Timestamp;

/// The first moment of every test: the first of March 2026, noon.
pub(crate) const NOW_MS: i64 = 1_772_366_400_000;

/// A moment.
pub(crate) fn time(ms: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap(),
    })
}

/// A project that is ready and runs, changed two hours ago.
pub(crate) fn project(id: &str, name: &str) -> pb::Project {
    pb::Project {
        id: id.to_owned(),
        name: name.to_owned(),
        template: "react-vite".to_owned(),
        update_time: time(NOW_MS - 2 * 3_600_000),
        agent_state: pb::GenerationState::Finished.into(),
        last_outcome: pb::GenerationOutcome::Ready.into(),
        head_revision_id: "0198c5a2-0000-7000-8000-00000000cafe".to_owned(),
        sandbox_state: pb::SandboxState::Running.into(),
        preview_url: "http://127.0.0.1:5301".to_owned(),
        cost_micro_usd: 41_200,
        ..pb::Project::default()
    }
}

/// A project to which nothing happened yet.
pub(crate) fn new_project(id: &str, name: &str) -> pb::Project {
    pb::Project {
        id: id.to_owned(),
        name: name.to_owned(),
        template: "react-vite".to_owned(),
        update_time: time(NOW_MS - 30_000),
        ..pb::Project::default()
    }
}

/// The whole list of projects.
pub(crate) fn projects(projects: Vec<pb::Project>) -> Report {
    Report::Projects {
        fresh: true,
        change: pb::WatchProjectsResponse {
            projects,
            deleted_project_ids: Vec::new(),
            initial_list_complete: true,
        },
    }
}

/// What the daemon says first.
pub(crate) fn hello() -> Report {
    let provider = pb::ProviderStatus {
        base_url: "https://openrouter.ai/api/v1".to_owned(),
        has_key: true,
        demo_only: false,
        default_model: "anthropic/claude-sonnet-4.5".to_owned(),
    };
    hello_of(
        pb::GetServerInfoResponse {
            version: "0.1.0".to_owned(),
            docker: Some(pb::ComponentStatus {
                available: true,
                version: "28.0".to_owned(),
                detail: String::new(),
            }),
            provider: Some(provider),
            sign_up: "invite".to_owned(),
            ..pb::GetServerInfoResponse::default()
        },
        "Ada",
    )
}

/// What some daemon says first, to somebody.
pub(crate) fn hello_of(server: pb::GetServerInfoResponse, name: &str) -> Report {
    let user = pb::User {
        email: "ada@example.com".to_owned(),
        display_name: name.to_owned(),
        owner: true,
        ..pb::User::default()
    };
    Report::State(State::Online(Box::new(Hello { server, user })))
}

/// Where the daemon of these tests is.
pub(crate) fn address() -> Address {
    Address::parse("unix:/run/kiln/kilnd.sock").unwrap()
}

/// Nobody answers; it is tried again in `wait_ms`.
pub(crate) fn offline(wait_ms: u64, attempt: u32) -> Report {
    Report::State(State::Waiting {
        error: Error::Unreachable {
            address: address(),
            cause: "connection refused".to_owned(),
            kind: UnreachableKind::NoDaemon,
        },
        wait: Duration::from_millis(wait_ms),
        attempt,
    })
}

/// The daemon refuses, for a reason of the schema.
pub(crate) fn refusal(reason: &str, message: &str) -> Error {
    Error::Refused(Box::new(Refusal {
        code: "FAILED_PRECONDITION",
        reason: Some(reason.to_owned()),
        message: message.to_owned(),
        metadata: [].into(),
        violations: Vec::new(),
        retry_after: None,
        retryable: false,
    }))
}

/// The daemon wants to know who is there.
pub(crate) fn sign_in_wanted() -> Report {
    Report::State(State::SignIn(Error::NotSignedIn {
        address: Address::parse("https://kiln.example.com").unwrap(),
        why: "there is no session for this server".to_owned(),
        reason: "AUTH_REQUIRED".to_owned(),
    }))
}

/// The session that was there has ended.
pub(crate) fn session_expired() -> Report {
    Report::State(State::SignIn(Error::NotSignedIn {
        address: Address::parse("https://kiln.example.com").unwrap(),
        why: "the session has expired".to_owned(),
        reason: "SESSION_EXPIRED".to_owned(),
    }))
}

/// A line of the sandbox.
pub(crate) fn line(number: i64, stream: pb::LogStream, text: &str) -> pb::LogLine {
    pb::LogLine {
        number,
        time: time(NOW_MS + number * 250),
        stream: stream.into(),
        text: text.to_owned(),
    }
}

/// Lines of the sandbox that came together.
pub(crate) fn lines(project_id: &str, life: u64, lines: Vec<pb::LogLine>, dropped: i64) -> Report {
    Report::Logs {
        project_id: project_id.to_owned(),
        life,
        batch: LogBatch { lines, dropped },
    }
}
