//! Asking a preview as a browser does.

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{PATIENCE, until};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Asks for `path` below the address of a preview; accepts what `accept` says.
pub(crate) async fn get(
    url: &str,
    path: &str,
    accept: &str,
) -> Result<Answer, Box<dyn std::error::Error>> {
    let authority = url
        .strip_prefix("http://")
        .ok_or("not http")?
        .trim_end_matches('/');
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get(path)
        .header("host", authority)
        .header("accept", accept)
        .body(Empty::<bytes::Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            content_type: head
                .headers
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await?;
    connection.abort();
    answer
}

/// What a preview shows at `path` now; it has to show something.
#[track_caller]
pub(crate) fn shown(url: &str, path: &str) -> impl Future<Output = Answer> {
    let (url, path) = (url.to_owned(), path.to_owned());
    async move {
        let answer = get(&url, &path, "*/*").await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }
}

/// The first answer of a preview that comes up, whatever it is; a connection
/// that is refused is none.
pub(crate) async fn first_answer(url: &str, path: &str) -> Answer {
    until("the preview answers", PATIENCE, || async {
        get(url, path, "*/*").await.ok()
    })
    .await
}

/// Waits until a preview shows something at `path` again.
pub(crate) async fn shown_again(url: &str, path: &str) -> Answer {
    until("the preview answers again", PATIENCE, || async {
        get(url, path, "*/*")
            .await
            .ok()
            .filter(|answer| answer.status == 200)
    })
    .await
}
