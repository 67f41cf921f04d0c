//! WebSockets: opened, used, refused, cut.

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Preview, head, raw_app, rest, says, soon, write};

/// Agrees to a WebSocket, says its name, then sends back whatever comes.
fn echo(name: &'static str) -> App {
    raw_app(move |mut io| async move {
        let request = head(&mut io).await.to_ascii_lowercase();
        if !request.contains("upgrade: websocket") {
            write(&mut io, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage").await;
            return;
        }
        assert!(request.contains("sec-websocket-key: abc"), "{request}");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: xyz\r\n\r\n{name}"
        );
        write(&mut io, &answer).await;
        let (mut read, mut write) = tokio::io::split(io);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
}

/// Opens a WebSocket and reads the app's name.
async fn open(preview: &Preview) -> (TcpStream, String) {
    let mut raw = preview.raw().await;
    let request = format!(
        "GET /hmr HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\n",
        preview.address
    );
    write(&mut raw, &request).await;
    let answer = head(&mut raw).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    assert!(answer.contains("upgrade: websocket"), "{answer}");
    assert!(answer.contains("sec-websocket-accept: xyz"), "{answer}");
    let mut name = [0; 3];
    raw.read_exact(&mut name).await.unwrap();
    (raw, String::from_utf8(name.to_vec()).unwrap())
}

async fn echoes(socket: &mut TcpStream, text: &str) {
    write(socket, text).await;
    let mut back = vec![0; text.len()];
    soon("the echo comes", socket.read_exact(&mut back))
        .await
        .unwrap();
    assert_eq!(back, text.as_bytes());
}

#[tokio::test]
async fn bytes_go_both_ways_until_one_side_ends() {
    let preview = Preview::of(echo("one")).await;
    let (mut socket, name) = open(&preview).await;
    assert_eq!(name, "one");
    for _ in 0..100 {
        echoes(&mut socket, "\u{81}\u{7f}any bytes").await;
    }
    let large = "x".repeat(1_000_000);
    let (mut read, mut write_half) = socket.split();
    let mut back = vec![0; large.len()];
    let (sent, received) = tokio::join!(
        write_half.write_all(large.as_bytes()),
        read.read_exact(&mut back)
    );
    sent.unwrap();
    received.unwrap();
    assert_eq!(back, large.as_bytes());
    socket.shutdown().await.unwrap();
    assert_eq!(soon("the other side ends", rest(&mut socket)).await, "");
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket() {
    let preview = Preview::of(echo("one")).await;
    for origin in ["http://evil.example", "http://127.0.0.1:1", "null"] {
        let mut raw = preview.raw().await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\n",
            preview.address
        );
        write(&mut raw, &request).await;
        assert!(head(&mut raw).await.starts_with("HTTP/1.1 403"), "{origin}");
    }
    assert_eq!(preview.sandbox.opened(), 0);
}

#[tokio::test]
async fn an_app_may_refuse_and_other_upgrades_are_plain_requests() {
    let preview = Preview::of(says("no sockets here")).await;
    for upgrade in ["websocket", "h2c"] {
        let mut raw = preview.raw().await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade, close\r\nUpgrade: {upgrade}\r\n\r\n",
            preview.address
        );
        write(&mut raw, &request).await;
        let answer = soon("the answer ends", rest(&mut raw)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("no sockets here"), "{answer}");
    }
}

#[tokio::test]
async fn a_flip_cuts_the_sockets_of_the_app_before_and_no_others() {
    let preview = Preview::of(echo("one")).await;
    let (mut before, _) = open(&preview).await;
    // The same app with other files: it tells its pages itself.
    preview.sandbox.show(5173);
    preview.gateway.preview_changed(preview.project).await;
    echoes(&mut before, "still here").await;

    preview.sandbox.run(5174, echo("two"));
    preview.sandbox.show(5174);
    let (mut early, name) = open(&preview).await;
    assert_eq!(name, "two");
    preview.gateway.preview_changed(preview.project).await;
    assert_eq!(soon("the old socket ends", rest(&mut before)).await, "");
    echoes(&mut early, "the new one stays").await;

    preview.gateway.remove(preview.project).await;
    assert_eq!(soon("the removed one ends", rest(&mut early)).await, "");
}

#[tokio::test]
async fn a_socket_ends_when_its_app_dies() {
    let preview = Preview::of(raw_app(|mut io| async move {
        head(&mut io).await;
        write(
            &mut io,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: xyz\r\n\r\none",
        )
        .await;
    }))
    .await;
    let (mut socket, _) = open(&preview).await;
    assert_eq!(soon("the socket ends", rest(&mut socket)).await, "");
}

/// The same through HTTP libraries on both sides instead of raw bytes.
#[tokio::test]
async fn libraries_agree_on_the_upgrade() {
    let preview = Preview::of(raw_app(|io| async move {
        let service = hyper::service::service_fn(|mut request: Request<hyper::body::Incoming>| {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = TokioIo::new(upgrade.await.unwrap());
                write(&mut io, "hello").await;
            });
            async {
                Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header("connection", "upgrade")
                    .header("upgrade", "websocket")
                    .body(Full::<bytes::Bytes>::default())
            }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades()
            .await;
    }))
    .await;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(preview.raw().await))
            .await
            .unwrap();
    tokio::spawn(connection.with_upgrades());
    let request = preview
        .request("GET", "/")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    assert_eq!(soon("the greeting comes", rest(&mut io)).await, "hello");
}
