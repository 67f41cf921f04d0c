//! `connect`: requests over standard streams, and its end.

use std::pin::Pin;
use std::process::{Command as StdCommand, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use kiln_proto::supervisor::v1::GetStatusRequest;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tonic::transport::{Endpoint, Uri};

use crate::support::{Client, PROGRAM, Sandbox, is_alive, step, until, within};

/// Standard streams of a process as one.
struct Pipes(ChildStdout, ChildStdin);

impl AsyncRead for Pipes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.1).poll_write(context, buffer)
    }
    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.1).poll_flush(context)
    }
    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.1).poll_shutdown(context)
    }
}

async fn connect(sandbox: &Sandbox) -> (Child, Client) {
    let mut process = Command::new(PROGRAM)
        .arg("connect")
        .env("KILN_SUPERVISOR_SOCKET", sandbox.socket())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pipes = Pipes(
        process.stdout.take().unwrap(),
        process.stdin.take().unwrap(),
    );
    let pipes = Arc::new(Mutex::new(Some(TokioIo::new(pipes))));
    let connector = tower::service_fn(move |_: Uri| {
        let pipes = pipes.lock().unwrap().take();
        async move { pipes.ok_or(std::io::Error::other("used up")) }
    });
    let endpoint = Endpoint::from_static("http://supervisor");
    let channel = within(endpoint.connect_with_connector(connector)).await;
    (process, Client::new(channel.unwrap()))
}

#[tokio::test]
async fn requests_pass_and_it_ends_with_its_input() {
    let sandbox = Sandbox::start().await;
    let (mut process, mut client) = connect(&sandbox).await;
    let status = within(client.get_status(GetStatusRequest {})).await;
    assert_eq!(
        status.unwrap().into_inner().boot_id,
        sandbox.boot_id().await
    );
    drop(client);
    assert!(within(process.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_ends_with_its_input_while_a_stream_is_open() {
    let sandbox = Sandbox::start().await;
    let (mut process, mut client) = connect(&sandbox).await;
    let request = step(&["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut stream = within(client.run_step(request)).await.unwrap().into_inner();
    let message = within(stream.message()).await.unwrap().unwrap();
    let pid: i32 = message.lines[0].text.parse().unwrap();
    drop((stream, client));
    assert!(within(process.wait()).await.unwrap().success());
    until("the step is gone", || !is_alive(pid)).await;
}

#[tokio::test]
async fn a_killed_one_takes_its_steps_along() {
    let sandbox = Sandbox::start().await;
    let (process, mut client) = connect(&sandbox).await;
    let request = step(&["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut stream = within(client.run_step(request)).await.unwrap().into_inner();
    let message = within(stream.message()).await.unwrap().unwrap();
    let pid: i32 = message.lines[0].text.parse().unwrap();
    let number = i32::try_from(process.id().unwrap()).unwrap();
    kill(Pid::from_raw(number), Signal::SIGKILL).unwrap();
    until("the step is gone", || !is_alive(pid)).await;
    assert!(within(stream.message()).await.is_err());
    sandbox.boot_id().await;
}

#[tokio::test]
async fn it_ends_with_the_supervisor() {
    let mut sandbox = Sandbox::start().await;
    let (mut process, mut client) = connect(&sandbox).await;
    within(client.get_status(GetStatusRequest {}))
        .await
        .unwrap();
    assert_eq!(sandbox.stop(), Some(0));
    assert!(within(process.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_waits_for_a_supervisor_that_is_about_to_listen() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("late");
    let mut process = StdCommand::new(PROGRAM)
        .arg("connect")
        .env("KILN_SUPERVISOR_SOCKET", &socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let (stream, _) = within(listener.accept()).await.unwrap();
    drop(stream);
    assert!(process.wait().unwrap().success());
}
