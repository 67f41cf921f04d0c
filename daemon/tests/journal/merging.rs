//! Pieces of text merge while they wait; nothing else ever does.

use kiln_daemon::domain::event::Event;
use kiln_daemon::journal::{AppendError, Committed, Fence};

use crate::support::{Database, check_history, events, output, text};

#[tokio::test]
async fn only_text_merges_and_everybody_learns_where_theirs_stands() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    // A single-threaded runtime: nothing is taken before the first await.
    let queued: Vec<_> = [
        vec![text("a")],
        vec![text("b")],
        vec![text("c"), output("one\n")],
        vec![output("two\n")],
        vec![text("d")],
        vec![],
        vec![text("e")],
        vec![Event::FileDelta {
            operation: 0,
            text: "f".into(),
        }],
        vec![Event::FileDelta {
            operation: 1,
            text: "g".into(),
        }],
    ]
    .into_iter()
    .map(|list| {
        daemon
            .journal
            .enqueue(events(project, Fence::None, list))
            .unwrap()
    })
    .collect();
    let mut places = Vec::new();
    for receipt in queued {
        let Committed { first, last } = receipt.await.unwrap();
        places.push((first, last));
    }
    assert_eq!(
        places,
        [
            (2, 2),
            (2, 2),
            (2, 3),
            (4, 4),
            (5, 5),
            (6, 5),
            (5, 5),
            (6, 6),
            (7, 7)
        ]
    );
    let log = check_history(&database.pool, project, &[]).await;
    let written: Vec<Event> = log.into_iter().skip(1).map(|r| r.event).collect();
    let file = |operation, text: &str| Event::FileDelta {
        operation,
        text: text.into(),
    };
    assert_eq!(
        written,
        [
            text("abc"),
            output("one\n"),
            output("two\n"),
            text("de"),
            file(0, "f"),
            file(1, "g"),
        ]
    );
}

#[tokio::test]
async fn text_of_different_owners_does_not_merge() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let lease = daemon.journal.claim(project).await.unwrap();
    let first = daemon
        .journal
        .enqueue(events(project, Fence::None, vec![text("a")]));
    let second = daemon
        .journal
        .enqueue(events(project, lease.fence(), vec![text("b")]));
    assert_eq!(first.unwrap().await.unwrap().last, 2);
    assert_eq!(second.unwrap().await.unwrap().last, 3);
    check_history(&database.pool, project, &[]).await;
}

/// A model may write what Postgres's own text type cannot hold.
#[tokio::test]
async fn any_text_survives() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let odd = "nul \0, escape \u{1b}[31m, \u{2028}, \u{fffd}, 👩‍👩‍👧, quote \" \\u0000 {}";
    let mut watch = daemon.journal.watch(project, None).await.unwrap();
    daemon
        .journal
        .append(events(project, Fence::None, vec![text(odd)]))
        .await
        .unwrap();
    assert_eq!(watch.next().await.unwrap().events[0].event, text(odd));
    let log = check_history(&database.pool, project, &[]).await;
    assert_eq!(log[1].event, text(odd));
}

/// A producer that is faster than the database is held back, and loses nothing.
#[tokio::test]
async fn too_much_unwritten_holds_its_producer_back() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let other = daemon.project(account).await;
    let piece = "x".repeat(30 * 1024);
    let mut taken = 0;
    let full = loop {
        match daemon
            .journal
            .enqueue(events(project, Fence::None, vec![text(piece.clone())]))
        {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, AppendError::Full), "{full}");
    assert!((20..40).contains(&taken), "{taken} pieces of 30 KiB waited");
    // Another project has room of its own.
    let quiet = daemon
        .journal
        .append(events(other, Fence::None, vec![text("quiet")]));
    quiet.await.unwrap();
    for _ in 0..100 {
        daemon
            .journal
            .send(events(project, Fence::None, vec![text(piece.clone())]))
            .await
            .unwrap();
        taken += 1;
    }
    let last = daemon
        .journal
        .append(events(project, Fence::None, vec![output("end\n")]))
        .await
        .unwrap();
    let log = check_history(&database.pool, project, &[]).await;
    assert_eq!(log.last().unwrap().sequence, last.last);
    let bytes: usize = log
        .iter()
        .map(|r| match &r.event {
            Event::TextDelta { text } => text.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(bytes, taken * piece.len());
}
