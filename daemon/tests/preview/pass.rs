//! What passes through unchanged, and what does not pass.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::net::TcpSocket;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{
    App, Browser, Empty, Preview, app, head, raw_app, rest, says, soon, text, write,
};

/// Answers with the head and the body of the request as it came.
fn mirror() -> App {
    app(|request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut lines = vec![format!("{} {}", parts.method, parts.uri)];
        for (name, value) in &parts.headers {
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        }
        lines.push(format!("{} bytes", body.len()));
        Response::new(Full::new(Bytes::from(lines.join("\n"))))
    })
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_without_what_is_the_connections() {
    let preview = Preview::of(mirror()).await;
    let request = preview
        .request("PUT", "/a%20b/?q=1&q=2")
        .header("cookie", "a=b")
        .header("accept", "*/*")
        .header("connection", "keep-alive, x-mine")
        .header("x-mine", "1")
        .header("te", "trailers")
        .header("proxy-connection", "keep-alive")
        .body(Full::from("hello"))
        .unwrap();
    let response = preview.send(request).await;
    assert_eq!(
        text(response).await,
        format!(
            "PUT /a%20b/?q=1&q=2\nhost: {}\ncookie: a=b\naccept: */*\ncontent-length: 5\n5 bytes",
            preview.address
        )
    );
}

#[tokio::test]
async fn answers_keep_their_status_and_headers() {
    let preview = Preview::of(app(|request: Request<Incoming>| async move {
        let response = Response::builder();
        let response = match request.uri().path() {
            "/cached" => response.status(304).header("etag", "\"x\""),
            "/none" => response.status(204),
            "/moved" => response.status(302).header("location", "/there"),
            "/mine" => response
                .header("connection", "x-mine")
                .header("x-mine", "1")
                .header("set-cookie", "a=b")
                .header("set-cookie", "c=d"),
            _ => response.header("content-length", "1234"),
        };
        response.body(Full::<Bytes>::default()).unwrap()
    }))
    .await;
    let get = async |method, path| preview.send(preview.request(method, path).empty()).await;

    let cached = get("GET", "/cached").await;
    assert_eq!(cached.status(), 304);
    assert_eq!(cached.headers()["etag"], "\"x\"");
    assert_eq!(get("GET", "/none").await.status(), 204);
    assert_eq!(get("GET", "/moved").await.headers()["location"], "/there");

    let mine = get("GET", "/mine").await;
    assert!(!mine.headers().contains_key("x-mine"));
    let cookies: Vec<_> = mine.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);

    let head = get("HEAD", "/").await;
    assert_eq!(head.headers()["content-length"], "1234");
    assert_eq!(text(head).await, "");
}

#[tokio::test]
async fn connections_to_the_app_are_used_again() {
    let preview = Preview::of(mirror()).await;
    let mut browser = Browser::open(preview.address).await;
    for _ in 0..20 {
        let response = browser.send(preview.request("GET", "/").empty()).await;
        assert!(text(response).await.ends_with("0 bytes"));
        // The connection comes back to the pool a moment after the body's end.
        tokio::task::yield_now().await;
    }
    assert!(
        preview.sandbox.opened() < 10,
        "{}",
        preview.sandbox.opened()
    );
}

#[tokio::test]
async fn only_our_own_host_name_is_answered() {
    let preview = Preview::of(says("the app")).await;
    let port = preview.address.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        (format!("127.0.0.1:{}", port - 1), 421),
        ("localhost".to_owned(), 421),
    ] {
        let request = Request::get("/").header("host", &host).empty();
        let response = preview.send(request).await;
        assert_eq!(response.status(), status, "{host}");
        let is_app = text(response).await.contains("the app");
        assert_eq!(is_app, status == 200, "{host}");
    }
    let request = preview
        .request("GET", "/src/App.tsx")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "no-cors");
    assert_eq!(preview.send(request.empty()).await.status(), 403);

    let mut raw = preview.raw().await;
    write(&mut raw, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut raw).await.starts_with("HTTP/1.0 400"));
}

const LARGE: usize = 50 * 1024 * 1024;

/// A body of `LARGE` bytes that counts what was taken of it.
fn large(taken: Arc<AtomicUsize>) -> impl http_body::Body<Data = Bytes, Error = io::Error> {
    const PIECE: usize = 64 * 1024;
    let pieces = futures::stream::iter(0..LARGE / PIECE).map(move |index| {
        taken.fetch_add(PIECE, Ordering::SeqCst);
        let letter = u8::try_from(index % 251).unwrap();
        Ok(Frame::data(Bytes::from(vec![letter; PIECE])))
    });
    StreamBody::new(pieces)
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let preview = Preview::of(app(|_| async { Response::new(large(Arc::default())) })).await;
    let response = preview.send(preview.request("GET", "/").empty()).await;
    let mut body = response.into_body();
    let (mut length, mut sum) = (0, 0_u64);
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        length += data.len();
        sum += data.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    let expected: u64 = (0..LARGE as u64 / 65_536)
        .map(|index| (index % 251) * 65_536)
        .sum();
    assert_eq!((length, sum), (LARGE, expected));
}

#[tokio::test]
async fn a_browser_that_does_not_read_holds_the_app_back() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let preview = Preview::of(app(move |_| {
        let counter = Arc::clone(&counter);
        async move { Response::new(large(counter)) }
    }))
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut browser = socket.connect(preview.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", preview.address);
    write(&mut browser, &request).await;
    assert!(head(&mut browser).await.starts_with("HTTP/1.1 200"));
    // Until nothing moves any more.
    let mut before = usize::MAX;
    while before != taken.load(Ordering::SeqCst) {
        before = taken.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The buffers of the kernel's socket pair, the pipe and two HTTP connections.
    assert!(before < LARGE / 4, "{before} bytes are held somewhere");
}

#[tokio::test]
async fn a_large_request_arrives_whole() {
    let preview = Preview::of(mirror()).await;
    let body = Full::from(vec![7; LARGE]);
    let request = preview.request("POST", "/").body(body).unwrap();
    let answer = text(preview.send(request).await).await;
    assert!(answer.ends_with(&format!("{LARGE} bytes")), "{answer}");
}

#[tokio::test]
async fn a_hundred_at_once_get_their_own_answers() {
    let preview = Preview::of(app(|request: Request<Incoming>| async move {
        Response::new(Full::new(Bytes::from(request.uri().path().to_owned())))
    }))
    .await;
    let paths: Vec<String> = (0..100).map(|index| format!("/{index}")).collect();
    let answers = join_all(paths.iter().map(|path| preview.get(path))).await;
    let expected: Vec<_> = paths.into_iter().map(|path| (200, path)).collect();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn events_arrive_while_the_answer_is_still_open() {
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, io::Error>>(1);
    let receive = Arc::new(std::sync::Mutex::new(Some(receive)));
    let preview = Preview::of(app(move |_| {
        let receive = receive.lock().unwrap().take().unwrap();
        async move {
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(StreamBody::new(ReceiverStream::new(receive)))
                .unwrap()
        }
    }))
    .await;
    let response = preview
        .send(preview.request("GET", "/events").empty())
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        send.send(Ok(Frame::data(Bytes::from(event))))
            .await
            .unwrap();
        let frame = soon("the event arrives", body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().into_data().unwrap(), event);
    }
}

#[tokio::test]
async fn an_app_that_dies_in_the_middle_is_not_taken_for_a_whole_answer() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let preview = Preview::of(raw_app(move |mut io| async move {
            head(&mut io).await;
            write(
                &mut io,
                &format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhel"),
            )
            .await;
        }))
        .await;
        let response = preview.send(preview.request("GET", "/").empty()).await;
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_err(), "{framing}");
    }
}

/// Answers once on every connection, and drops it at the next request.
fn forgetful() -> App {
    raw_app(|mut io| async move {
        head(&mut io).await;
        write(&mut io, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        head(&mut io).await;
    })
}

#[tokio::test]
async fn a_connection_that_went_stale_is_noticed_by_nobody() {
    let preview = Preview::of(forgetful()).await;
    for _ in 0..10 {
        assert_eq!(preview.get("/").await, (200, "ok".to_owned()));
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let preview = Preview::of(raw_app(move |mut io| {
        let counter = Arc::clone(&counter);
        async move {
            head(&mut io).await;
            write(&mut io, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            if head(&mut io).await.starts_with("POST") {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    }))
    .await;
    assert_eq!(preview.get("/").await.0, 200);
    let mut posts = 0;
    // The first of these may still find the pool empty.
    while requests.load(Ordering::SeqCst) == 0 {
        posts += 1;
        assert!(posts < 100, "the connection is never used again");
        let request = preview.request("POST", "/pay").empty();
        let status = preview.send(request).await.status();
        assert!(status == 200 || status == 502, "{status}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn answers_that_are_none_become_502() {
    for answer in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let preview = Preview::of(raw_app(move |mut io| async move {
            head(&mut io).await;
            write(&mut io, answer).await;
        }))
        .await;
        let (status, text) = soon("an answer comes", preview.get("/")).await;
        assert_eq!(status, 502, "{answer:?}");
        assert!(text.starts_with("the app does not answer"), "{text}");
    }
}
