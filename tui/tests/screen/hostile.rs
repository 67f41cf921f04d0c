//! Whatever others wrote, only the client's own bytes reach the terminal.
//!
//! Hostile text goes in where it really does: in the daemon's messages, before
//! they are cleaned, and in what is pasted. Every byte that the backend writes is
//! looked at.

use std::collections::BTreeSet;

use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_proto::v1::{FileChangeKind, GenerationOutcome, OperationKind, StepKind, StepOutcome};
use kiln_tui::client::Error;
use kiln_tui::client::link::{Report, State, Topic};
use kiln_tui::effect::Effect;
use kiln_tui::msg::Local;
use prost::Message;

use crate::support::client::{Client, start};
use crate::support::daemon::model;
use crate::support::hostile::{assert_own, payloads};
use crate::support::log::Log;
use crate::support::messages::{self, line, project, refusal};
use kiln_tui::model::Start;

/// A client that is looked at again and again, and what was seen on the way.
struct Watched {
    client: Client,
    text: String,
    /// Words of which at least one begins each hostile text.
    seen: BTreeSet<&'static str>,
}

/// What the texts begin with, so that a text that is never drawn is noticed.
const TAGS: [&str; 25] = [
    "Name:", "User:", "Prompt:", "Prose:", "Code:", "Path:", "Content:", "Rename:", "Package:",
    "Title:", "Output:", "Detail:", "Attempt:", "Ending:", "Url:", "Stdout:", "Stderr:", "Model:",
    "Warning:", "Base:", "Found:", "Failure:", "Docker:", "Gone:", "Local:",
];

impl Watched {
    fn new(size: (u16, u16), payload: &str, ascii: bool) -> Self {
        Self {
            client: Client::with(size, Start { ascii, ..start() }),
            text: payload.to_owned(),
            seen: BTreeSet::new(),
        }
    }

    fn tagged(&self, tag: &str) -> String {
        assert!(TAGS.contains(&tag), "{tag}");
        format!("{tag}{}", self.text)
    }

    fn look(&mut self) {
        let screen = self.client.draw();
        let text = screen.text();
        self.seen
            .extend(TAGS.iter().filter(|tag| text.contains(**tag)));
        let bytes = screen.bytes();
        assert_own(&bytes);
        assert!(!self.client.model.ascii || bytes.is_ascii(), "{text}");
        self.client.screen().forget_bytes();
    }

    fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            self.client.press(key);
            self.client.settle();
            self.look();
        }
    }

    fn report(&mut self, report: Report) {
        self.client.report(report);
        self.client.settle();
        self.look();
    }

    fn refuse(&mut self, reason: &str) {
        let message = self.tagged("Failure:");
        self.client.refuse(refusal(reason, &message));
        self.look();
    }
}

fn project_of(watched: &Watched) -> pb::Project {
    pb::Project {
        name: watched.tagged("Name:"),
        default_model: watched.tagged("Model:"),
        preview_url: watched.tagged("Url:"),
        ..project(&format!("id{}", watched.text), "")
    }
}

/// Lists, first question, models.
fn around(watched: &mut Watched) {
    let offline = |watched: &Watched| {
        Report::State(State::Waiting {
            error: Error::Interrupted(watched.tagged("Failure:")),
            wait: std::time::Duration::from_secs(3),
            attempt: 2,
        })
    };
    watched.look();
    watched.report(offline(watched));
    watched.client.daemon.provider = pb::GetProviderResponse {
        provider: Some(pb::ProviderStatus {
            base_url: watched.tagged("Base:"),
            ..pb::ProviderStatus::default()
        }),
        source: pb::ProviderSource::Chosen.into(),
        can_change: true,
        detail: watched.text.clone(),
        local_endpoints: vec![pb::LocalEndpoint {
            base_url: watched.text.clone(),
            name: watched.tagged("Found:"),
            model_count: 3,
        }],
    };
    watched.client.daemon.models = pb::ListModelsResponse {
        models: vec![pb::Model {
            name: watched.text.clone(),
            roles: vec![watched.text.clone()],
            ..model(&watched.tagged("Model:"), 1_000, None)
        }],
        warning: watched.tagged("Warning:"),
        ..pb::ListModelsResponse::default()
    };
    let server = pb::GetServerInfoResponse {
        version: watched.text.clone(),
        docker: Some(pb::ComponentStatus {
            available: false,
            version: watched.text.clone(),
            detail: watched.tagged("Docker:"),
        }),
        provider: Some(pb::ProviderStatus {
            base_url: watched.text.clone(),
            default_model: watched.tagged("Model:"),
            ..pb::ProviderStatus::default()
        }),
        sign_up: watched.text.clone(),
        ..pb::GetServerInfoResponse::default()
    };
    let user = watched.tagged("User:");
    watched.report(messages::hello_of(server, &user));
    let listed = project_of(watched);
    watched.report(messages::projects(vec![listed]));
    watched.press("r esc d esc alt-m esc f2 esc f4 esc ? esc ctrl-p esc /");
    watched.client.paste(&watched.text.clone());
    watched.look();
    watched.press("esc n");
    watched.client.paste(&watched.text.clone());
    watched.press("tab");
    watched.client.paste(&watched.text.clone());
    watched.look();
    watched.client.press("enter");
    if !watched.client.calls.is_empty() {
        watched.refuse("STORAGE_FULL");
    }
    watched.press("esc ctrl-p");
    watched.client.write("models come from");
    watched.press("enter down enter");
    watched.press("ctrl-p");
    watched.client.write("models come from");
    watched.client.press("enter");
    watched.client.settle();
    watched.client.press("down enter");
    watched.refuse("PROVIDER_UNREACHABLE");
    watched.press("esc");
    watched.report(Report::State(State::Refused(Error::Protocol(
        watched.text.clone(),
    ))));
    watched.report(messages::hello());
}

/// Everything in a workspace.
fn inside(watched: &mut Watched) {
    let text = watched.text.clone();
    let path = format!("{}.tsx", watched.tagged("Path:").replace('/', "_"));
    let content = watched.tagged("Content:");
    watched.client.daemon.files = [
        (
            path.clone(),
            format!("{content}\n/*{text}*/\n").into_bytes(),
        ),
        (format!("{text}/deep/{text}"), text.clone().into_bytes()),
        (
            "binary".to_owned(),
            vec![0xff, 0xfe, 0x1b, b'[', b'2', b'J', 0xc0, 0xaf],
        ),
    ]
    .into();
    let listed = project_of(watched);
    let id = listed.id.clone();
    watched.report(messages::projects(vec![listed]));
    watched.press("enter");

    let mut log = Log::new(&kiln_tui::ingest::name(&id));
    log.prompt_to(&watched.tagged("Prompt:"), &text, false)
        .says(&watched.tagged("Prose:"))
        .says(&format!(
            "\n\n# {text}\n\n- {text}\n\n`{text}` **{text}** [{text}](https://{text})\n\n"
        ))
        .says(&format!(
            "| {text} | b |\n|---|---|\n| {text} | c |\n\n```tsx\n{}\n```\n\n",
            watched.tagged("Code:")
        ))
        // A sequence in two pieces, and a line end in two.
        .says("half \u{1b}")
        .says("[2J of one\r")
        .says("\nand \r")
        .says("more\n")
        .file(&path, &format!("{content}\n<<<<<<< SEARCH\n{text}\n"))
        .operation(OperationKind::Rename, &watched.tagged("Rename:"), &text)
        .operation(
            OperationKind::AddDependency,
            &watched.tagged("Package:"),
            &text,
        )
        .operation(OperationKind::Delete, &text, "")
        .operation(OperationKind::Read, &text, "");
    watched.client.now_ms = log.now_ms;
    watched.report(log.report());
    watched.press("alt-1 z g pagedown pagedown G");
    log.begins(&path, OperationKind::Edit).writes(&content);
    watched.report(log.report());
    watched.press("alt-2");
    log.attempt_ends(&watched.tagged("Attempt:"))
        .revision(
            1,
            &[
                (path.as_str(), FileChangeKind::Added),
                (text.as_str(), FileChangeKind::Deleted),
            ],
        )
        .step(StepKind::Install, 3, &watched.tagged("Title:"));
    watched.report(log.report());
    watched.press("alt-1 z G");
    log.step_says(StepKind::Install, &watched.tagged("Output:"))
        .step_ends(
            StepKind::Install,
            StepOutcome::Failed,
            40,
            &watched.tagged("Detail:"),
        )
        .ends_with(pb::GenerationFinished {
            outcome: GenerationOutcome::Failed.into(),
            message: watched.tagged("Ending:"),
            preview_url: text.clone(),
            ..pb::GenerationFinished::default()
        });
    watched.report(log.report());
    log.aside(Body::SandboxStateChanged(pb::SandboxStateChanged {
        state: pb::SandboxState::Failed.into(),
        detail: watched.tagged("Gone:"),
    }));
    watched.report(log.report());
    watched.press("alt-1 z G pageup pageup pageup g");

    // Its files.
    watched.press("alt-2 down down down down down down enter w right x");
    watched.client.press("up up up up up up");
    watched.press("right down enter x down enter x down enter x down enter f4 esc /");
    watched.client.paste(&text);
    watched.press("enter");

    // Its output, and why there is no more.
    let life = watched.client.model.workspace().unwrap().log_life;
    let shown = kiln_tui::ingest::name(&id);
    watched.report(messages::lines(
        &shown,
        life,
        vec![
            line(1, pb::LogStream::Stdout, &watched.tagged("Stdout:")),
            line(2, pb::LogStream::Stderr, &watched.tagged("Stderr:")),
            line(3, pb::LogStream::System, &text),
        ],
        4,
    ));
    watched.press("alt-3 w t right s s s s S esc");
    watched.report(Report::Ended {
        topic: Topic::Logs {
            project_id: shown.clone(),
            life,
        },
        error: Some(refusal("INTERNAL", &watched.tagged("Failure:"))),
    });

    // What is typed and what this machine says.
    watched.press("i");
    watched.client.paste(&text);
    watched.look();
    let edited = Local::Edited(Ok(text.clone()));
    for local in [
        edited,
        Local::Opened(Err(watched.tagged("Local:"))),
        Local::Saved(Ok(text.clone())),
        Local::Edited(Err(text.clone())),
    ] {
        watched.client.local(local);
        watched.look();
    }
    watched.client.press("enter");
    if !watched.client.calls.is_empty() {
        watched.refuse("NO_PROVIDER_KEY");
    }
    watched.client.press("alt-s");
    watched.refuse("DOCKER_UNAVAILABLE");
    watched.press("ctrl-y alt-m esc f4 y esc");
    watched.report(Report::Ended {
        topic: Topic::Project(shown),
        error: Some(refusal("INTERNAL", &watched.tagged("Failure:"))),
    });
    watched.press("esc esc esc");
    watched.report(Report::State(State::SignIn(refusal(
        "BAD_CREDENTIALS",
        &text,
    ))));
    watched.client.paste(&text);
    watched.press("tab");
    watched.client.paste(&text);
    watched.client.press("enter");
    if !watched.client.calls.is_empty() {
        watched.refuse("BAD_CREDENTIALS");
    }
    watched.press("alt-u f4 esc");
}

fn all_places(size: (u16, u16), ascii: bool) {
    let mut seen = BTreeSet::new();
    for payload in payloads() {
        let mut watched = Watched::new(size, &payload, ascii);
        around(&mut watched);
        inside(&mut watched);
        seen.append(&mut watched.seen);
    }
    if size.0 < 100 {
        // There is no room for it.
        seen.insert("User:");
    }
    let unseen: Vec<_> = TAGS.iter().filter(|tag| !seen.contains(**tag)).collect();
    assert!(unseen.is_empty(), "never drawn: {unseen:?}");
}

#[test]
fn only_own_bytes_in_a_small_terminal() {
    all_places((80, 24), false);
}

#[test]
fn only_own_bytes_where_everything_is_seen_at_once() {
    all_places((200, 60), false);
}

/// Where only ASCII can be shown, nothing else is written.
#[test]
fn only_ascii_where_only_that_can_be_shown() {
    all_places((120, 40), true);
}

/// Bytes that are no UTF-8, and overlong forms of what is: a message with them in
/// a text is no message, so they never come as far as a screen.
#[test]
fn what_is_no_utf_8_is_no_message() {
    for bad in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x9b2J",
    ] {
        let good = pb::LogLine {
            text: "x".repeat(bad.len()),
            ..pb::LogLine::default()
        };
        let mut bytes = good.encode_to_vec();
        assert!(pb::LogLine::decode(&bytes[..]).is_ok());
        let at = bytes.len() - bad.len();
        bytes[at..].copy_from_slice(bad);
        assert!(pb::LogLine::decode(&bytes[..]).is_err(), "{bad:x?}");
    }
}

/// The clipboard is set by the user's key, through an effect: nothing that is
/// drawn does it.
#[test]
fn the_clipboard_is_an_effect_of_a_key() {
    let mut client = Client::online((80, 24), vec![project("p", "\x1b]52;c;aGk=\x07")]);
    client.press("enter");
    let mut log = Log::new("p");
    log.prompt("\x1b]52;c;aGk=\x07").says("\x1b]52;c;aGk=\x07");
    client.report(log.report());
    client.settle();
    client.draw();
    let is_copy = |effect: &Effect| matches!(effect, Effect::Clipboard(_));
    assert!(!client.wanted(is_copy));
    client.press("alt-1 G y");
    client.draw();
    let copied = client.effects.iter().find_map(|effect| match effect {
        Effect::Clipboard(text) => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(copied, Some("^[]52;c;aGk=^G"));
    assert_own(&client.draw().bytes());
}
