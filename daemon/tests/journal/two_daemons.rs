//! Several daemons on one database: the logs stay dense and in order, and
//! whoever watches on one sees what another writes.

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::id::ProjectId;
use kiln_daemon::fresh;
use kiln_daemon::journal::{Fence, Journal};

use crate::support::{Database, check_history, events, follow, new_project, output, text};

const EACH: usize = 150;

/// Two daemons write to the same project and to one each, as fast as they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_keep_every_log_dense() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let shared = a.project(account).await;
    let (of_a, of_b) = (a.project(account).await, b.project(account).await);
    let until = 1 + 2 * i64::try_from(EACH).unwrap();
    let watchers = [
        follow(&a.journal, shared, 0, until),
        follow(&b.journal, shared, 0, until),
        follow(&b.journal, shared, 1, until),
    ];
    let write = |journal: &Journal, project: ProjectId, who: &'static str| {
        let journal = journal.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                let append = events(project, Fence::None, vec![output(format!("{who}{n}\n"))]);
                let committed = journal.append(append).await.unwrap();
                assert_eq!(committed.first, committed.last);
            }
        })
    };
    for writer in [
        write(&a.journal, shared, "a"),
        write(&b.journal, shared, "b"),
        write(&a.journal, of_a, "a"),
        write(&b.journal, of_b, "b"),
    ] {
        writer.await.unwrap();
    }
    let mut seen = Vec::new();
    for watcher in watchers {
        seen.push(watcher.await.unwrap());
    }
    let log = check_history(&database.pool, shared, &seen.iter().collect::<Vec<_>>()).await;
    for who in ["a", "b"] {
        let written: Vec<String> = log
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::StepOutput { text, .. } if text.starts_with(who) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let expected: Vec<String> = (0..EACH).map(|n| format!("{who}{n}\n")).collect();
        assert_eq!(
            written, expected,
            "what {who} wrote is there once, in order"
        );
    }
    for project in [of_a, of_b] {
        let log = check_history(&database.pool, project, &[]).await;
        assert_eq!(log.len(), 1 + EACH);
    }
}

/// Two daemons write pieces of text to many projects in both orders at once,
/// without waiting: batches of many heads never wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_many_heads_do_not_block_each_other() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let projects: Vec<ProjectId> = (0..20).map(|_| fresh::id()).collect();
    for project in &projects {
        a.journal
            .append(new_project(*project, account))
            .await
            .unwrap();
    }
    let write = |journal: &Journal, projects: Vec<ProjectId>, who: &'static str| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            for n in 0..30 {
                for project in &projects {
                    let append = events(*project, Fence::None, vec![text(format!("<{who}{n}>"))]);
                    receipts.push(journal.send(append).await.unwrap());
                }
                tokio::task::yield_now().await;
            }
            for receipt in receipts {
                receipt.await.unwrap();
            }
        })
    };
    let backwards: Vec<ProjectId> = projects.iter().rev().copied().collect();
    let started = std::time::Instant::now();
    let writers = [
        write(&a.journal, projects.clone(), "a"),
        write(&b.journal, backwards, "b"),
    ];
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(
        started.elapsed().as_secs() < 10,
        "took {:?}: batches wait for each other",
        started.elapsed()
    );
    for project in projects {
        let log = check_history(&database.pool, project, &[]).await;
        let text: String = log
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::TextDelta { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        for who in ["a", "b"] {
            let mut rest = text.as_str();
            for n in 0..30 {
                let piece = format!("<{who}{n}>");
                assert_eq!(text.matches(&piece).count(), 1, "{piece} once in {text}");
                let at = rest.find(&piece).expect("in order");
                rest = &rest[at + piece.len()..];
            }
        }
    }
}
