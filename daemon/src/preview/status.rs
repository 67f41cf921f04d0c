//! The gateway's own corner of every preview, `/.kiln/`: what the waiting page
//! asks for each second.

use std::time::Duration;

use http::{Response, StatusCode};
use serde::Serialize;

use super::gateway::{Project, Shared};
use super::page;
use super::proxy::AnswerBody;
use super::target::{Target, Targets, WaitingPage};

/// Paths under it never reach the app.
const PREFIX: &str = "/.kiln";

/// How long an app is tried before it counts as not answering.
const TRY: Duration = Duration::from_secs(2);

/// Whether the path is the gateway's own.
pub(super) fn is_own(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the page needs to know.
#[derive(Serialize)]
struct Status {
    /// Whether a reload shows the app.
    ready: bool,
    /// What the app runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// What is going on.
    title: String,
    /// The step that runs, from 1; 0 when none does.
    position: usize,
    /// How many there are.
    count: usize,
    /// The inner part of the page, escaped.
    fragment: String,
}

/// Answers a request for one of the gateway's own paths.
pub(super) async fn answer<T: Targets>(
    shared: &Shared<T>,
    project: &Project,
    path: &str,
) -> Response<AnswerBody> {
    if path != "/.kiln/status" {
        return page::text(StatusCode::NOT_FOUND, "there is no such page\n");
    }
    let status = match shared.targets.target(project.id).await {
        // A page that says that the app does not answer waits until it does.
        Target::Ready { port, revision } => {
            let opened = tokio::time::timeout(TRY, shared.targets.open(project.id, port)).await;
            if matches!(opened, Ok(Ok(_))) {
                Status {
                    ready: true,
                    revision: Some(revision.to_string()),
                    title: "ready".to_owned(),
                    position: 0,
                    count: 0,
                    fragment: String::new(),
                }
            } else {
                waiting(&page::not_answering("it takes no connections"))
            }
        }
        Target::Waiting(page) => waiting(&page),
    };
    page::json(&status)
}

fn waiting(page: &WaitingPage) -> Status {
    Status {
        ready: false,
        revision: None,
        title: page::shown(&page.title),
        position: page.running().map_or(0, |(position, _)| position),
        count: page.steps.len(),
        fragment: page::fragment(page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corner_is_small() {
        for path in ["/.kiln", "/.kiln/", "/.kiln/status", "/.kiln/anything"] {
            assert!(is_own(path), "{path}");
        }
        for path in ["/", "/.kilnx", "/a/.kiln/status", "/src/.kiln"] {
            assert!(!is_own(path), "{path}");
        }
    }
}
