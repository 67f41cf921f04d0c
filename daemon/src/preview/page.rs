//! What the gateway itself answers: the waiting page, and short texts.
//!
//! Everything in a page may come from a sandbox or a model, so all of it is
//! cut, freed of control characters and escaped; the page's policy lets no
//! script run but its own, and loads nothing from anywhere.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use serde::Serialize;

use super::proxy::AnswerBody;
use super::target::WaitingPage;
use crate::fresh;

/// Characters of one line at most.
const LINE_MAX: usize = 400;

/// Lines of output at most.
const LOG_MAX: usize = 40;

/// Characters of an error at most.
const ERROR_MAX: usize = 4000;

/// Steps at most.
const STEPS_MAX: usize = 32;

/// What kind of answer a request hopes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    wants_page: bool,
}

impl Asked {
    /// Reads it off the request: only what is shown in a window gets a page. A
    /// script that got one would fail in a way that explains nothing.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let value = |name| {
            let value = request.headers().get(name).map(HeaderValue::to_str);
            value.and_then(Result::ok)
        };
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let accepts = value(ACCEPT).is_some_and(|accept| accept.contains("text/html"));
        let is_window = match value(HeaderName::from_static("sec-fetch-dest")) {
            Some(dest) => matches!(dest, "document" | "iframe" | "frame" | "embed" | "object"),
            None => true,
        };
        Self {
            wants_page: reads && accepts && is_window,
        }
    }
}

/// There is nothing to show yet.
pub(super) fn waiting(asked: &Asked, page: &WaitingPage) -> Response<AnswerBody> {
    answer(asked, StatusCode::SERVICE_UNAVAILABLE, page)
}

/// There should be, but the app does not answer.
pub(super) fn bad_gateway(asked: &Asked, detail: &str) -> Response<AnswerBody> {
    answer(asked, StatusCode::BAD_GATEWAY, &not_answering(detail))
}

/// What is said of an app that does not answer.
pub(super) fn not_answering(detail: &str) -> WaitingPage {
    WaitingPage {
        title: "the app does not answer".to_owned(),
        error: Some(detail.to_owned()),
        ..WaitingPage::default()
    }
}

/// A short plain text.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<AnswerBody> {
    build(status, "text/plain; charset=utf-8", text.into())
}

/// A value for the gateway's own script.
pub(super) fn json(value: &impl Serialize) -> Response<AnswerBody> {
    let bytes = serde_json::to_vec(value).expect("plain structs of strings and numbers");
    build(StatusCode::OK, "application/json", bytes.into())
}

fn answer(asked: &Asked, status: StatusCode, page: &WaitingPage) -> Response<AnswerBody> {
    let mut response = if asked.wants_page {
        html(status, page)
    } else {
        text(status, format!("{}\n", summary(page)))
    };
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn html(status: StatusCode, page: &WaitingPage) -> Response<AnswerBody> {
    let nonce: String = fresh::secret()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let html = include_str!("page.html")
        .replace("{nonce}", &nonce)
        .replace("{title}", &escaped(&shown(&page.title)))
        .replace("{fragment}", &fragment(page));
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'"
    );
    let mut response = build(status, "text/html; charset=utf-8", html.into());
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).expect("a nonce is hexadecimal"),
    );
    response
}

fn build(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page in one sentence: "building, step 3 of 5: install".
fn summary(page: &WaitingPage) -> String {
    let mut summary = shown(&page.title);
    if let Some((position, step)) = page.running() {
        let _ = write!(
            summary,
            ", step {position} of {}: {}",
            page.steps.len(),
            shown(&step.title)
        );
    }
    if let Some(error) = &page.error {
        let _ = write!(summary, ": {}", shown(error));
    }
    summary
}

/// The inner part of the page.
pub(super) fn fragment(page: &WaitingPage) -> String {
    let mut html = format!("<h1>{}</h1>", escaped(&shown(&page.title)));
    if let Some((position, _)) = page.running() {
        let _ = write!(html, "<p>step {position} of {}</p>", page.steps.len());
    }
    if !page.steps.is_empty() {
        html.push_str("<ol>");
        for step in page.steps.iter().take(STEPS_MAX) {
            let _ = write!(
                html,
                "<li class=\"{}\"><span>{}</span>",
                step.state.as_str(),
                escaped(&shown(&step.title))
            );
            if let Some(duration) = step.duration {
                let _ = write!(html, "<time>{}</time>", readable(duration));
            }
            html.push_str("</li>");
        }
        html.push_str("</ol>");
    }
    if let Some(error) = &page.error {
        let error = plain(error, ERROR_MAX, Lines::Keep);
        let _ = write!(html, "<pre class=\"error\">{}</pre>", escaped(&error));
    }
    if !page.log.is_empty() {
        html.push_str("<pre>");
        for line in &page.log[page.log.len().saturating_sub(LOG_MAX)..] {
            html.push_str(&escaped(&shown(line)));
            html.push('\n');
        }
        html.push_str("</pre>");
    }
    html
}

/// A text on one line, as it is shown.
pub(super) fn shown(text: &str) -> String {
    plain(text, LINE_MAX, Lines::Join)
}

fn readable(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Keep,
    Join,
}

/// The text without control characters and terminal colours, cut.
fn plain(text: &str, max: usize, lines: Lines) -> String {
    let mut plain = String::new();
    let mut length = 0;
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter == '\u{1b}' {
            skip_escape(&mut rest);
            continue;
        }
        if length == max {
            plain.push('…');
            break;
        }
        match letter {
            '\n' if lines == Lines::Keep => plain.push('\n'),
            '\n' | '\t' => plain.push(' '),
            letter if letter.is_control() || is_invisible(letter) => continue,
            letter => plain.push(letter),
        }
        length += 1;
    }
    plain
}

/// Passes over what follows ESC: `[`, parameters and a final letter, or one letter.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if rest.next_if_eq(&'[').is_none() {
        rest.next();
        return;
    }
    while let Some(letter) = rest.next_if(|letter| (' '..='~').contains(letter)) {
        if ('@'..='~').contains(&letter) {
            return;
        }
    }
}

/// Characters that turn text round or hide in it.
const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // The places of the template itself.
            '{' => escaped.push_str("&#123;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::target::{StepState, WaitingStep};
    use super::*;

    fn step(title: &str, state: StepState, millis: Option<u64>) -> WaitingStep {
        WaitingStep {
            title: title.into(),
            state,
            duration: millis.map(Duration::from_millis),
        }
    }

    fn building() -> WaitingPage {
        WaitingPage {
            title: "building".into(),
            steps: vec![
                step("copy the files", StepState::Passed, Some(40)),
                step("install", StepState::Running, Some(2_340)),
                step("start", StepState::Pending, None),
            ],
            error: None,
            log: vec!["bun install v1".into()],
        }
    }

    #[test]
    fn the_steps_are_listed_with_their_times() {
        assert_eq!(
            fragment(&building()),
            "<h1>building</h1><p>step 2 of 3</p><ol>\
             <li class=\"passed\"><span>copy the files</span><time>40 ms</time></li>\
             <li class=\"running\"><span>install</span><time>2.3 s</time></li>\
             <li class=\"pending\"><span>start</span></li></ol>\
             <pre>bun install v1\n</pre>"
        );
        assert_eq!(summary(&building()), "building, step 2 of 3: install");
        assert_eq!(readable(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn nothing_untrusted_becomes_markup() {
        let hostile =
            "<script>alert(1)</script>\" onload='x' {nonce} & \u{1b}[31mred\u{1b}[0m\u{202e}";
        let page = WaitingPage {
            title: hostile.into(),
            steps: vec![step(hostile, StepState::Failed, None)],
            error: Some(hostile.into()),
            log: vec![hostile.into()],
        };
        let response = html(StatusCode::SERVICE_UNAVAILABLE, &page);
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        let fragment = fragment(&page);
        let clean =
            "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &#123;nonce} &amp; red";
        assert_eq!(
            fragment,
            format!(
                "<h1>{clean}</h1><ol><li class=\"failed\"><span>{clean}</span></li></ol>\
                 <pre class=\"error\">{clean}</pre><pre>{clean}\n</pre>"
            )
        );
    }

    #[test]
    fn texts_are_cut_and_freed_of_what_does_not_show() {
        assert_eq!(plain("abcdef", 3, Lines::Join), "abc…");
        assert_eq!(plain("abc", 3, Lines::Join), "abc");
        assert_eq!(plain("a\nb\tc\r\0", 9, Lines::Join), "a b c");
        assert_eq!(plain("a\nb", 9, Lines::Keep), "a\nb");
        assert_eq!(
            plain("\u{1b}[1;31mx\u{1b}[K\u{1b}cy\u{1b}", 9, Lines::Join),
            "xy"
        );
        let long = WaitingPage {
            log: vec!["x".repeat(100_000); 1_000],
            error: Some("e".repeat(100_000)),
            ..building()
        };
        assert!(fragment(&long).len() < 32 * 1024);
    }

    #[test]
    fn only_windows_get_a_page() {
        let asked = |method: &str, headers: &[(&'static str, &str)]| {
            let mut request = Request::builder().method(method).uri("/");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            Asked::of(&request.body(()).unwrap()).wants_page
        };
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(asked("GET", &[html]));
        assert!(asked("HEAD", &[html]));
        assert!(asked("GET", &[html, ("sec-fetch-dest", "document")]));
        assert!(!asked("POST", &[html]));
        assert!(!asked("GET", &[html, ("sec-fetch-dest", "script")]));
        assert!(!asked("GET", &[("accept", "*/*")]));
        assert!(!asked("GET", &[]));
    }
}
