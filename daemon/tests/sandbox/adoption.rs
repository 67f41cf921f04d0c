//! A daemon dies, the app does not: the next daemon connects and goes on.

use std::time::{Duration, Instant};

use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::ContainerPhase;
use tokio::time::timeout;

use crate::support::{Deployment, PATIENCE, Running, docker, get};

const SERVER: &str =
    r#"Bun.serve({ port: 5173, hostname: "127.0.0.1", fetch: () => new Response("still here") });"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_finds_the_app_running() {
    let deployment = Deployment::new();
    let first = deployment.sandbox().await;
    first.write(&[("server.js", SERVER)]).await.unwrap();
    assert!(get(first.serve().await, "/").await.ends_with(b"still here"));
    let before = first.supervisor.status().await.unwrap();
    let Running {
        id,
        container,
        supervisor,
    } = first;
    drop(supervisor);

    let engine = deployment.another_engine();
    let found = engine.list().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, id);
    assert_eq!(found[0].phase, Some(ContainerPhase::Running));
    assert_eq!(found[0].container.as_ref(), Some(&container));
    let second = Running {
        id,
        supervisor: engine.supervisor(&container).await.unwrap(),
        container,
    };
    assert_eq!(second.supervisor.status().await.unwrap(), before);
    assert!(
        get(second.connect().await, "/")
            .await
            .ends_with(b"still here")
    );
    assert_eq!(processes(&second, "kiln-supervisor connect").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_leaves_no_process() {
    let deployment = Deployment::new();
    let kept = deployment.sandbox().await;
    for _ in 0..5 {
        let other = deployment.engine.supervisor(&kept.container).await.unwrap();
        other.status().await.unwrap();
        drop(other);
    }
    timeout(PATIENCE, async {
        while processes(&kept, "kiln-supervisor connect").await != 1 {}
    })
    .await
    .expect("only the connection that is kept has a process");
    assert!(!kept.supervisor.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_on_the_socket_costs_a_bounded_wait_and_no_more() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    // Code in the sandbox has the supervisor's uid: it may take its socket away.
    for answer in [
        // Says nothing.
        "() => {}",
        // Says more than anybody asked for.
        "(socket) => { const noise = new Uint8Array(1 << 20).fill(65); const more = () => { while (socket.write(noise) > 0); }; socket.on?.('drain', more); more(); }",
        // Leaves at once.
        "(socket) => { socket.end(); }",
    ] {
        let impostor = format!(
            "require('node:fs').rmSync('/run/kiln/supervisor.sock', {{ force: true }});
             require('node:net').createServer({answer}).listen('/run/kiln/supervisor.sock', () => console.log('ready'));"
        );
        let argv = ["bun", "-e", &impostor].map(str::to_owned);
        let (sender, mut lines) = tokio::sync::mpsc::channel(4);
        let supervisor = sandbox.supervisor.clone();
        let running = tokio::spawn(async move {
            supervisor
                .run_step(Slot::A, &argv, &[], 4 * PATIENCE, &sender)
                .await
        });
        timeout(PATIENCE, lines.recv()).await.unwrap().unwrap();
        let started = Instant::now();
        let connected = deployment.engine.supervisor(&sandbox.container).await;
        assert!(connected.is_err(), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(18), "{answer}");
        running.abort();
        // What is connected already stays so.
        sandbox.supervisor.status().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_container_is_noticed() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    assert!(!sandbox.supervisor.is_closed());
    docker(&["kill", sandbox.container.as_str()]);
    timeout(PATIENCE, sandbox.supervisor.closed())
        .await
        .expect("the connection ends with the container");
    assert!(sandbox.supervisor.status().await.is_err());
    let status = deployment.engine.inspect(&sandbox.container).await.unwrap();
    assert_eq!(status.phase, ContainerPhase::Ended);
    assert_eq!(status.exit_code, Some(137));
    let again = deployment.engine.supervisor(&sandbox.container).await;
    assert!(
        matches!(again, Err(kiln_daemon::sandbox::SandboxError::Gone(_))),
        "{again:?}"
    );
}

/// Processes in the container whose command line ends so, as the engine sees them.
async fn processes(sandbox: &Running, command: &str) -> usize {
    let container = sandbox.container.as_str().to_owned();
    let list = tokio::task::spawn_blocking(move || docker(&["top", &container, "-eo", "pid,args"]))
        .await
        .unwrap();
    list.lines()
        .filter(|line| line.trim_end().ends_with(command))
        .count()
}
