//! The first process's duties: collecting children, and ending.

use nix::sys::signal::{Signal, kill};

use crate::support::{Sandbox, StepOutcome, is_alive, step, until, within};

#[tokio::test]
async fn no_end_of_many_quick_children_is_missed() {
    let sandbox = Sandbox::start().await;
    for round in 0..63 {
        let steps = (0..8).map(|number| {
            let code = (round * 8 + number) % 256;
            let request = step(&["sh", "-c", &format!("exit {code}")]);
            let sandbox = &sandbox;
            async move {
                let stream = sandbox.start_step(request).await.unwrap();
                let outcome = within(StepOutcome::of(stream)).await;
                assert_eq!(outcome.exit.code, code);
            }
        });
        futures::future::join_all(steps).await;
    }
    no_child_is_left(&sandbox).await;
}

#[tokio::test]
async fn orphans_are_collected() {
    let sandbox = Sandbox::start().await;
    let script = "i=0; while [ $i -lt 500 ]; do (true &); i=$((i+1)); done; echo done";
    let outcome = sandbox.step(&["sh", "-c", script]).await;
    assert_eq!(outcome.texts(), ["done"]);
    no_child_is_left(&sandbox).await;
}

#[tokio::test]
async fn stopping_ends_servers_and_steps() {
    let mut sandbox = Sandbox::start().await;
    let server = sandbox.start_server("a", &["sleep", "1000"]).await;
    let request = step(&["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut stream = sandbox.start_step(request).await.unwrap();
    let message = within(stream.message()).await.unwrap().unwrap();
    let step: i32 = message.lines[0].text.parse().unwrap();
    assert_eq!(sandbox.stop(), Some(0));
    assert!(!is_alive(server) && !is_alive(step));
    assert!(!sandbox.socket().exists());
}

#[tokio::test]
async fn what_is_started_is_the_first_to_go_when_memory_runs_out() {
    let sandbox = Sandbox::start().await;
    let outcome = sandbox.step(&["cat", "/proc/self/oom_score_adj"]).await;
    assert_eq!(outcome.texts(), ["500"]);
}

#[tokio::test]
async fn a_new_start_takes_over_the_place_of_one_that_was_killed() {
    let sandbox = Sandbox::start().await;
    sandbox.write("file", "kept");
    let left = sandbox.workspace().join(".kiln/7/old");
    std::fs::create_dir_all(&left).unwrap();
    kill(sandbox.pid(), Signal::SIGKILL).unwrap();
    let mut second = std::process::Command::new(crate::support::PROGRAM)
        .arg("init")
        .env("KILN_SUPERVISOR_SOCKET", sandbox.socket())
        .env("KILN_WORKSPACE", sandbox.workspace())
        .spawn()
        .unwrap();
    until("what was prepared is cleared away", || !left.exists()).await;
    let client = crate::support::connect(&sandbox.socket()).await;
    drop(client);
    assert_eq!(sandbox.tree()["file"].as_deref(), Some("kept"));
    second.kill().unwrap();
    second.wait().unwrap();
}

async fn no_child_is_left(sandbox: &Sandbox) {
    let children = format!("/proc/{0}/task/{0}/children", sandbox.pid());
    until("all children are collected", || {
        std::fs::read_to_string(&children).unwrap().is_empty()
    })
    .await;
}
