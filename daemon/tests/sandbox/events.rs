//! What the engine tells of its own accord.

use futures::StreamExt;
use kiln_daemon::sandbox::EngineEventKind;
use tokio::time::timeout;

use crate::support::{Deployment, PATIENCE, docker};

#[tokio::test(flavor = "multi_thread")]
async fn memory_death_and_removal_are_told_for_own_sandboxes_only() {
    let deployment = Deployment::new();
    let other = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let foreign = other.sandbox().await;
    let mut events = Box::pin(deployment.engine.events());
    let mut next = async || {
        let event = timeout(PATIENCE, events.next()).await;
        event.expect("an event in time").unwrap().unwrap()
    };

    other.engine.remove(foreign.id).await.unwrap();
    let bomb = "const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));";
    let ran = sandbox.run(&["bun", "-e", bomb]).await;
    assert_eq!(ran.exit.code, 137);
    let event = next().await;
    assert_eq!(event.kind, EngineEventKind::OutOfMemory);
    assert_eq!(
        (event.sandbox, &event.container),
        (sandbox.id, &sandbox.container)
    );
    // It was a process that died, not the sandbox.
    sandbox.supervisor.status().await.unwrap();

    docker(&["kill", sandbox.container.as_str()]);
    let mut event = next().await;
    while event.kind == EngineEventKind::OutOfMemory {
        event = next().await;
    }
    assert_eq!(
        event.kind,
        EngineEventKind::Died {
            exit_code: Some(137)
        }
    );
    deployment.engine.remove(sandbox.id).await.unwrap();
    assert_eq!(next().await.kind, EngineEventKind::Destroyed);
}
