//! A deployment of its own for each test, and what looks at it from outside.

pub(crate) mod api;
mod daemon;
pub(crate) mod database;
mod deployment;
pub(crate) mod docker;
pub(crate) mod http;
pub(crate) mod model;
mod ran;
pub(crate) mod terminal;

use std::time::Duration;

pub(crate) use daemon::Daemon;
pub(crate) use deployment::{Deployment, ready};
pub(crate) use ran::Ran;

/// Nothing in these tests takes longer, on the slowest machine. Below what
/// nextest allows a test, so that a test that waits in vain still cleans up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for `look` to find something, `limit` at most.
pub(crate) async fn until<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let find = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            // Between two looks; nothing is assumed to be over after it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, find)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {limit:?}"))
}
