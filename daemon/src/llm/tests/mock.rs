//! A provider that does what it is told, down to the bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    head: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>),
    /// Writes the same again and again, that many times.
    Repeat(Vec<u8>, Duration, usize),
    /// Keeps the connection open until the client closes it.
    Hold,
}

impl Reply {
    /// A stream that ends with its connection.
    pub(super) fn stream(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", "content-type: text/event-stream\r\n").then(body)
    }

    pub(super) fn status(status: &str) -> Self {
        let body = r#"{"error":{"message":"secret words of the provider"}}"#;
        Self::new(status, "content-type: application/json\r\n").then(body)
    }

    pub(super) fn new(status: &str, headers: &str) -> Self {
        Self {
            head: format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n"),
            steps: Vec::new(),
        }
    }

    /// Bytes with no head before them.
    pub(super) fn raw(bytes: &str) -> Self {
        Self {
            head: String::new(),
            steps: vec![Step::Write(bytes.into())],
        }
    }

    pub(super) fn then(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Write(body.into()));
        self
    }

    pub(super) fn repeat(mut self, body: &str, every: Duration, times: usize) -> Self {
        self.steps.push(Step::Repeat(body.into(), every, times));
        self
    }

    pub(super) fn hold(mut self) -> Self {
        self.steps.push(Step::Hold);
        self
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: serde_json::Value,
    pub(super) at: Instant,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(super) struct Mock {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: mpsc::UnboundedReceiver<Instant>,
    task: JoinHandle<()>,
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mock {
    /// Answers the first request with the first reply and so on; the last reply
    /// is for all that come after. Bodies are cut into pieces as `seed` has it.
    pub(super) async fn start(replies: Vec<Reply>, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (closed_sender, closed) = mpsc::unbounded_channel();
        let task = tokio::spawn(serve(
            listener,
            replies,
            seed,
            Arc::clone(&seen),
            closed_sender,
        ));
        Self {
            address,
            seen,
            closed,
            task,
        }
    }

    pub(super) async fn one(reply: Reply, seed: u64) -> Self {
        Self::start(vec![reply], seed).await
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// When the client closed a connection before its answer was over.
    pub(super) async fn closed(&mut self) -> Instant {
        tokio::time::timeout(Duration::from_secs(10), self.closed.recv())
            .await
            .expect("the client closes the connection within 10 s")
            .unwrap()
    }
}

/// An address at which nobody listens.
pub(super) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn serve(
    listener: TcpListener,
    replies: Vec<Reply>,
    seed: u64,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: mpsc::UnboundedSender<Instant>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let replies = replies.clone();
        let seen = Arc::clone(&seen);
        let closed = closed.clone();
        connections.spawn(async move {
            let (mut reader, writer) = stream.into_split();
            let Some(request) = read_request(&mut reader).await else {
                return;
            };
            let index = {
                let mut seen = seen.lock().unwrap();
                seen.push(request);
                seen.len() - 1
            };
            let reply = &replies[index.min(replies.len() - 1)];
            let mut rng = StdRng::seed_from_u64(seed.wrapping_add(index as u64));
            let mut stream = reader.reunite(writer).unwrap();
            if answer(&mut stream, reply, &mut rng).await == Ended::ByClient {
                let _ = closed.send(Instant::now());
            }
        });
    }
}

async fn answer(stream: &mut TcpStream, reply: &Reply, rng: &mut StdRng) -> Ended {
    match write_steps(stream, reply, rng).await {
        Ok(ended) => ended,
        // The client closes while there is more to say.
        Err(_) => Ended::ByClient,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    ByMock,
    ByClient,
}

async fn write_steps(
    stream: &mut TcpStream,
    reply: &Reply,
    rng: &mut StdRng,
) -> std::io::Result<Ended> {
    stream.write_all(reply.head.as_bytes()).await?;
    for step in &reply.steps {
        match step {
            Step::Write(bytes) => {
                for piece in pieces(bytes, rng) {
                    stream.write_all(piece).await?;
                    tokio::task::yield_now().await;
                }
            }
            Step::Repeat(bytes, every, times) => {
                for _ in 0..*times {
                    stream.write_all(bytes).await?;
                    tokio::time::sleep(*every).await;
                }
            }
            Step::Hold => {
                let mut rest = [0; 64];
                while stream.read(&mut rest).await? > 0 {}
                return Ok(Ended::ByClient);
            }
        }
    }
    stream.shutdown().await?;
    Ok(Ended::ByMock)
}

/// From one byte each to all at once.
fn pieces<'a>(bytes: &'a [u8], rng: &mut StdRng) -> Vec<&'a [u8]> {
    let most = match rng.random_range(0..4) {
        0 => 1,
        1 => 7,
        2 => 100,
        _ => bytes.len(),
    };
    let most = most.max(bytes.len() / 1000).max(1);
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let length = if most < bytes.len() {
            rng.random_range(1..=most).min(rest.len())
        } else {
            rest.len()
        };
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

async fn read_request(reader: &mut OwnedReadHalf) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if reader.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let seen = Seen {
        head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
        body: serde_json::Value::Null,
        at: Instant::now(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        if reader.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
    Some(Seen { body, ..seen })
}
