//! A model provider that says what a test tells it to say.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::PATIENCE;

/// The one model that it has.
pub(crate) const MODEL: &str = "mock/one";

/// What it does with a call.
pub(crate) enum Reply {
    /// Refuses with this status.
    Refusal(u16),
    /// Answers with this text, and says what it used, but not what that cost.
    Answer(String),
    /// Begins with this text and says no more.
    Silence(String),
    /// Says this text line by line, a few milliseconds between two.
    Slowly(String),
}

/// A provider on loopback.
pub(crate) struct Model {
    pub(crate) url: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    calls: Arc<Mutex<Vec<String>>>,
    /// The status with which it refuses to list its models; 0: it lists them.
    refuses: Arc<AtomicU16>,
    left: mpsc::UnboundedReceiver<Instant>,
    task: JoinHandle<()>,
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Model {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(VecDeque::new()));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let refuses = Arc::new(AtomicU16::new(0));
        let refusing = Arc::clone(&refuses);
        let (sender, left) = mpsc::unbounded_channel();
        let (scripted, seen) = (Arc::clone(&replies), Arc::clone(&calls));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (scripted, seen) = (Arc::clone(&scripted), Arc::clone(&seen));
                let refusing = Arc::clone(&refusing);
                let sender = sender.clone();
                connections.spawn(async move {
                    // A client that leaves is as good as one that stays.
                    if serve(stream, &scripted, &seen, &refusing)
                        .await
                        .is_ok_and(|left| left)
                    {
                        let _ = sender.send(Instant::now());
                    }
                });
            }
        });
        Self {
            url,
            replies,
            calls,
            refuses,
            left,
            task,
        }
    }

    /// Says what to do with the next call for which nothing is said yet.
    pub(crate) fn then(&self, reply: Reply) {
        self.replies.lock().unwrap().push_back(reply);
    }

    /// Answers with this status from now on where its models are asked for.
    pub(crate) fn lists_nothing_but(&self, status: u16) {
        self.refuses.store(status, Ordering::Relaxed);
    }

    /// The requests for answers, head and body.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// When a client left in the middle of an answer.
    pub(crate) async fn left(&mut self) -> Instant {
        tokio::time::timeout(PATIENCE, self.left.recv())
            .await
            .expect("the daemon closes the connection")
            .unwrap()
    }
}

/// Whether the client left before the answer was over.
async fn serve(
    mut stream: TcpStream,
    replies: &Mutex<VecDeque<Reply>>,
    calls: &Mutex<Vec<String>>,
    refuses: &AtomicU16,
) -> std::io::Result<bool> {
    let request = read(&mut stream).await?;
    let refusal = refuses.load(Ordering::Relaxed);
    if refusal != 0 && request.starts_with("GET ") {
        write(
            &mut stream,
            &format!("{refusal} Refused"),
            "text/plain",
            "no",
        )
        .await?;
        stream.shutdown().await?;
        return Ok(false);
    }
    if request.starts_with("GET ") {
        let list = json!({ "data": [{ "id": MODEL, "context_length": 200_000 }] });
        write(&mut stream, "200 OK", "application/json", &list.to_string()).await?;
        return Ok(false);
    }
    calls.lock().unwrap().push(request);
    let reply = replies.lock().unwrap().pop_front();
    match reply {
        None => write(&mut stream, "400 Bad Request", "text/plain", "no script").await?,
        Some(Reply::Refusal(status)) => {
            let error = json!({ "error": { "code": status, "message": "refused" } });
            let status = format!("{status} Refused");
            write(&mut stream, &status, "application/json", &error.to_string()).await?;
        }
        Some(Reply::Answer(text)) => {
            let end = [
                json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
                json!({ "choices": [], "usage": { "prompt_tokens": 11, "completion_tokens": 7 } }),
            ];
            let body = format!(
                "{}{}data: [DONE]\n\n",
                said(&text),
                end.map(|e| line(&e)).concat()
            );
            write(&mut stream, "200 OK", "text/event-stream", &body).await?;
        }
        Some(Reply::Silence(text)) => {
            write(&mut stream, "200 OK", "text/event-stream", &said(&text)).await?;
            while stream.read(&mut [0; 64]).await? > 0 {}
            return Ok(true);
        }
        Some(Reply::Slowly(text)) => {
            write(&mut stream, "200 OK", "text/event-stream", "").await?;
            for piece in text.split_inclusive('\n') {
                stream.write_all(said(piece).as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    stream.shutdown().await?;
    Ok(false)
}

/// A text in two pieces.
fn said(text: &str) -> String {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    let (first, second) = text.split_at(middle);
    let piece = |text: &str| {
        line(&json!({ "model": MODEL, "choices": [{ "index": 0, "delta": { "content": text } }] }))
    };
    piece(first) + &piece(second)
}

fn line(value: &serde_json::Value) -> String {
    format!("data: {value}\n\n")
}

async fn write(
    stream: &mut TcpStream,
    status: &str,
    content_type: &str,
    body: &str,
) -> std::io::Result<()> {
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + body).as_bytes()).await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An operation that writes a file.
pub(crate) fn writes(path: &str, text: &str) -> String {
    format!("<kiln-write path=\"{path}\">\n{text}</kiln-write>\n")
}

/// An operation that replaces a line.
pub(crate) fn edits(path: &str, search: &str, replace: &str) -> String {
    format!(
        "<kiln-edit path=\"{path}\">\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n</kiln-edit>\n"
    )
}

/// An app that shows one heading.
pub(crate) fn heading(text: &str) -> String {
    let app = format!("export default function App() {{\n  return <h1>{text}</h1>;\n}}\n");
    writes("src/App.tsx", &app)
}
