//! Lists, and changes to projects.

use kiln_proto::v1 as pb;

use crate::support::{Daemon, Home};

fn daemon() -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

#[test]
fn an_empty_list_says_what_to_do() {
    let (_dir, _daemon, home) = daemon();
    let ran = home.run(&["projects"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(ran.stderr.contains("kiln new"), "{}", ran.stderr);
    assert_eq!(home.run(&["projects", "--json"]).stdout, "");
}

#[test]
fn projects_are_listed_shown_renamed_and_deleted() {
    let (_dir, daemon, home) = daemon();
    let shop = daemon.project("Tea shop");
    let ran = home.run(&["projects"]);
    assert!(ran.stdout.starts_with("ID "), "{}", ran.stdout);
    assert!(ran.stdout.contains("Tea shop"), "{}", ran.stdout);
    let object = &home.run(&["projects", "--json"]).objects()[0];
    assert_eq!(object["type"], "project");
    assert_eq!(object["id"], shop.id);

    for named in ["tea shop", &shop.id, "0193a7c2"] {
        let ran = home.run(&["projects", "show", named]);
        assert_eq!(ran.code, Some(0), "{named}: {ran:?}");
    }
    let ran = home.run(&["projects", "rename", "tea shop", "Coffee"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");

    // Nobody can be asked here.
    let ran = home.run(&["projects", "delete", "tea shop"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(daemon.state().projects.len(), 1);
    let ran = home.run(&["projects", "delete", "tea shop", "--yes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(daemon.state().projects.is_empty());
}

#[test]
fn deleting_asks_where_somebody_can_answer() {
    let (_dir, daemon, home) = daemon();
    daemon.project("shop");
    let delete = ["projects", "delete", "shop"];
    let (code, shown) = home.on_terminal(&delete, &[("[y/N]", "\r")]);
    assert_eq!(code, 1, "{shown}");
    assert_eq!(daemon.state().projects.len(), 1);
    let (code, shown) = home.on_terminal(&delete, &[("[y/N]", "y\r")]);
    assert_eq!(code, 0, "{shown}");
    assert!(daemon.state().projects.is_empty());
}

#[test]
fn an_unknown_project_fails_alike_by_name_and_by_id() {
    let (_dir, daemon, home) = daemon();
    daemon.project("shop");
    for named in ["nothing", "0193a7c2-0000-7000-8000-999999999999"] {
        let ran = home.run(&["generate", "-p", named, "x"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let ran = home.run(&["generate", "-p", named, "x", "--json"]);
        assert_eq!(ran.objects()[0]["reason"], "NOT_FOUND");
    }
}

#[test]
fn names_that_do_not_choose_are_refused() {
    let (_dir, daemon, home) = daemon();
    daemon.project("blog");
    daemon.project("blog");
    let ran = home.run(&["watch", "-p", "blog"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("2 projects match"), "{}", ran.stderr);
}

#[test]
fn cancelling_nothing_is_no_error() {
    let (_dir, daemon, home) = daemon();
    daemon.project("shop");
    let ran = home.run(&["cancel", "-p", "shop"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("nothing is running"), "{}", ran.stderr);
    daemon.state().projects[0].running_generation_id = "g".into();
    let ran = home.run(&["cancel", "-p", "shop"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(daemon.calls().contains(&"CancelGeneration"));
}

#[test]
fn every_page_of_models_is_listed_and_demo_models_are_labelled() {
    let (_dir, daemon, home) = daemon();
    daemon.state().models = (0..5)
        .map(|n| pb::Model {
            id: format!("m/{n}"),
            demo: n == 0,
            ..pb::Model::default()
        })
        .collect();
    let ran = home.run(&["models"]);
    assert_eq!(ran.stdout.lines().count(), 6, "{}", ran.stdout);
    let demo = ran.stdout.lines().nth(1).unwrap();
    assert!(demo.contains("canned answers"), "{demo}");
    let objects = home.run(&["models", "--json"]).objects();
    assert_eq!(objects.len(), 5);
    assert_eq!(
        objects[1]["prompt_micro_usd_per_million"],
        serde_json::Value::Null
    );
}

#[test]
fn sandboxes_are_started_stopped_and_looked_at() {
    let (_dir, daemon, home) = daemon();
    daemon.project("shop");
    for (wish, method, state) in [
        ("start", "StartSandbox", "starting"),
        ("stop", "StopSandbox", "stopped"),
        ("restart", "RestartSandbox", "starting"),
        ("status", "GetSandbox", "running"),
    ] {
        let ran = home.run(&["sandbox", wish, "-p", "shop"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains(state), "{}", ran.stdout);
        assert!(daemon.calls().contains(&method));
    }
}
