//! The list of projects.

use kiln_proto::v1 as pb;
use kiln_tui::client::link::{Report, State};
use kiln_tui::model::Start;
use kiln_tui::model::settings::Settings;
use kiln_tui::view::theme::Palette;

use super::{looks, seen, seen_drawn_to};
use crate::support::client::{Client, start};
use crate::support::messages::{self, NOW_MS, new_project, project, refusal, time};

/// One of each kind.
pub(crate) fn a_few() -> Vec<pb::Project> {
    let finished = |id: &str, name: &str, outcome: pb::GenerationOutcome, hours: i64| pb::Project {
        last_outcome: outcome.into(),
        sandbox_state: pb::SandboxState::Stopped.into(),
        update_time: time(NOW_MS - hours * 3_600_000),
        ..project(id, name)
    };
    let mut list = vec![
        project("p1", "Todo list with due dates"),
        new_project("p2", "pomodoro timer"),
        pb::Project {
            agent_state: pb::GenerationState::Generating.into(),
            update_time: time(NOW_MS - 4_000),
            default_model: "openai/gpt-5.1-codex".to_owned(),
            ..project(
                "p3",
                "A kanban board for a small team that ships on Fridays, with swim lanes",
            )
        },
        pb::Project {
            agent_state: pb::GenerationState::Installing.into(),
            update_time: time(NOW_MS - 9_000),
            cost_micro_usd: 0,
            ..project("p4", "markdown notes")
        },
    ];
    list.extend([
        finished("p5", "invoice maker", pb::GenerationOutcome::Failed, 5),
        finished("p6", "habit tracker", pb::GenerationOutcome::Cancelled, 30),
        finished(
            "p7",
            "recipe box",
            pb::GenerationOutcome::Interrupted,
            24 * 40,
        ),
        finished("p8", "chess clock", pb::GenerationOutcome::Ready, 24 * 400),
    ]);
    list
}

fn many() -> Vec<pb::Project> {
    (0..300)
        .map(|n| pb::Project {
            update_time: time(NOW_MS - n * 3_600_000),
            ..project(&format!("p{n}"), &format!("project number {n}"))
        })
        .collect()
}

#[test]
fn loading() {
    seen("projects_loading", Client::new);
}

#[test]
fn empty() {
    seen("projects_empty", |size| Client::online(size, Vec::new()));
}

#[test]
fn few() {
    seen("projects_few", |size| Client::online(size, a_few()));
    looks("projects_few", Client::online((120, 40), a_few()));
}

#[test]
fn long_list_in_the_middle() {
    seen("projects_long", |size| {
        let mut client = Client::online(size, many());
        client.press("pagedown pagedown pagedown down");
        client
    });
}

#[test]
fn filtered() {
    seen("projects_filtered", |size| {
        let mut client = Client::online(size, a_few());
        client.press("/");
        client.write("no");
        client
    });
}

#[test]
fn filter_without_a_match() {
    seen("projects_no_match", |size| {
        let mut client = Client::online(size, a_few());
        client.press("/");
        client.write("spreadsheet");
        client
    });
}

#[test]
fn offline_from_the_start() {
    seen("projects_offline_from_the_start", |size| {
        let mut client = Client::new(size);
        client.report(messages::offline(4_000, 3));
        client.wait(1_500);
        client
    });
}

#[test]
fn offline_later() {
    seen("projects_offline_later", |size| {
        let mut client = Client::online(size, a_few());
        client.report(messages::offline(500, 1));
        client
    });
}

#[test]
fn refused() {
    seen("projects_refused", |size| {
        let mut client = Client::new(size);
        client.report(Report::State(State::Refused(refusal(
            "METHOD_UNKNOWN",
            "kilnd does not know this method",
        ))));
        client
    });
}

#[test]
fn without_docker() {
    seen_drawn_to("projects_without_docker", {
        let mut client = Client::new((80, 24));
        client.report(messages::hello_of(
            pb::GetServerInfoResponse {
                docker: Some(pb::ComponentStatus {
                    available: false,
                    version: String::new(),
                    detail: "no such file: /var/run/docker.sock".to_owned(),
                }),
                ..pb::GetServerInfoResponse::default()
            },
            "Ada",
        ));
        client.report(messages::projects(a_few()));
        client
    });
}

#[test]
fn demo_only() {
    seen_drawn_to("projects_demo_only", {
        let mut client = Client::new((80, 24));
        client.report(messages::hello_of(
            pb::GetServerInfoResponse {
                provider: Some(pb::ProviderStatus {
                    demo_only: true,
                    default_model: "demo/kiln".to_owned(),
                    ..pb::ProviderStatus::default()
                }),
                ..pb::GetServerInfoResponse::default()
            },
            "Ada",
        ));
        client.report(messages::projects(Vec::new()));
        client
    });
}

#[test]
fn wide_characters() {
    seen("projects_wide", |size| {
        let mut list = vec![
            project("p1", "期限つきのやることリスト"),
            project("p2", "한국어 메모장 앱"),
            project("p3", "🍅 pomodoro 👩‍💻 with emoji ✅ 🇫🇷"),
            project("p4", "Ünïcödé — naïve café e\u{301}"),
            project(
                "p5",
                "とても長い名前のプロジェクトで一行には収まらないので切り捨てられるはずのものです、それでも列は揃っているべきです",
            ),
        ];
        list.truncate(5);
        Client::online(size, list)
    });
}

#[test]
fn without_colour() {
    looks("projects_no_color", {
        let mut client = Client::with(
            (80, 24),
            Start {
                no_color: true,
                ..start()
            },
        );
        client.report(messages::hello());
        client.report(messages::projects(a_few()));
        client
    });
}

#[test]
fn in_ascii() {
    seen_drawn_to("projects_ascii", {
        let mut client = Client::with(
            (80, 24),
            Start {
                ascii: true,
                ..start()
            },
        );
        client.report(messages::hello());
        client.report(messages::projects(a_few()));
        client
    });
}

#[test]
fn on_a_dark_and_on_a_light_ground() {
    for palette in [Palette::Dark, Palette::Light] {
        looks(&format!("projects_{}", palette.name()), {
            let mut client = Client::with(
                (80, 24),
                Start {
                    settings: Settings {
                        palette,
                        welcomed: true,
                        ..Settings::default()
                    },
                    ..start()
                },
            );
            client.report(messages::hello());
            client.report(messages::projects(a_few()));
            client
        });
    }
}

/// Where nothing can be shown, it says so, and nothing breaks.
#[test]
fn too_small() {
    for (size, words) in [
        (
            (39, 11),
            vec!["40x10 is the least;", "this is 39x11", "Ctrl-Q quits"],
        ),
        ((80, 9), vec!["40x10 is the least;", "this is 80x9"]),
        ((10, 3), vec!["40x10 is …", "this is 1…", "Ctrl-Q qu…"]),
        ((1, 1), vec![]),
        ((200, 1), vec!["40x10 is the least;"]),
        ((1, 50), vec![]),
    ] {
        let mut client = Client::online(size, a_few());
        let seen = client.text();
        for word in words {
            assert!(seen.contains(word), "{size:?}:\n{seen}");
        }
        client.press("enter ? esc ctrl-p");
        client.draw();
    }
}
