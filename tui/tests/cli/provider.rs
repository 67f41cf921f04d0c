//! Where models come from, and keys that nobody sees.

use tonic::Code;

use kiln_proto::v1 as pb;

use crate::support::daemon::refusal;
use crate::support::{Daemon, Home};

const KEY: &str = "sk-or-v1-never-shown";

fn daemon() -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

#[test]
fn it_says_where_models_come_from_and_what_runs_there() {
    let (_dir, daemon, home) = daemon();
    daemon.state().local_endpoints = vec![pb::LocalEndpoint {
        base_url: "http://127.0.0.1:11434/v1".into(),
        name: "Ollama".into(),
        model_count: 1,
    }];
    let ran = home.run(&["provider"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for text in ["demo models", "demo/kiln", "nobody", "1 model,", "Ollama"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert!(
        ran.stderr
            .contains("kiln provider set --endpoint http://127.0.0.1:11434/v1"),
        "{}",
        ran.stderr
    );
    assert_eq!(home.run(&["provider", "show"]).stdout, ran.stdout);
    let object = &home.run(&["provider", "--json"]).objects()[0];
    assert_eq!(object["type"], "provider");
    assert_eq!(object["source"], "DEMO");
    assert_eq!(object["base_url"], serde_json::Value::Null);
    assert_eq!(object["can_change"], true);
    assert_eq!(object["local_endpoints"][0]["name"], "Ollama");
}

#[test]
fn a_key_comes_from_stdin_and_is_shown_nowhere() {
    let (_dir, daemon, home) = daemon();
    let ran = home.run_with_stdin(
        &["provider", "set", "--openrouter"],
        format!("  {KEY} \n").as_bytes(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("openrouter.ai"), "{}", ran.stdout);
    assert!(ran.stderr.contains("3 models"), "{}", ran.stderr);
    assert!(!format!("{ran:?}").contains(KEY));
    let set = daemon.state().providers_set.pop().unwrap();
    assert_eq!((set.base_url.as_str(), set.api_key.as_str()), ("", KEY));
    assert!(!set.demo_only);

    let endpoint = ["provider", "set", "--endpoint", "http://127.0.0.1:1/v1"];
    let ran = home.run_with_stdin(&endpoint, b"not for this\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let set = daemon.state().providers_set.pop().unwrap();
    assert_eq!(set.base_url, "http://127.0.0.1:1/v1");
    assert_eq!(set.api_key, "");

    let with_key = [&endpoint[..], &["--key-stdin", "--json"]].concat();
    let ran = home.run_with_stdin(&with_key, KEY.as_bytes());
    assert_eq!(daemon.state().providers_set[0].api_key, KEY);
    let object = &ran.objects()[0];
    assert_eq!(object["type"], "provider");
    assert_eq!(object["source"], "CHOSEN");
    assert_eq!(object["has_key"], true);
    assert_eq!(object["model_count"], 3);
    assert!(!format!("{ran:?}").contains(KEY));

    let ran = home.run(&["provider", "demo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("canned answers"), "{}", ran.stdout);
    assert!(daemon.state().providers_set[1].demo_only);
}

#[test]
fn a_key_typed_on_a_terminal_is_not_shown() {
    let (_dir, daemon, home) = daemon();
    let (code, shown) = home.on_terminal(
        &["provider", "set", "--openrouter"],
        &[("OpenRouter key (not shown): ", &format!("{KEY}\r"))],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(daemon.state().providers_set[0].api_key, KEY);
}

#[test]
fn one_says_what_to_choose_and_no_key_is_an_argument() {
    let (_dir, daemon, home) = daemon();
    let url = "http://127.0.0.1:1/v1";
    for arguments in [
        &["provider", "set"][..],
        &["provider", "set", "--key-stdin"],
        &["provider", "set", "--openrouter", "--endpoint", url],
        &["provider", "set", "--openrouter", "--key", KEY],
        &[
            "provider",
            "set",
            "--openrouter",
            "--api-key=sk-or-v1-never-shown",
        ],
        // Nothing on stdin.
        &["provider", "set", "--openrouter"],
    ] {
        let ran = home.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.contains(KEY), "{}", ran.stderr);
    }
    assert_eq!(daemon.calls(), Vec::<&str>::new());
}

#[test]
fn a_refusal_says_what_to_do() {
    let (_dir, daemon, home) = daemon();
    let set = ["provider", "set", "--endpoint", "http://127.0.0.1:1/v1"];
    for (code, reason, hint) in [
        (Code::PermissionDenied, "ROLE_REQUIRED", "ask an owner"),
        (
            Code::FailedPrecondition,
            "PROVIDER_FIXED",
            "OPENROUTER_API_KEY",
        ),
        (
            Code::FailedPrecondition,
            "PROVIDER_KEY_REFUSED",
            "check the key",
        ),
        (Code::FailedPrecondition, "PROVIDER_PROTOCOL", "/v1"),
        (Code::Unavailable, "PROVIDER_UNREACHABLE", "running"),
        (
            Code::InvalidArgument,
            "PROVIDER_URL_REFUSED",
            "KILN_MODEL_BASE_URL",
        ),
    ] {
        daemon.fail("SetProvider", refusal(code, reason, "no"));
        let ran = home.run(&set);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(hint), "{reason}: {}", ran.stderr);
    }
}
