//! Dev servers and what is kept of their output.

use kiln_proto::supervisor::v1::{
    GetStatusRequest, Line, ServerStatus, StopServerRequest, StreamLogsRequest, StreamLogsResponse,
};
use tonic::Streaming;

use crate::support::{Sandbox, is_alive, until, within};

async fn stop(sandbox: &Sandbox, slot: &str) {
    let request = StopServerRequest {
        slot: slot.to_owned(),
    };
    within(sandbox.client.clone().stop_server(request))
        .await
        .unwrap();
}

async fn servers(sandbox: &Sandbox) -> Vec<ServerStatus> {
    within(sandbox.client.clone().get_status(GetStatusRequest {}))
        .await
        .unwrap()
        .into_inner()
        .servers
}

/// Reads until a line says this; gives all lines and what was dropped.
async fn read_until(stream: &mut Streaming<StreamLogsResponse>, text: &str) -> (Vec<Line>, i64) {
    let (mut lines, mut dropped) = (Vec::new(), 0);
    loop {
        let message = within(stream.message()).await.unwrap().expect("more lines");
        dropped += message.dropped_count;
        lines.extend(message.lines);
        if lines.last().is_some_and(|line: &Line| line.text == text) {
            return (lines, dropped);
        }
    }
}

#[tokio::test]
async fn a_server_is_started_replaced_and_stopped_with_all_it_started() {
    let sandbox = Sandbox::start().await;
    let mut log = sandbox.logs(0, true).await;
    let script = "setsid sleep 1000 & echo $!; echo ready; sleep 1000; wait";
    let first = sandbox.start_server("a", &["sh", "-c", script]).await;
    let (lines, _) = read_until(&mut log, "ready").await;
    let child: i32 = lines[0].text.parse().unwrap();
    assert_eq!((lines[1].slot.as_str(), lines[1].stream), ("a", 1));
    assert!(is_alive(first) && is_alive(child));

    let second = sandbox.start_server("a", &["sh", "-c", script]).await;
    assert!(!is_alive(first) && !is_alive(child));
    let (lines, _) = read_until(&mut log, "ready").await;
    assert_eq!(
        (lines[0].text.as_str(), lines[0].stream),
        ("server stopped", 3)
    );
    let other = sandbox.start_server("b", &["sleep", "1000"]).await;

    stop(&sandbox, "a").await;
    assert!(!is_alive(second));
    assert!(is_alive(other));
    let servers = servers(&sandbox).await;
    assert_eq!(servers.len(), 2);
    assert!(!servers[0].running && servers[0].exit.is_some());
    let expected = ServerStatus {
        slot: "b".to_owned(),
        running: true,
        pid: other,
        exit: None,
        revision_id: "revision-of-b".to_owned(),
        port: 5173,
    };
    assert_eq!(servers[1], expected);
    // Again, and one that never was.
    stop(&sandbox, "a").await;
}

#[tokio::test]
async fn a_server_that_refuses_to_end_is_ended() {
    let sandbox = Sandbox::start().await;
    let mut log = sandbox.logs(0, true).await;
    let script = "trap '' TERM; echo ready; while true; do sleep 1; done";
    let pid = sandbox.start_server("a", &["sh", "-c", script]).await;
    read_until(&mut log, "ready").await;
    stop(&sandbox, "a").await;
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_reported() {
    let sandbox = Sandbox::start().await;
    let mut log = sandbox.logs(0, true).await;
    sandbox
        .start_server("a", &["sh", "-c", "echo broken >&2; exit 3"])
        .await;
    let (lines, dropped) = read_until(&mut log, "server exited with code 3").await;
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0].text.as_str(), lines[0].stream), ("broken", 2));
    assert_eq!(lines[1].stream, 3);
    assert_eq!(dropped, 0);
    let exit = servers(&sandbox).await[0].exit.unwrap();
    assert_eq!((exit.code, exit.signal), (3, 0));
}

#[tokio::test]
async fn a_server_outlives_the_connection_that_started_it() {
    let mut sandbox = Sandbox::start().await;
    let pid = sandbox.start_server("a", &["sleep", "1000"]).await;
    let boot_id = sandbox.boot_id().await;
    sandbox.client = crate::support::connect(&sandbox.socket()).await;
    assert_eq!(sandbox.boot_id().await, boot_id);
    assert!(servers(&sandbox).await[0].running);
    assert!(is_alive(pid));
}

#[tokio::test]
async fn a_flood_is_capped_and_counted_to_the_line() {
    let sandbox = Sandbox::start().await;
    let mut log = sandbox.logs(0, true).await;
    let started = std::time::Instant::now();
    sandbox
        .start_server("a", &["sh", "-c", "seq 1 1000000; exit 0"])
        .await;
    let (lines, dropped) = read_until(&mut log, "server exited with code 0").await;
    let seconds = started.elapsed().as_secs_f64();
    // The last is the supervisor's own.
    assert_eq!(lines.len() as i64 - 1 + dropped, 1_000_000);
    let bytes: usize = lines.iter().map(|line| line.text.len() + 64).sum();
    let allowed = (256 << 10) as f64 + (80 << 10) as f64 * seconds + 1000.0;
    assert!((bytes as f64) < allowed, "{bytes} in {seconds} s");
    // A gap in the numbers is where lines were dropped, and only there.
    assert_eq!(lines[0].text, "1");
    for line in &lines[..lines.len() - 1] {
        assert_eq!(line.number.to_string(), line.text);
    }
    assert_eq!(lines[lines.len() - 1].number, 1_000_001);
}

#[tokio::test]
async fn the_tail_is_read_and_a_reader_can_come_back() {
    let sandbox = Sandbox::start().await;
    let mut log = sandbox.logs(0, true).await;
    sandbox.start_server("b", &["seq", "1", "20"]).await;
    read_until(&mut log, "server exited with code 0").await;
    let texts = |message: &StreamLogsResponse| -> Vec<String> {
        message.lines.iter().map(|line| line.text.clone()).collect()
    };
    let mut tail = sandbox.logs(3, false).await;
    let message = within(tail.message()).await.unwrap().unwrap();
    assert_eq!(texts(&message), ["19", "20", "server exited with code 0"]);
    assert!(within(tail.message()).await.unwrap().is_none());
    let request = StreamLogsRequest {
        tail: 100,
        follow: false,
        after_number: 19,
    };
    let mut rest = within(sandbox.client.clone().stream_logs(request))
        .await
        .unwrap()
        .into_inner();
    let message = within(rest.message()).await.unwrap().unwrap();
    assert_eq!(texts(&message), ["20", "server exited with code 0"]);
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_nothing_back() {
    let sandbox = Sandbox::start().await;
    let _stuck = sandbox.logs(0, true).await;
    let mut log = sandbox.logs(0, true).await;
    let pid = sandbox
        .start_server("a", &["sh", "-c", "seq 1 300000; exit 0"])
        .await;
    let (lines, dropped) = read_until(&mut log, "server exited with code 0").await;
    assert_eq!(lines.len() as i64 - 1 + dropped, 300_000);
    until("the server is gone", || !is_alive(pid)).await;
}
