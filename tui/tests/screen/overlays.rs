//! What lies over a screen: how it is opened, what it does, how it goes.

use kiln_proto::v1 as pb;
use kiln_tui::effect::{Call, Effect, Source};
use kiln_tui::keymap::{Action, Keymap};
use kiln_tui::model::Start;
use kiln_tui::model::overlay::Overlay;
use kiln_tui::model::settings::Settings;
use kiln_tui::view::theme::Palette;
use secrecy::ExposeSecret;

use crate::support::client::{Client, start};
use crate::support::daemon::model;
use crate::support::messages::{self, project, refusal};

const SIZE: (u16, u16) = (100, 40);

fn with_projects() -> Client {
    Client::online(SIZE, vec![project("p1", "first"), project("p2", "second")])
}

fn over(client: &Client) -> Option<&Overlay> {
    client.model.overlays.last()
}

#[test]
fn a_new_project_is_made_and_its_prompt_carried() {
    let mut client = with_projects();
    client.press("n enter");
    assert!(client.shows("say what it should be"));
    assert!(client.calls.is_empty());
    client.write("A todo list");
    client.press("alt-enter");
    client.write("with due dates");
    client.press("enter");
    match client.last_call() {
        Some(Call::CreateProject {
            name,
            model,
            request_id,
        }) => {
            assert_eq!(name, "A todo list", "from its first line");
            assert_eq!(model, "");
            assert!(request_id.starts_with("test-"));
        }
        other => panic!("{other:?}"),
    }
    client.press("enter");
    assert_eq!(client.calls.len(), 1, "it is sent once");
    let (id, call) = client.calls.pop().unwrap();
    let answer = client.daemon.answer(&call).unwrap();
    client.take(kiln_tui::msg::Msg::Answered {
        id,
        result: Ok(answer),
    });
    assert!(client.model.workspace().is_some());
    assert!(over(&client).is_none());
    match client.last_call() {
        Some(Call::StartGeneration {
            project_id, prompt, ..
        }) => {
            assert_eq!(project_id, "made-1");
            assert_eq!(prompt, "A todo list\nwith due dates");
        }
        other => panic!("{other:?}"),
    }
    assert!(
        client.shows("with due dates"),
        "it is seen before it is answered"
    );
    let kept = client.effects.iter().rev().find_map(|effect| match effect {
        Effect::KeepDraft { key, text } if key.is_empty() => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(kept, Some(""), "what was sent is no draft any more");
    client.press("alt-p n");
    let text = client.text();
    assert!(
        text.contains("What should it be?") && !text.contains("▌ A todo list"),
        "{text}"
    );
}

#[test]
fn a_project_is_called_what_it_is_told() {
    let mut client = with_projects();
    client.press("n");
    client.write("A todo list");
    client.press("tab");
    client.write("groceries");
    client.press("enter");
    let Some(Call::CreateProject { name, .. }) = client.last_call() else {
        panic!("{:?}", client.last_call());
    };
    assert_eq!(name, "groceries");
}

#[test]
fn what_was_said_of_a_project_is_kept_when_it_is_refused_or_put_aside() {
    let mut client = with_projects();
    client.press("n");
    client.write("A todo list");
    client.press("enter");
    client.refuse(refusal("STORAGE_FULL", "the database has no room"));
    assert!(client.shows("the database has no room") && client.shows("A todo list"));
    client.press("esc");
    assert!(over(&client).is_none());
    assert!(client.wanted(
        |e| matches!(e, Effect::KeepDraft { key, text } if key.is_empty() && text == "A todo list")
    ));
    client.press("n");
    assert!(client.shows("A todo list"));
}

#[test]
fn a_rename_begins_with_the_old_name() {
    let mut client = with_projects();
    client.press("r");
    client.write(" and best");
    client.press("enter");
    let Some(Call::RenameProject { id, name, .. }) = client.last_call() else {
        panic!("{:?}", client.last_call());
    };
    let (id, name) = (id.clone(), name.clone());
    assert!(name.ends_with(" and best"), "{name}");
    assert!(
        matches!(over(&client), Some(Overlay::Ask(_))),
        "until it is answered"
    );
    client.settle();
    assert!(over(&client).is_none());
    assert!(client.shows(&name));
    assert_eq!(client.model.projects.get(&id).unwrap().name, name);
    client.press("r ctrl-u enter");
    assert!(client.calls.is_empty() && client.shows("the name is missing"));
}

#[test]
fn nothing_is_deleted_without_a_yes() {
    let mut client = with_projects();
    for keys in ["d n", "d esc", "d ctrl-c", "delete x esc"] {
        client.press(keys);
        assert!(client.calls.is_empty(), "{keys}");
        assert!(over(&client).is_none(), "{keys}");
    }
    client.press("d");
    assert!(client.shows("Delete \"second\"?"));
    client.press("y");
    assert!(matches!(client.last_call(), Some(Call::DeleteProject { id }) if id == "p2"));
    assert!(client.shows("second"), "until the daemon did it");
    client.refuse(refusal("INTERNAL", "something broke"));
    assert!(client.shows("second") && client.shows("something broke"));
    client.press("d enter");
    client.settle();
    assert_eq!(client.model.projects.items().len(), 1);
    assert!(client.shows("deleted"));
}

#[test]
fn the_palette_does_what_its_keys_do() {
    let mut client = with_projects();
    client.press("ctrl-p");
    assert!(matches!(over(&client), Some(Overlay::Palette(_))));
    client.press("ctrl-p");
    assert!(over(&client).is_none(), "the same key closes it");
    client.press("ctrl-p");
    client.write("rename");
    client.press("enter");
    assert!(client.shows("Rename the project"));
    client.press("esc ctrl-p");
    client.write("no such thing at all");
    client.press("enter");
    assert!(over(&client).is_none(), "there was nothing to do");
}

/// Ctrl-^ is another key than Ctrl and an arrow.
#[test]
fn arrows_are_named_where_only_ascii_is_shown() {
    let mut client = Client::with(
        (100, 40),
        Start {
            ascii: true,
            ..start()
        },
    );
    client.report(messages::hello());
    client.report(messages::projects(vec![project("p1", "first")]));
    client.press("enter f1");
    assert!(client.shows("Ctrl-Up  Alt-Up") && client.shows("Ctrl-Down"));
    assert!(!client.shows("Ctrl-^"));
}

/// Help is made from the keys: none is left out, wherever it works.
#[test]
fn help_has_every_key() {
    let mut client = with_projects();
    client.press("?");
    let Some(Overlay::Page(page)) = over(&client) else {
        panic!("no help");
    };
    let text: Vec<String> = page.rows.iter().map(kiln_tui::text::Row::plain).collect();
    for action in Action::ALL {
        for chord in Keymap::default().keys(*action) {
            let title = action.entry().title;
            assert!(
                text.iter()
                    .any(|row| row.contains(&chord.to_string()) && row.contains(title)),
                "{chord} {title}"
            );
        }
    }
    client.press("G");
    assert!(client.shows("switch-sign-in"));
    client.press("g");
    assert!(client.shows("Projects"));
}

#[test]
fn a_model_is_chosen_for_a_project_or_for_new_ones() {
    let models = vec![
        model("a/cheap", 1_000, Some((0.1, 0.2))),
        model("b/dear", 1_000, Some((10.0, 20.0))),
    ];
    let mut client = with_projects();
    client.daemon.models.models = models.clone();
    client.press("alt-m");
    client.settle();
    client.write("dear");
    client.press("enter");
    assert!(
        client
            .wanted(|e| matches!(e, Effect::KeepSettings(settings) if settings.model == "b/dear"))
    );
    client.press("n");
    assert!(client.shows("Enter makes it with b/dear"));

    let mut client = Client::opened(SIZE, project("p1", "first"));
    client.daemon.models.models = models;
    client.press("alt-m");
    client.settle();
    client.write("cheap");
    client.press("enter");
    assert!(matches!(
        client.last_call(),
        Some(Call::SetModel { id, model, .. }) if id == "p1" && model == "a/cheap"
    ));
    client.settle();
    assert!(client.shows("a/cheap"));
    // Any other can be named, too.
    client.press("alt-m");
    client.write("c/mine");
    client.press("enter enter");
    assert!(matches!(
        client.last_call(),
        Some(Call::SetModel { model, .. }) if model == "c/mine"
    ));
}

#[test]
fn settings_are_changed_at_once_and_kept() {
    let mut client = with_projects();
    client.press("f2 enter");
    assert_eq!(client.model.settings.palette, Palette::Dark);
    client.press("down enter");
    assert!(client.wanted(|e| matches!(e, Effect::Mouse(false))));
    assert!(client.wanted(
        |e| matches!(e, Effect::KeepSettings(s) if s.palette == Palette::Dark && !s.mouse)
    ));
    client.press("down enter");
    assert!(matches!(over(&client), Some(Overlay::Models { .. })));
}

#[test]
fn grpcurl_asks_for_what_is_on_the_screen() {
    let mut client = Client::opened(SIZE, project("p1", "first"));
    for (keys, method) in [
        ("f4", "kiln.v1.ProjectService/WatchProject"),
        ("alt-2 f4", "kiln.v1.RevisionService/ListFiles"),
        ("alt-3 f4", "kiln.v1.SandboxService/StreamLogs"),
        ("alt-p f4", "kiln.v1.ProjectService/WatchProjects"),
    ] {
        client.press(keys);
        client.press("y");
        let copied = client.effects.iter().rev().find_map(|effect| match effect {
            Effect::Clipboard(text) => Some(text.as_str()),
            _ => None,
        });
        let line = copied.unwrap();
        assert!(line.ends_with(method), "{line}");
        assert!(line.contains("-unix /run/kiln/kilnd.sock"), "{line}");
        assert!(!line.contains('\n'));
        client.press("esc");
    }
}

fn first_run() -> Client {
    let mut client = Client::with(
        SIZE,
        Start {
            settings: Settings::default(),
            ..start()
        },
    );
    client.daemon.provider = pb::GetProviderResponse {
        source: pb::ProviderSource::Demo.into(),
        can_change: true,
        local_endpoints: vec![pb::LocalEndpoint {
            base_url: "http://127.0.0.1:11434/v1".to_owned(),
            name: "Ollama".to_owned(),
            model_count: 2,
        }],
        ..pb::GetProviderResponse::default()
    };
    client.report(messages::hello());
    client.report(messages::projects(Vec::new()));
    client.settle();
    client
}

#[test]
fn where_models_come_from_is_asked_once() {
    let mut client = first_run();
    assert!(client.shows("Welcome to Kiln"));
    client.press("esc");
    client.report(messages::projects(Vec::new()));
    client.report(messages::hello());
    client.settle();
    assert!(over(&client).is_none(), "not again in this run");
    assert!(
        !client.wanted(|e| matches!(e, Effect::KeepSettings(_))),
        "but in the next"
    );

    let mut client = first_run();
    client.press("end enter");
    assert!(client.calls.is_empty(), "the demo model serves already");
    assert!(client.wanted(|e| matches!(e, Effect::KeepSettings(s) if s.welcomed)));

    // Whoever has projects is not a new user, and whoever may not choose is not asked.
    let mut client = first_run();
    client.press("esc");
    client.model.settings.welcomed = false;
    client.daemon.provider.can_change = false;
    client.report(messages::hello());
    client.settle();
    assert!(over(&client).is_none());
}

#[test]
fn a_server_that_was_found_is_taken_with_enter_or_a_click() {
    let mut by_key = first_run();
    by_key.press("down enter");
    let mut by_click = first_run();
    by_click.click_on("Ollama");
    for client in [&mut by_key, &mut by_click] {
        assert!(matches!(
            client.last_call(),
            Some(Call::SetProvider(Source::Endpoint(url))) if url == "http://127.0.0.1:11434/v1"
        ));
        assert!(client.shows("asking it"));
        client.settle();
        assert!(over(client).is_none());
        assert!(client.wanted(|e| matches!(e, Effect::KeepSettings(s) if s.welcomed)));
        assert!(client.wanted(|e| matches!(e, Effect::Reconnect)));
    }
}

#[test]
fn a_key_is_pasted_masked_and_sent_to_the_daemon_alone() {
    let mut client = first_run();
    client.press("enter enter");
    assert!(client.shows("nothing was filled in"));
    client.paste(" sk-or-v1-secret\n");
    assert!(!client.shows("secret"));
    client.press("enter");
    match client.last_call() {
        Some(Call::SetProvider(Source::OpenRouter(key))) => {
            assert_eq!(key.expose_secret(), "sk-or-v1-secret");
        }
        other => panic!("{other:?}"),
    }
    assert!(!format!("{:?} {:?}", client.calls, client.effects).contains("secret"));
    client.refuse(refusal(
        "PROVIDER_KEY_REFUSED",
        "the provider does not take this key",
    ));
    assert!(client.shows("the provider does not take this key"));
    client.press("esc");
    assert!(client.shows("Ollama"), "back to the choice");
    assert!(!client.shows("does not take this key"));
}

#[test]
fn a_click_beside_an_overlay_closes_it() {
    let mut client = with_projects();
    client.press("f2");
    client.click((0, 0));
    assert!(over(&client).is_none());
    client.press("ctrl-p");
    client.click_on("new project");
    assert!(client.shows("What should it be?"));
}

#[test]
fn notices_go_by_themselves_errors_later() {
    let mut client = Client::opened(SIZE, project("p1", "first"));
    client.press("ctrl-y alt-s");
    client.refuse(refusal("DOCKER_UNAVAILABLE", "the engine does not answer"));
    assert!(client.shows("copied http://127.0.0.1:5301"));
    assert!(client.shows("the engine does not answer"));
    client.wait(4_100);
    assert!(!client.shows("copied"));
    assert!(client.shows("the engine does not answer"));
    client.wait(6_100);
    assert!(!client.shows("the engine does not answer"));
    assert_eq!(client.model.next_tick_ms(), None);
}

#[test]
fn signing_out_is_asked_for_and_forgets() {
    let mut client = with_projects();
    client.press("ctrl-p");
    client.write("sign out");
    client.press("enter n");
    assert!(client.calls.is_empty());
    client.press("ctrl-p");
    client.write("sign out");
    client.press("enter y");
    assert!(matches!(client.last_call(), Some(Call::SignOut)));
    client.settle();
    assert!(client.model.projects.items().is_empty());
    assert!(client.wanted(|e| matches!(e, Effect::Reconnect)));
}
