//! What lies over a screen.

use kiln_proto::v1 as pb;
use kiln_tui::model::Start;
use kiln_tui::model::settings::Settings;

use super::projects::a_few;
use super::{looks, seen, seen_drawn_to};
use crate::support::app::ready;
use crate::support::client::{Client, start};
use crate::support::daemon::model;
use crate::support::messages::{self, refusal};

/// A client that was never used, on a machine on which a server was found.
fn first_run(size: (u16, u16)) -> Client {
    let mut client = Client::with(
        size,
        Start {
            settings: Settings::default(),
            ..start()
        },
    );
    client.daemon.provider = pb::GetProviderResponse {
        provider: Some(pb::ProviderStatus {
            demo_only: true,
            default_model: "demo/kiln".to_owned(),
            ..pb::ProviderStatus::default()
        }),
        source: pb::ProviderSource::Demo.into(),
        can_change: true,
        detail: String::new(),
        local_endpoints: vec![pb::LocalEndpoint {
            base_url: "http://127.0.0.1:11434/v1".to_owned(),
            name: "Ollama".to_owned(),
            model_count: 7,
        }],
    };
    client.report(messages::hello_of(
        pb::GetServerInfoResponse {
            docker: Some(pb::ComponentStatus {
                available: true,
                ..pb::ComponentStatus::default()
            }),
            provider: client.daemon.provider.provider.clone(),
            ..pb::GetServerInfoResponse::default()
        },
        "Ada",
    ));
    client.report(messages::projects(Vec::new()));
    client.settle();
    client
}

#[test]
fn first_question() {
    seen("provider_first_run", first_run);
    looks("provider_first_run", first_run((80, 24)));
}

#[test]
fn typing_a_key() {
    seen("provider_key", |size| {
        let mut client = first_run(size);
        client.press("enter");
        client.write("sk-or-v1-0123456789");
        client
    });
}

#[test]
fn asking_and_refused() {
    let mut client = first_run((80, 24));
    client.press("down enter");
    seen_drawn_to("provider_asking", client);

    seen("provider_refused", |size| {
        let mut client = first_run(size);
        client.press("enter");
        client.write("sk-or-v1-0123456789");
        client.press("enter");
        client.refuse(refusal(
            "PROVIDER_KEY_REFUSED",
            "https://openrouter.ai/api/v1 does not take this key",
        ));
        client
    });
}

#[test]
fn chosen_before() {
    let mut client = Client::new((80, 24));
    client.daemon.provider = pb::GetProviderResponse {
        provider: Some(pb::ProviderStatus {
            base_url: "https://openrouter.ai/api/v1".to_owned(),
            has_key: true,
            ..pb::ProviderStatus::default()
        }),
        source: pb::ProviderSource::Configuration.into(),
        can_change: false,
        detail: "the configuration of kilnd names the provider".to_owned(),
        ..pb::GetProviderResponse::default()
    };
    client.report(messages::hello());
    client.report(messages::projects(Vec::new()));
    client.settle();
    client.press("ctrl-p");
    client.write("models come from");
    client.press("enter");
    client.settle();
    seen_drawn_to("provider_fixed", client);
}

#[test]
fn help() {
    seen("help_projects", |size| {
        let mut client = Client::online(size, a_few());
        client.press("?");
        client
    });
    seen("help_workspace", |size| {
        let mut client = ready(size);
        client.press("f1 pagedown");
        client
    });
}

#[test]
fn palette() {
    seen("palette", |size| {
        let mut client = ready(size);
        client.press("ctrl-p");
        client
    });
    seen("palette_filtered", |size| {
        let mut client = ready(size);
        client.press("ctrl-p");
        client.write("app");
        client
    });
    let mut client = ready((80, 24));
    client.press("ctrl-p");
    client.write("zebra");
    seen_drawn_to("palette_no_match", client);
}

fn catalogue() -> Vec<pb::Model> {
    let mut models = vec![
        pb::Model {
            demo: true,
            ..model("demo/kiln", 128_000, Some((0.0, 0.0)))
        },
        pb::Model {
            roles: vec!["coder".to_owned()],
            ..model("anthropic/claude-sonnet-4.5", 1_000_000, Some((3.0, 15.0)))
        },
        model("openai/gpt-5.1-codex", 400_000, Some((1.25, 10.0))),
        model("qwen/qwen3-coder:free", 262_144, Some((0.0, 0.0))),
        model("local/unknown-price", 0, None),
        model(
            "some-provider-with-a-long-name/and-a-model-with-a-name-that-does-not-end-instruct-2026-02-28",
            131_072,
            Some((0.05, 0.1)),
        ),
    ];
    models
        .extend((0..60).map(|n| model(&format!("vendor/model-{n}"), 32_000 + n, Some((0.1, 0.4)))));
    models
}

fn choosing(size: (u16, u16)) -> Client {
    let mut client = ready(size);
    client.daemon.models.models = catalogue();
    client.press("alt-m");
    client.settle();
    client
}

#[test]
fn models() {
    seen("models", choosing);
    looks("models", choosing((120, 40)));
    seen("models_filtered", |size| {
        let mut client = choosing(size);
        client.write("free");
        client
    });
}

#[test]
fn models_that_are_asked_for_and_none() {
    let mut client = ready((80, 24));
    client.press("alt-m");
    seen_drawn_to("models_loading", client);

    let mut client = choosing((80, 24));
    client.write("my/own-model");
    seen_drawn_to("models_no_match", client);

    let mut client = ready((80, 24));
    client.daemon.models.warning =
        "the provider does not answer: this list is of yesterday".to_owned();
    client.daemon.models.models = catalogue();
    client.press("alt-m");
    client.settle();
    seen_drawn_to("models_warning", client);
}

#[test]
fn deletion() {
    seen("confirm_delete", |size| {
        let mut client = Client::online(size, a_few());
        client.press("down down d");
        client
    });
}

#[test]
fn new_project() {
    seen("new_project", |size| {
        let mut client = Client::online(size, a_few());
        client.press("n");
        client
    });
    let mut client = Client::online((80, 24), a_few());
    client.press("n");
    client.paste("A shop for bread:\n- baskets\n- delivery times\n- an order page for the bakery itself that works on an old phone\n- a page with the recipes\nand no cookies\nat all\nplease");
    seen_drawn_to("new_project_long", client);

    let mut client = Client::online((80, 24), a_few());
    client.press("n enter");
    seen_drawn_to("new_project_nothing_said", client);

    let mut client = Client::online((80, 24), a_few());
    client.press("n");
    client.write("bread");
    client.press("enter");
    client.refuse(refusal("STORAGE_FULL", "the database has no room"));
    seen_drawn_to("new_project_refused", client);
}

#[test]
fn rename() {
    let mut client = Client::online((80, 24), a_few());
    client.press("r");
    seen_drawn_to("rename", client);
}

#[test]
fn settings() {
    seen("settings", |size| {
        let mut client = Client::online(size, a_few());
        client.press("f2 down");
        client
    });
}

#[test]
fn grpcurl() {
    seen("grpcurl", |size| {
        let mut client = ready(size);
        client.press("f4");
        client
    });
}

#[test]
fn search_and_save() {
    let mut client = ready((80, 24));
    client.press("alt-1 /");
    seen_drawn_to("search", client);
    let mut client = ready((80, 24));
    client.press("alt-3 S");
    seen_drawn_to("save_logs", client);
}

#[test]
fn notices() {
    seen("notices", |size| {
        let mut client = ready(size);
        client.press("ctrl-y");
        client.press("ctrl-c");
        client.press("ctrl-x");
        client
    });
    let mut client = ready((80, 24));
    client.press("ctrl-y alt-s");
    client.refuse(refusal(
        "DOCKER_UNAVAILABLE",
        "the Docker engine does not answer at unix:///var/run/docker.sock: permission denied",
    ));
    looks("notices", client);
}

#[test]
fn one_over_another() {
    let mut client = ready((80, 24));
    client.press("f2 f1");
    seen_drawn_to("help_over_settings", client);
}
