//! Asks a dev server what a browser would ask: the page, then every script,
//! style and module that it pulls in, each with the right status and content
//! type. It reads bounded amounts and follows nothing off the origin.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::references::{Kind, Reference, of_html, of_module};

/// Files fetched at most; a page with more passes on what was looked at.
const FETCHED_MAX: usize = 300;

/// Bytes read of one file; modules of development servers are large.
const BODY_MAX: usize = 8 << 20;

/// For one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing answers yet, or the connection broke: worth another try.
    NotYet(String),
    /// It answers, and wrongly.
    Wrong(String),
}

/// Opens connections to the dev server.
pub(super) trait Dial {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one.
    fn dial(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}

/// Fetches the page and what it pulls in; says how many files answered.
pub(super) async fn page(dial: &impl Dial) -> Result<usize, Fault> {
    let (status, content_type, body) = fetch(dial, "/", "text/html,*/*;q=0.8").await?;
    if status >= 500 {
        return Err(Fault::Wrong(format!(
            "the page answers {status}: {}",
            excerpt(&body)
        )));
    }
    if status >= 400 {
        return Err(Fault::Wrong(format!("the page answers {status}")));
    }
    if !content_type.to_ascii_lowercase().starts_with("text/html") {
        // An API has no page: that it answers is all that can be asked of it.
        return Ok(1);
    }
    let html = String::from_utf8_lossy(&body);
    let mut waiting: VecDeque<Reference> = of_html(&html).into();
    let mut seen: BTreeSet<Reference> = waiting.iter().cloned().collect();
    let mut fetched = 1;
    while let Some(reference) = waiting.pop_front() {
        if fetched >= FETCHED_MAX {
            break;
        }
        let (status, content_type, body) = fetch(dial, &reference.path, "*/*").await?;
        fetched += 1;
        let name = reference.kind.name();
        let path = &reference.path;
        if status >= 400 {
            return Err(Fault::Wrong(format!(
                "the {name} {path} answers {status}: {}",
                excerpt(&body)
            )));
        }
        if !reference.kind.accepts(&content_type) {
            return Err(Fault::Wrong(format!(
                "the {name} {path} answers with the content type \"{content_type}\": the file is probably missing"
            )));
        }
        if reference.kind == Kind::Module {
            for next in of_module(path, &String::from_utf8_lossy(&body)) {
                if seen.insert(next.clone()) {
                    waiting.push_back(next);
                }
            }
        }
    }
    Ok(fetched)
}

async fn fetch(dial: &impl Dial, path: &str, accept: &str) -> Result<(u16, String, Bytes), Fault> {
    let request = async {
        let stream = dial.dial().await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = http::Request::get(path)
            .header("host", "localhost")
            .header("accept", accept)
            .header("connection", "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let answer = async move {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let content_type = response
                .headers()
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned();
            let body = Limited::new(response.into_body(), BODY_MAX)
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            Ok((status, content_type, body))
        };
        // The connection is driven here, so that nothing outlives the request.
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        let mut open = true;
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                _ = &mut connection, if open => open = false,
            }
        }
    };
    tokio::time::timeout(REQUEST_LIMIT, request)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", REQUEST_LIMIT.as_secs())))
        .map_err(|error: String| Fault::NotYet(format!("{path}: {error}")))
}

/// The telling part of an error page: Vite puts its message into JSON in a
/// script, others into the body.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let message = text
        .split_once("\"message\":\"")
        .map(|(_, rest)| {
            let end = rest
                .char_indices()
                .find(|(index, c)| *c == '"' && !rest[..*index].ends_with('\\'))
                .map_or(rest.len(), |(index, _)| index);
            rest[..end].replace("\\n", "\n").replace("\\\"", "\"")
        })
        .unwrap_or_else(|| text.trim().to_owned());
    message.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// A site: path to status, content type, body.
    #[derive(Clone)]
    struct Site(Arc<HashMap<&'static str, (u16, &'static str, &'static str)>>);

    impl Dial for Site {
        type Stream = DuplexStream;

        async fn dial(&self) -> std::io::Result<DuplexStream> {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let site = Arc::clone(&self.0);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(theirs.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap();
                let (status, content_type, body) = site.get(path).copied().unwrap_or((
                    200,
                    "text/html",
                    "the page, as Vite answers for what is missing",
                ));
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                theirs.write_all(answer.as_bytes()).await.unwrap();
            });
            Ok(ours)
        }
    }

    fn site(files: &[(&'static str, (u16, &'static str, &'static str))]) -> Site {
        let mut all: HashMap<_, _> = [
            (
                "/",
                (
                    200,
                    "text/html",
                    "<script type=module src=/main.js></script><link rel=stylesheet href=/a.css>",
                ),
            ),
            ("/a.css", (200, "text/css", "")),
            (
                "/main.js",
                (200, "text/javascript", "import x from \"/app.js\";"),
            ),
            ("/app.js", (200, "text/javascript", "export default 1")),
        ]
        .into();
        all.extend(files.iter().copied());
        Site(Arc::new(all))
    }

    async fn wrong(files: &[(&'static str, (u16, &'static str, &'static str))]) -> String {
        match page(&site(files)).await {
            Err(Fault::Wrong(text)) => text,
            other => panic!("expected a fault, got {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_whole_page_passes() {
        assert_eq!(page(&site(&[])).await, Ok(4));
    }

    #[tokio::test]
    async fn a_missing_module_answered_with_the_page_is_a_fault() {
        let text = wrong(&[("/main.js", (200, "text/javascript", "import \"/gone.js\""))]).await;
        assert!(
            text.contains("/gone.js") && text.contains("missing"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_transform_error_deep_in_the_graph_is_a_fault_with_its_message() {
        let text = wrong(&[(
            "/app.js",
            (
                500,
                "text/html",
                r#"{"message":"unexpected \"token\"\nline 2"}"#,
            ),
        )])
        .await;
        assert!(
            text.contains("/app.js answers 500: unexpected \"token\"\nline 2"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_style_with_the_wrong_type_is_a_fault() {
        let text = wrong(&[("/a.css", (200, "text/html", ""))]).await;
        assert!(text.contains("style sheet /a.css"), "{text}");
    }

    #[tokio::test]
    async fn a_page_that_fails_is_a_fault() {
        assert!(
            wrong(&[("/", (500, "text/plain", "boom"))])
                .await
                .contains("boom")
        );
    }

    #[tokio::test]
    async fn an_api_without_a_page_passes() {
        assert_eq!(
            page(&site(&[("/", (200, "application/json", "{}"))])).await,
            Ok(1)
        );
    }
}
