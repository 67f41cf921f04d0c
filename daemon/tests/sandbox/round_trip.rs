//! Files in, commands run, a server served: the ordinary life of a sandbox.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::{Before, OutputStream, SandboxError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{Deployment, PATIENCE, get};

const SERVER: &str = r#"
const big = new Uint8Array(8 * 1024 * 1024).fill(120);
Bun.serve({
  port: 5173,
  hostname: "127.0.0.1",
  fetch(request) {
    console.log("asked for", new URL(request.url).pathname);
    return new URL(request.url).pathname === "/big" ? new Response(big) : new Response("hello from inside");
  },
});
console.error("up");
"#;

#[tokio::test(flavor = "multi_thread")]
async fn files_go_in_and_come_out() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let long = format!(
        "{}/{}.txt",
        "directory/".repeat(20).trim_end_matches('/'),
        "ü".repeat(60)
    );
    let files = vec![
        ("index.html".to_owned(), Bytes::from_static(b"<p>")),
        ("src/empty.ts".to_owned(), Bytes::new()),
        (long.clone(), Bytes::from_static(b"deep")),
        ("big.bin".to_owned(), Bytes::from(vec![9_u8; 1 << 20])),
        ("more.bin".to_owned(), Bytes::from(vec![8_u8; 1 << 20])),
    ];
    let applied = sandbox
        .supervisor
        .apply(
            Slot::A,
            Before::Keep,
            &["not there".to_owned()],
            files.clone(),
        )
        .await
        .unwrap();
    assert_eq!((applied.written, applied.deleted), (5, 0));
    for (path, content) in &files {
        let read = sandbox
            .supervisor
            .read_file(Slot::A, path, 3 << 20)
            .await
            .unwrap();
        assert!(read.as_ref() == Some(content), "{path}");
    }
    let small = sandbox.supervisor.read_file(Slot::A, "big.bin", 100).await;
    assert!(
        matches!(small, Err(SandboxError::TooLarge { limit: 100, .. })),
        "{small:?}"
    );
    let none = sandbox
        .supervisor
        .read_file(Slot::B, "index.html", 100)
        .await;
    assert_eq!(none.unwrap(), None);

    let applied = sandbox
        .supervisor
        .apply(
            Slot::A,
            Before::Keep,
            &["src/empty.ts", "big.bin", "more.bin"].map(str::to_owned),
            [("index.html".to_owned(), Bytes::from_static(b"<b>"))],
        )
        .await
        .unwrap();
    assert_eq!((applied.written, applied.deleted), (1, 3));
    assert_eq!(
        sandbox.shell("cat index.html; ls").await,
        "<b>directory\nindex.html"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_say_how_they_ended() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let ran = sandbox
        .run(&["sh", "-c", "echo out; echo err >&2; exit 7"])
        .await;
    assert_eq!((ran.exit.code, ran.exit.timed_out), (7, false));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out", "err"));

    let started = Instant::now();
    let ran = sandbox
        .run_for(
            &["sh", "-c", "sleep 600 & sleep 600"],
            Duration::from_millis(300),
        )
        .await;
    assert!(ran.exit.timed_out, "{:?}", ran.exit);
    assert!(started.elapsed() < Duration::from_secs(10));

    // No shell stands between: a word stays a word.
    let ran = sandbox.run(&["echo", "$HOME; ls", "*"]).await;
    assert_eq!(ran.stdout, "$HOME; ls *");
    // Everything that the step above started is gone with it.
    let processes = sandbox
        .shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        .await;
    assert!(!processes.contains("sleep 600 "), "{processes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_dies_when_nobody_waits_for_it() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let argv = ["sh", "-c", "sleep 601 & echo started; wait"].map(str::to_owned);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    let step = {
        let supervisor = sandbox.supervisor.clone();
        tokio::spawn(async move {
            supervisor
                .run_step(Slot::A, &argv, &[], PATIENCE, &sender)
                .await
        })
    };
    timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap();
    step.abort();
    timeout(PATIENCE, async {
        while sandbox
            .shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
            .await
            .contains("sleep 601 ")
        {}
    })
    .await
    .expect("the step and its child are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_and_its_output_is_read() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    sandbox.write(&[("server.js", SERVER)]).await.unwrap();
    let refused = sandbox.supervisor.open_tcp(Slot::A.port()).await;
    assert!(
        matches!(refused, Err(SandboxError::NotListening(5173))),
        "{refused:?}"
    );

    let answer = get(sandbox.serve().await, "/first").await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("hello from inside"), "{answer}");

    let mut logs = Box::pin(sandbox.supervisor.logs(100, true).await.unwrap());
    let mut lines = Vec::new();
    timeout(PATIENCE, async {
        while !lines.iter().any(|line: &String| line.contains("/first")) {
            let batch = logs.next().await.unwrap().unwrap();
            assert_eq!(batch.dropped, 0);
            for line in batch.lines {
                assert_eq!(line.slot, Some(Slot::A));
                if line.stream != OutputStream::Supervisor {
                    lines.push(line.text);
                }
            }
        }
    })
    .await
    .expect("the line is read");
    assert_eq!(lines, ["up", "asked for /first"]);

    // Many at once share the one connection.
    let many = futures::future::join_all((0..20).map(|n| {
        let sandbox = &sandbox;
        async move { get(sandbox.connect().await, &format!("/{n}")).await }
    }))
    .await;
    assert!(many.iter().all(|answer| answer.ends_with(b"inside")));
    let big = get(sandbox.connect().await, "/big").await;
    assert!(big.len() > 8 << 20 && big.ends_with(&[120; 1000]));
    // And a new line follows.
    timeout(PATIENCE, async {
        loop {
            let batch = logs.next().await.unwrap().unwrap();
            if batch.lines.iter().any(|line| line.text.contains("/big")) {
                break;
            }
        }
    })
    .await
    .expect("new lines follow");

    let status = sandbox.supervisor.status().await.unwrap();
    assert_eq!(status.servers.len(), 1);
    assert!(status.servers[0].is_running() && status.servers[0].revision_id.is_some());
    sandbox.supervisor.stop_server(Slot::A).await.unwrap();
    let refused = sandbox.supervisor.open_tcp(Slot::A.port()).await;
    assert!(
        matches!(refused, Err(SandboxError::NotListening(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_carries_both_ways_and_half_closes() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    // Answers with what it was sent, but only once the sender is done.
    let server = r#"
      require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
        const parts = [];
        socket.on("data", (part) => parts.push(part));
        socket.on("end", () => socket.end(Buffer.concat(parts)));
      }).listen(5173, "127.0.0.1");
    "#;
    sandbox.write(&[("server.js", server)]).await.unwrap();
    let tunnel = sandbox.serve().await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(tunnel);
    writer.write_all(&sent).await.unwrap();
    writer.shutdown().await.unwrap();
    let mut received = Vec::new();
    timeout(PATIENCE, reader.read_to_end(&mut received))
        .await
        .unwrap()
        .unwrap();
    assert!(received == sent, "{} bytes", received.len());
}
