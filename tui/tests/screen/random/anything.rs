//! A client and a daemon to which anything happens.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use kiln_proto::v1 as pb;
use kiln_proto::v1::event::Body;
use kiln_tui::client::Error;
use kiln_tui::client::link::{Report, State, Topic};
use kiln_tui::ingest;
use kiln_tui::model::Start;
use kiln_tui::model::settings::Settings;
use kiln_tui::msg::{Input, Local, Msg};
use kiln_tui::view::theme::Palette;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::drawn::Drawn;
use crate::support::client::{Client, start};
use crate::support::daemon::model;
use crate::support::hostile::{assert_own, payloads};
use crate::support::keys::key;
use crate::support::log::Log;
use crate::support::messages::{self, line, new_project, project, refusal};

/// Keys that do something somewhere; others are drawn from all characters.
const KEYS: &str = "ctrl-p ? f1 esc ctrl-c ctrl-z ctrl-l ctrl-r alt-m ctrl-t f2 f3 f4 up k down j \
    pageup pagedown ctrl-u ctrl-d home g end G left h right l / ctrl-f n N enter space y ctrl-n r \
    d delete o ctrl-o tab shift-tab alt-1 f5 alt-2 f6 alt-3 f7 i ctrl-y ctrl-x alt-s alt-r alt-p \
    alt-enter ctrl-j ctrl-up alt-up ctrl-down ctrl-g z [ ] x w f t s m S alt-u q backspace \
    ctrl-w ctrl-k ctrl-a ctrl-e ctrl-left ctrl-right alt-b alt-d alt-y alt-z ctrl-_";

/// One run: a client, and a daemon that does anything.
pub(super) struct Run {
    random: StdRng,
    pub(super) client: Client,
    payloads: Vec<String>,
    keys: Vec<KeyEvent>,
    /// The log of the open project, as far as it was sent.
    log: Option<(String, Log)>,
    /// What was done last, for whoever reads a failure.
    pub(super) last: VecDeque<String>,
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let palettes = [
            Palette::Terminal,
            Palette::Dark,
            Palette::Light,
            Palette::Plain,
        ];
        let settings = Settings {
            palette: *palettes.choose(&mut random).unwrap(),
            welcomed: random.random(),
            ..Settings::default()
        };
        let mut client = Client::with(
            (80, 24),
            Start {
                settings,
                ascii: random.random_bool(0.2),
                no_color: random.random_bool(0.2),
                ..start()
            },
        );
        client.daemon.models.models = (0..40)
            .map(|n| model(&format!("vendor/model-{n}"), n * 1_000, None))
            .collect();
        client.daemon.provider = pb::GetProviderResponse {
            source: pb::ProviderSource::Demo.into(),
            can_change: true,
            local_endpoints: vec![pb::LocalEndpoint::default()],
            ..pb::GetProviderResponse::default()
        };
        for n in 0..30 {
            let text = "const x = '漢字';\n".repeat(n * 3);
            client
                .daemon
                .files
                .insert(format!("src/{}/f{n}.tsx", n % 4), text.into_bytes());
        }
        client
            .daemon
            .files
            .insert("logo.png".to_owned(), vec![0xff, 0, 0x1b]);
        Self {
            random,
            client,
            payloads: payloads(),
            keys: KEYS.split_whitespace().map(key).collect(),
            log: None,
            last: VecDeque::new(),
        }
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.random).unwrap()
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn text(&mut self) -> String {
        let payload = self.below(self.payloads.len());
        match self.below(6) {
            0 => self.payloads[payload].clone(),
            1 => String::new(),
            2 => "漢字 and e\u{301} 👩‍💻\n".repeat(1 + payload % 5),
            3 => "a\n\n".repeat(payload),
            _ => format!("text {payload} of some words, `code` and **more**\n"),
        }
    }

    /// Does something.
    pub(super) fn step(&mut self) {
        let dice = self.below(100);
        match dice {
            0..45 => {
                let index = self.below(self.keys.len());
                let key = self.keys[index];
                self.input(Input::Key(key));
            }
            45..55 => {
                let c = if self.random.random_bool(0.7) {
                    self.random.random_range(' '..='~')
                } else {
                    self.random.random()
                };
                let modifiers = KeyModifiers::from_bits_truncate(self.any(&[0, 0, 0, 1, 2, 4, 6]));
                self.input(Input::Key(KeyEvent::new(KeyCode::Char(c), modifiers)));
            }
            55..63 => {
                let kind = self.any(&[
                    MouseEventKind::Down(MouseButton::Left),
                    MouseEventKind::Down(MouseButton::Left),
                    MouseEventKind::Down(MouseButton::Right),
                    MouseEventKind::ScrollUp,
                    MouseEventKind::ScrollDown,
                    MouseEventKind::Moved,
                ]);
                let (columns, rows) = self.client.model.size;
                // Also where there is nothing any more.
                let event = MouseEvent {
                    kind,
                    column: self.random.random_range(0..=columns + 2),
                    row: self.random.random_range(0..=rows + 2),
                    modifiers: KeyModifiers::NONE,
                };
                self.input(Input::Mouse(event));
            }
            63..66 => {
                let text = self.text();
                self.input(Input::Paste(text));
            }
            66..69 => {
                let size = match self.below(5) {
                    0 => (
                        self.random.random_range(1..45),
                        self.random.random_range(1..14),
                    ),
                    1 => self.any(&[(80, 24), (40, 10), (110, 30), (180, 50), (400, 200), (1, 1)]),
                    _ => (
                        self.random.random_range(40..230),
                        self.random.random_range(10..70),
                    ),
                };
                self.input(Input::Resize(size.0, size.1));
            }
            69 => {
                let focused = self.random.random();
                self.input(Input::Focus(focused));
            }
            70..73 => {
                let ms = self.any(&[0, 120, 1_000, 11_000]);
                self.client.wait(ms);
            }
            73..82 => self.answer(),
            82 => {
                let text = self.text();
                let local = match self.below(4) {
                    0 => Local::Edited(Ok(text)),
                    1 => Local::Edited(Err(text)),
                    2 => Local::Opened(Err(text)),
                    _ => Local::Saved(Ok(text)),
                };
                self.done(&format!("{local:.80?}"));
                self.client.local(local);
            }
            83..86 => self.connection(),
            86..89 => self.list(),
            89..92 => self.output(),
            _ => self.entries(),
        }
    }

    fn done(&mut self, what: &str) {
        self.last.push_back(what.chars().take(160).collect());
        if self.last.len() > 25 {
            self.last.pop_front();
        }
    }

    fn input(&mut self, input: Input) {
        self.done(&format!("{input:?}"));
        self.client.input(input);
    }

    fn report(&mut self, report: Report) {
        self.done(&format!("{report:?}"));
        self.client.report(report);
    }

    /// Answers a call, well or badly, late or never.
    fn answer(&mut self) {
        if self.client.calls.is_empty() {
            return;
        }
        let index = self.below(self.client.calls.len());
        let (id, call) = self.client.calls.swap_remove(index);
        let text = self.text();
        let result = match self.below(10) {
            0 => return,
            1 | 2 => Err(refusal(
                self.any(&["NOT_FOUND", "INTERNAL", "NO_REVISION"]),
                &text,
            )),
            _ => self.client.daemon.answer(&call),
        };
        self.done(&format!("answer to {call:?}: {}", result.is_ok()));
        let result = result.map_err(ingest::failure);
        self.client.take(Msg::Answered { id, result });
        // Some answers come twice.
        if self.below(20) == 0 {
            let result = self.client.daemon.answer(&call).map_err(ingest::failure);
            self.client.take(Msg::Answered { id, result });
        }
        if self.client.calls.len() > 50 {
            self.client.calls.clear();
        }
    }

    fn connection(&mut self) {
        let text = self.text();
        let report = match self.below(12) {
            0..6 => messages::hello(),
            6 => messages::hello_of(pb::GetServerInfoResponse::default(), &text),
            7 => messages::offline(3_000, 2),
            8 => Report::State(State::Connecting),
            9 => messages::sign_in_wanted(),
            10 => Report::State(State::Refused(Error::Protocol(text))),
            _ => {
                let Some(id) = self.client.model.workspace().map(|w| w.project.id.clone()) else {
                    return;
                };
                let life = self.client.model.workspace().map_or(0, |w| w.log_life);
                let topic = match self.below(3) {
                    0 => Topic::Projects,
                    1 => Topic::Project(id),
                    _ => Topic::Logs {
                        project_id: id,
                        life,
                    },
                };
                let reason = self.any(&["INTERNAL", "NOT_FOUND", "SANDBOX_STATE"]);
                let error = self.random.random_bool(0.7).then(|| refusal(reason, &text));
                Report::Ended { topic, error }
            }
        };
        self.report(report);
    }

    fn list(&mut self) {
        let count = self.any(&[0, 1, 3, 3, 40]);
        let mut list = Vec::new();
        for _ in 0..count {
            let id = format!("p{}", self.below(40));
            let name = self.text();
            let mut made = if self.random.random() {
                project(&id, &name)
            } else {
                new_project(&id, &name)
            };
            made.sandbox_state = self.random.random_range(0..7);
            made.agent_state = self.random.random_range(0..12);
            made.last_outcome = self.random.random_range(0..9);
            made.cost_micro_usd = self.random.random();
            made.update_time = Some(prost_types::Timestamp {
                seconds: self.any(&[0, 1_772_000_000, i64::MAX, i64::MIN]),
                nanos: self.any(&[0, 999_999_999, -1, i32::MIN]),
            });
            list.push(made);
        }
        let deleted = (self.below(10) == 0).then(|| format!("p{}", self.below(40)));
        let report = Report::Projects {
            fresh: self.random.random_bool(0.3),
            change: pb::WatchProjectsResponse {
                projects: list,
                deleted_project_ids: deleted.into_iter().collect(),
                initial_list_complete: self.random.random(),
            },
        };
        self.report(report);
    }

    fn output(&mut self) {
        let Some(workspace) = self.client.model.workspace() else {
            return;
        };
        let (id, life) = (workspace.project.id.clone(), workspace.log_life);
        let mut lines = Vec::new();
        for _ in 0..self.below(30) {
            let text = self.text();
            let number = self.any(&[1, 2, 3, 50, 1_000, -1]);
            let stream = self.any(&[
                pb::LogStream::Stdout,
                pb::LogStream::Stderr,
                pb::LogStream::System,
                pb::LogStream::Unspecified,
            ]);
            lines.push(line(number, stream, &text));
        }
        let dropped = self.any(&[0, 0, 7, i64::MAX, -5]);
        self.report(messages::lines(&id, life, lines, dropped));
    }

    /// Entries of the log of the open project; some of them come as they never
    /// should.
    fn entries(&mut self) {
        let Some(workspace) = self.client.model.workspace() else {
            return;
        };
        let id = workspace.project.id.clone();
        let is_new = workspace.conversation.last_sequence() == 0;
        if is_new || self.log.as_ref().is_none_or(|(of, _)| *of != id) {
            self.log = Some((id.clone(), Log::new(&id)));
        }
        let Some((_, mut log)) = self.log.take() else {
            return;
        };
        log.now_ms = self.client.now_ms;
        for _ in 0..=self.below(6) {
            self.entry(&mut log);
        }
        let head = if self.random.random_bool(0.9) {
            log.head()
        } else {
            self.any(&[0, i64::MAX, -1])
        };
        let mut report = log.report_with_head(head);
        self.log = Some((id, log));
        if let Report::Project { id, batch } = &mut report {
            match self.below(30) {
                0 => batch.events.reverse(),
                1 => "somebody else's".clone_into(id),
                2 => {
                    for event in &mut batch.events {
                        event.sequence = self.random.random_range(-3..30);
                    }
                }
                3 => {
                    for event in &mut batch.events {
                        event.generation_id.clear();
                        event.time = None;
                    }
                }
                _ => {}
            }
        }
        self.report(report);
    }

    fn entry(&mut self, log: &mut Log) {
        let text = self.text();
        let kind = |run: &mut Self, end| run.random.random_range(0..end);
        match self.below(18) {
            0 | 1 => log.prompt(&text),
            2 => log.says(&text),
            3 => log.says("```rust\nfn main() {\n"),
            4 => log.file(&text, &text),
            5 => {
                let kind = self.any(&[pb::OperationKind::Write, pb::OperationKind::Edit]);
                log.begins("src/App.tsx", kind)
            }
            6 => log.writes(&text),
            7 => log.writes("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"),
            8 => {
                let kind = pb::OperationKind::try_from(kind(self, 7)).unwrap_or_default();
                log.operation(kind, &text, &text)
            }
            9 => log.attempt_ends(&text),
            10 => log.revision(3, &[(&text, pb::FileChangeKind::Added)]),
            11 => {
                let position = self.any(&[1, 2, 3, 6, 0, -1, i32::MAX]);
                log.step(pb::StepKind::Install, position, &text)
            }
            12 => log.step_says(pb::StepKind::Install, &text),
            13 => {
                let outcome = self.any(&[pb::StepOutcome::Passed, pb::StepOutcome::Failed]);
                log.step_ends(pb::StepKind::Install, outcome, 1_200, &text)
            }
            14 => {
                let usage = pb::Usage {
                    prompt_tokens: self.any(&[0, 5, i64::MAX, -1]),
                    completion_tokens: self.any(&[0, 5, i64::MAX, -1]),
                    cost_micro_usd: self.any(&[None, Some(0), Some(i64::MAX), Some(-1)]),
                    estimated: self.random.random(),
                };
                log.ends_with(pb::GenerationFinished {
                    outcome: kind(self, 8),
                    message: text.clone(),
                    usage: Some(usage),
                    preview_url: text,
                    ..pb::GenerationFinished::default()
                })
            }
            15 => log.aside(Body::SandboxStateChanged(pb::SandboxStateChanged {
                state: kind(self, 7),
                detail: text,
            })),
            16 if self.below(20) == 0 => log.aside(Body::ProjectDeleted(pb::ProjectDeleted {})),
            _ => log.push(Body::GenerationStateChanged(pb::GenerationStateChanged {
                state: kind(self, 12),
            })),
        };
    }

    pub(super) fn draw(&mut self, drawn: &mut Drawn) {
        let bytes = self.client.draw().bytes();
        assert_own(&bytes);
        assert!(!self.client.model.ascii || bytes.is_ascii());
        self.client.screen().forget_bytes();
        drawn.note(&self.client);
    }
}
