//! Connections to the sandbox's loopback.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use kiln_proto::supervisor::v1::{OpenTcpRequest, OpenTcpResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::support::{Client, Sandbox, assert_refused, resident_bytes, within};

/// The caller's side of a connection.
struct Caller {
    sender: Option<mpsc::Sender<OpenTcpRequest>>,
    answers: Streaming<OpenTcpResponse>,
}

impl Caller {
    async fn open(client: &Client, port: u16) -> Result<Self, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let first = OpenTcpRequest {
            port: i32::from(port),
            data: Bytes::new(),
        };
        let stream = futures::stream::iter([first]).chain(ReceiverStream::new(receiver));
        let response = within(client.clone().open_tcp(stream)).await?;
        let mut answers = response.into_inner();
        let connected = within(answers.message()).await?.expect("an empty message");
        assert!(connected.data.is_empty());
        Ok(Self {
            sender: Some(sender),
            answers,
        })
    }

    async fn send(&self, data: impl Into<Bytes>) {
        let request = OpenTcpRequest {
            port: 0,
            data: data.into(),
        };
        let sender = self.sender.as_ref().unwrap();
        within(sender.send(request)).await.unwrap();
    }

    fn end(&mut self) {
        self.sender = None;
    }

    async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(message) = within(self.answers.message()).await.unwrap() {
            assert!(!message.data.is_empty() && message.data.len() <= 64 << 10);
            all.extend(message.data);
        }
        all
    }

    async fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(within(self.answers.message()).await.unwrap().unwrap().data);
        }
        all
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn the_callers_end_is_the_ports_end_and_answers_go_on() {
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    let mut caller = Caller::open(&sandbox.client, port).await.unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    caller.send("question").await;
    caller.end();
    let mut question = Vec::new();
    within(stream.read_to_end(&mut question)).await.unwrap();
    assert_eq!(question, b"question");
    // Only now does the port answer.
    stream.write_all(b"answer").await.unwrap();
    drop(stream);
    assert_eq!(caller.read_to_end().await, b"answer");
}

#[tokio::test]
async fn the_ports_end_is_the_answers_end_and_questions_go_on() {
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    let mut caller = Caller::open(&sandbox.client, port).await.unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    stream.write_all(b"all there is").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(caller.read_to_end().await, b"all there is");
    caller.send("still ").await;
    caller.send("here").await;
    caller.end();
    let mut heard = Vec::new();
    within(stream.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"still here");
}

#[tokio::test]
async fn a_caller_that_leaves_closes_the_connection() {
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    let caller = Caller::open(&sandbox.client, port).await.unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    drop(caller);
    let mut rest = Vec::new();
    // An end or a reset, but no waiting.
    let _ = within(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn ports_that_nobody_listens_on_and_odd_ports_are_refused() {
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    drop(listener);
    let refused = Caller::open(&sandbox.client, port).await.map(drop);
    let expected = format!("PORT_UNREACHABLE: {port}");
    assert_refused(refused, Code::Unavailable, &expected);
    for port in [0, -1, 65536] {
        let request = OpenTcpRequest {
            port,
            data: Bytes::new(),
        };
        let request = futures::stream::iter([request]);
        let refused = within(sandbox.client.clone().open_tcp(request)).await;
        let expected = "port: must be from 1 to 65535";
        assert_refused(refused.map(drop), Code::InvalidArgument, expected);
    }
}

#[tokio::test]
async fn a_port_on_the_newer_loopback_is_found() {
    let sandbox = Sandbox::start().await;
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut caller = Caller::open(&sandbox.client, port).await.unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    stream.write_all(b"six").await.unwrap();
    drop(stream);
    assert_eq!(caller.read_to_end().await, b"six");
}

#[tokio::test]
async fn a_hundred_connections_at_once_take_little_memory() {
    const CONNECTIONS: usize = 100;
    const BYTES: usize = 512 << 10;
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(echo(stream));
        }
    });
    let before = resident_bytes(sandbox.pid());
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        callers.push(Caller::open(&sandbox.client, port).await.unwrap());
    }
    let tasks = callers.into_iter().map(|mut caller| {
        tokio::spawn(async move {
            let piece = Bytes::from(vec![7; 64 << 10]);
            let sender = caller.sender.take().unwrap();
            let sending = async move {
                for _ in 0..BYTES / piece.len() {
                    let data = piece.clone();
                    let request = OpenTcpRequest { port: 0, data };
                    sender.send(request).await.unwrap();
                }
            };
            let (all, ()) = tokio::join!(caller.read_to_end(), sending);
            assert_eq!(all.len(), BYTES);
        })
    });
    let mut peak = 0;
    for task in tasks.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(90), task)
            .await
            .unwrap()
            .unwrap();
        peak = peak.max(resident_bytes(sandbox.pid()));
    }
    let growth = peak.saturating_sub(before);
    assert!(growth < 48 << 20, "{growth} bytes more");
}

/// A hundred ports that read nothing hold at most their own windows, and neither
/// memory nor other requests suffer.
#[tokio::test]
async fn ports_that_do_not_read_hold_nobody_up() {
    let sandbox = Sandbox::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(128).unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        while held.len() < 100 {
            held.push(listener.accept().await.unwrap().0);
        }
        held
    });
    let before = resident_bytes(sandbox.pid());
    let mut callers = Vec::new();
    for _ in 0..100 {
        let mut caller = Caller::open(&sandbox.client, port).await.unwrap();
        let sender = caller.sender.take().unwrap();
        tokio::spawn(async move {
            let data = Bytes::from(vec![7; 64 << 10]);
            let mut sent = 0;
            let request = || OpenTcpRequest {
                port: 0,
                data: data.clone(),
            };
            while sent < 64 && sender.send(request()).await.is_ok() {
                sent += 1;
            }
        });
        callers.push(caller);
    }
    let held = within(accepting).await.unwrap();
    // A port that reads is served as ever.
    let (reading, port) = listener_with_echo().await;
    let mut caller = Caller::open(&sandbox.client, port).await.unwrap();
    for _ in 0..50 {
        caller.send(vec![1; 64 << 10]).await;
        caller.read_exactly(64 << 10).await;
    }
    sandbox.boot_id().await;
    let growth = resident_bytes(sandbox.pid()).saturating_sub(before);
    assert!(growth < 64 << 20, "{growth} bytes more");
    drop((held, callers, reading));
}

/// What a caller lets through is bounded by us and not by its windows.
#[tokio::test]
async fn callers_that_do_not_read_take_little_memory() {
    let sandbox = Sandbox::start().await;
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let piece = [7; 64 << 10];
                while stream.write_all(&piece).await.is_ok() {}
            });
        }
    });
    let before = resident_bytes(sandbox.pid());
    let mut callers = Vec::new();
    for _ in 0..100 {
        callers.push(Caller::open(&sandbox.client, port).await.unwrap());
    }
    // Other requests are answered, and what is unread has arrived meanwhile.
    for _ in 0..100 {
        sandbox.boot_id().await;
    }
    let growth = resident_bytes(sandbox.pid()).saturating_sub(before);
    assert!(growth < 24 << 20, "{growth} bytes more");
    for caller in &mut callers {
        caller.read_exactly(1 << 10).await;
    }
}

async fn listener_with_echo() -> (tokio::task::JoinHandle<()>, u16) {
    let (listener, port) = listener().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo(stream).await;
    });
    (task, port)
}

async fn echo(mut stream: TcpStream) {
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.unwrap();
    write.shutdown().await.unwrap();
}
