//! Addresses, limits and the end.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kiln_daemon::fresh;
use kiln_daemon::preview::Limits;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{Empty, Preview, app, head, raw_app, rest, says, soon, write};

#[tokio::test]
async fn a_project_keeps_its_address() {
    let preview = Preview::of(says("the app")).await;
    assert!(preview.address.ip().is_loopback());
    let port = preview.address.port();
    for asked in [0, port] {
        let again = preview
            .gateway
            .ensure(preview.project, asked)
            .await
            .unwrap();
        assert_eq!(again, preview.address);
    }
    assert!(TcpStream::connect(("::1", port)).await.is_ok());

    preview.gateway.remove(preview.project).await;
    soon("the listener closes", async {
        while TcpStream::connect(preview.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let again = preview.gateway.ensure(preview.project, port).await.unwrap();
    assert_eq!(again, preview.address);
    assert_eq!(preview.get("/").await.0, 200);
}

#[tokio::test]
async fn a_port_of_another_program_is_an_error() {
    let preview = Preview::of(says("the app")).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = preview.gateway.ensure(fresh::id(), port).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    // A move that fails leaves the project where it was.
    let error = preview
        .gateway
        .ensure(preview.project, port)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(preview.get("/").await.0, 200);
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let limits = Limits {
        connections_per_project: 2,
        ..Limits::default()
    };
    let preview = Preview::with(limits, says("the app")).await;
    let get = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", preview.address);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut raw = preview.raw().await;
        write(&mut raw, &get).await;
        assert!(head(&mut raw).await.starts_with("HTTP/1.1 200"));
        held.push(raw);
    }
    let mut third = preview.raw().await;
    let answer = soon("the third is answered", rest(&mut third)).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(answer.contains(&format!("Content-Length: {}\r\n", body.len())));

    drop(held);
    soon("there is room again", async {
        loop {
            let mut raw = preview.raw().await;
            let close = get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
            write(&mut raw, &close).await;
            if rest(&mut raw).await.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn slow_and_large_headers_are_refused() {
    let limits = Limits {
        header_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let preview = Preview::with(limits, says("the app")).await;
    let mut slow = preview.raw().await;
    let started = Instant::now();
    write(&mut slow, "GET / HTTP/1.1\r\nHost: ").await;
    soon("the slow one is closed", rest(&mut slow)).await;
    assert!(started.elapsed() >= limits.header_time);

    let preview = Preview::of(says("the app")).await;
    let large = preview
        .request("GET", "/")
        .header("x-large", "x".repeat(limits.header_bytes));
    assert_eq!(preview.send(large.empty()).await.status(), 431);

    let preview = Preview::of(raw_app(|mut io| async move {
        head(&mut io).await;
        let large = "x".repeat(1024 * 1024);
        // The gateway hangs up before it has taken all of it.
        let answer = format!("HTTP/1.1 200 OK\r\nX-Large: {large}\r\n\r\n");
        let _ = tokio::io::AsyncWriteExt::write_all(&mut io, answer.as_bytes()).await;
    }))
    .await;
    assert_eq!(preview.get("/").await.0, 502);
}

#[tokio::test]
async fn a_shutdown_lets_answers_end() {
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, io::Error>>(1);
    let receive = std::sync::Arc::new(std::sync::Mutex::new(Some(receive)));
    let preview = Preview::of(app(move |_| {
        let receive = receive.lock().unwrap().take().unwrap();
        async move { Response::new(StreamBody::new(ReceiverStream::new(receive))) }
    }))
    .await;
    let response = preview.send(preview.request("GET", "/").empty()).await;
    let (address, project) = (preview.address, preview.project);
    let shutdown = preview.gateway.shutdown(Duration::from_secs(60));
    let rest = async {
        soon("the listener closes", async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        send.send(Ok(Frame::data(Bytes::from("the rest"))))
            .await
            .unwrap();
        drop(send);
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let ((), rest) = soon("all ends", async { tokio::join!(shutdown, rest) }).await;
    assert_eq!(rest, "the rest");
    let error = preview.gateway.ensure(project, 0).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_end() {
    let (_send, receive) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, io::Error>>(1);
    let receive = std::sync::Arc::new(std::sync::Mutex::new(Some(receive)));
    let preview = Preview::of(app(move |_| {
        let receive = receive.lock().unwrap().take().unwrap();
        async move { Response::new(StreamBody::new(ReceiverStream::new(receive))) }
    }))
    .await;
    let response = preview.send(preview.request("GET", "/").empty()).await;
    // A connection that has not asked for anything yet.
    let mut idle = preview.raw().await;
    let shutdown = preview.gateway.shutdown(Duration::from_millis(200));
    soon("the shutdown ends", shutdown).await;
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(rest(&mut idle).await, "");
}
