//! After a flip nobody sees the app of before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use http::Response;
use http_body_util::Full;

use crate::support::{App, Browser, Empty, Preview, app, says, text};

/// Says on which port it runs.
fn numbered(port: u16) -> App {
    app(move |_| async move { Response::new(Full::new(Bytes::from(port.to_string()))) })
}

#[tokio::test]
async fn every_request_after_a_flip_sees_the_new_app() {
    let preview = Preview::of(numbered(5173)).await;
    preview.sandbox.run(5174, numbered(5174));
    let mut browsers = Vec::new();
    for _ in 0..6 {
        browsers.push(Browser::open(preview.address).await);
    }
    for round in 0..50 {
        let port = 5173 + round % 2;
        preview.sandbox.show(port);
        if round % 3 == 0 {
            preview.gateway.preview_changed(preview.project).await;
        }
        for _ in 0..3 {
            let asked = browsers.iter_mut().map(|browser| {
                let request = preview.request("GET", "/").empty();
                async { text(browser.send(request).await).await }
            });
            assert_eq!(join_all(asked).await, vec![port.to_string(); 6]);
        }
    }
}

#[tokio::test]
async fn flips_under_load_never_answer_with_an_app_of_earlier() {
    let preview = Arc::new(Preview::of(says("0")).await);
    // Every app has a port of its own, which tells how old it is.
    let newest = Arc::new(AtomicU16::new(5173));
    preview.sandbox.run(5173, numbered(5173));
    let askers: Vec<_> = (0..4)
        .map(|_| {
            let (preview, newest) = (Arc::clone(&preview), Arc::clone(&newest));
            tokio::spawn(async move {
                let mut browser = Browser::open(preview.address).await;
                let mut seen = 0_usize;
                while newest.load(Ordering::SeqCst) < 5273 {
                    let oldest = newest.load(Ordering::SeqCst);
                    let request = preview.request("GET", "/").empty();
                    let answer: u16 = text(browser.send(request).await).await.parse().unwrap();
                    assert!(answer >= oldest, "{answer} after {oldest}");
                    seen += 1;
                }
                seen
            })
        })
        .collect();
    for port in 5174..=5273 {
        preview.sandbox.run(port, numbered(port));
        preview.sandbox.show(port);
        newest.store(port, Ordering::SeqCst);
        preview.gateway.preview_changed(preview.project).await;
        preview.get("/").await;
    }
    for asker in askers {
        assert!(asker.await.unwrap() > 0);
    }
}
