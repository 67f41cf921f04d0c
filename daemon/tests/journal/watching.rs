//! Watching: from memory or Postgres, never with a gap, never in silence.

use std::time::Duration;

use kiln_daemon::domain;
use kiln_daemon::domain::event::Event;
use kiln_daemon::journal::{Fence, WatchError};
use kiln_daemon::store::{self, projects};

use crate::support::{Database, Seen, check_history, events, follow, output};

/// Far more than memory keeps, while one watcher reads and another does not.
#[tokio::test]
async fn a_slow_watcher_reads_from_postgres_without_a_gap() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let mut slow = daemon.journal.watch(project, Some(0)).await.unwrap();
    let mut slow_seen = Seen::after(0);
    slow_seen.push(&slow.next().await.unwrap().events);
    let quick = follow(&daemon.journal, project, 0, 10_001);
    for n in 0..1_000 {
        let ten = (0..10)
            .map(|i| output(format!("{}\n", n * 10 + i)))
            .collect();
        daemon
            .journal
            .send(events(project, Fence::None, ten))
            .await
            .unwrap();
    }
    let quick = quick.await.unwrap();
    while slow_seen.position() < 10_001 {
        let batch = slow.next().await.unwrap();
        assert!(batch.events.len() <= 512);
        assert!(batch.head >= batch.events.last().unwrap().sequence);
        slow_seen.push(&batch.events);
    }
    let log = check_history(&database.pool, project, &[&quick, &slow_seen]).await;
    assert_eq!(log.len(), 10_001);
    // And it is live again.
    let append = events(project, Fence::None, vec![output("live\n")]);
    daemon.journal.append(append).await.unwrap();
    assert_eq!(slow.next().await.unwrap().events[0].sequence, 10_002);
}

/// Pages are bounded by bytes too, and one huge event still fits through.
#[tokio::test]
async fn a_page_is_bounded_by_bytes() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    for n in 0..40 {
        let size = if n == 20 { 900 * 1024 } else { 30 * 1024 };
        let append = events(project, Fence::None, vec![output("y".repeat(size))]);
        daemon.journal.append(append).await.unwrap();
    }
    // A fresh daemon has nothing in memory.
    let reader = database.daemon().await;
    let mut watch = reader.journal.watch(project, Some(0)).await.unwrap();
    let mut seen = Seen::after(0);
    while seen.position() < 41 {
        let batch = watch.next().await.unwrap();
        let bytes: usize = batch
            .events
            .iter()
            .map(|r| match &r.event {
                Event::StepOutput { text, .. } => text.len(),
                _ => 0,
            })
            .sum();
        assert!(batch.events.len() == 1 || bytes <= 256 * 1024, "{bytes}");
        seen.push(&batch.events);
    }
    check_history(&database.pool, project, &[&seen]).await;
}

/// Somebody else wrote in between: memory has a hole, the watcher has none.
#[tokio::test]
async fn a_hole_in_memory_is_filled_from_postgres() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let mut watch = a.journal.watch(project, Some(0)).await.unwrap();
    let mut seen = Seen::after(0);
    for n in 0..10 {
        let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        a.journal.append(append).await.unwrap();
    }
    for round in 0..20 {
        for n in 0..3 {
            let append = events(
                project,
                Fence::None,
                vec![output(format!("b{round}.{n}\n"))],
            );
            b.journal.append(append).await.unwrap();
        }
        let append = events(project, Fence::None, vec![output(format!("a{round}\n"))]);
        let newest = a.journal.append(append).await.unwrap().last;
        // In every second round memory comes to two holes before anybody looks.
        while round % 2 == 1 && seen.position() < newest {
            seen.push(&watch.next().await.unwrap().events);
        }
    }
    assert_eq!(seen.position(), 91);
    check_history(&database.pool, project, &[&seen]).await;
}

/// What another daemon writes arrives without anybody here doing anything.
#[tokio::test]
async fn a_watcher_sees_what_another_daemon_writes() {
    let database = Database::new().await;
    let account = database.account().await;
    // The second to come knows of the first at once; the first learns of it later.
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let mut watch = a.journal.watch(project, None).await.unwrap();
    assert_eq!(watch.position(), 1);
    let mut fastest = Duration::MAX;
    for n in 0..5 {
        let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        b.journal.append(append).await.unwrap();
        let started = std::time::Instant::now();
        let batch = tokio::time::timeout(Duration::from_secs(10), watch.next())
            .await
            .expect("seen within 10 s")
            .unwrap();
        fastest = fastest.min(started.elapsed());
        assert_eq!(batch.events[0].event, output(format!("{n}\n")));
    }
    assert!(
        fastest < Duration::from_millis(500),
        "the hint is faster than the poll: {fastest:?}"
    );
}

#[tokio::test]
async fn positions_that_are_not_there_are_refused() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let journal = &daemon.journal;
    for n in 0..9 {
        let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        journal.append(append).await.unwrap();
    }
    let error = |result: Result<_, WatchError>| domain::Error::from(result.err().unwrap());
    let negative = journal.watch(project, Some(-1)).await.map(|_| ());
    assert!(matches!(error(negative), domain::Error::Invalid(_)));
    let ahead = journal.watch(project, Some(11)).await.map(|_| ());
    assert!(matches!(
        error(ahead),
        domain::Error::SequenceAhead { head: 10 }
    ));
    assert!(journal.watch(project, Some(10)).await.is_ok());
    let unknown = journal.watch(kiln_daemon::fresh::id(), None).await;
    assert!(matches!(
        error(unknown.map(|_| ())),
        domain::Error::NotFound
    ));

    let mut behind = journal.watch(project, Some(0)).await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();
    store::events::compact(&mut connection, project, 6)
        .await
        .unwrap();
    let compacted = journal.watch(project, Some(5)).await.map(|_| ());
    assert!(matches!(
        error(compacted),
        domain::Error::SequenceCompacted { oldest: 7 }
    ));
    let mut right = journal.watch(project, Some(6)).await.unwrap();
    assert_eq!(right.next().await.unwrap().events[0].sequence, 7);
    // One that watched before is told as well, unless memory still has it all.
    match behind.next().await {
        Ok(batch) => assert_eq!(batch.events[0].sequence, 1),
        Err(error) => assert!(matches!(error, WatchError::Compacted { oldest: 7 })),
    }
    let elsewhere = database.daemon().await;
    let mut watch = elsewhere.journal.watch(project, Some(6)).await.unwrap();
    store::events::compact(&mut connection, project, 100)
        .await
        .unwrap();
    let cut = watch.next().await;
    assert!(
        matches!(cut, Err(WatchError::Compacted { oldest: 11 })),
        "{cut:?}"
    );
    let append = events(project, Fence::None, vec![output("after\n")]);
    assert_eq!(journal.append(append).await.unwrap().first, 11);
}

#[tokio::test]
async fn a_deleted_project_ends_its_watchers_everywhere() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = b.project(account).await;
    let mut here = a.journal.watch(project, None).await.unwrap();
    let mut there = b.journal.watch(project, Some(0)).await.unwrap();
    there.next().await.unwrap();
    assert!(projects::delete(&database.pool, project).await.unwrap());
    b.journal.forget(project);
    for watch in [&mut here, &mut there] {
        let last = tokio::time::timeout(Duration::from_secs(10), watch.next())
            .await
            .expect("told within 10 s")
            .unwrap();
        assert_eq!(last.events[0].event, Event::ProjectDeleted);
        assert!(matches!(watch.next().await, Err(WatchError::Gone)));
    }
}

/// Dropping `next` in the middle, again and again, loses and doubles nothing.
#[tokio::test]
async fn waiting_can_be_given_up_at_any_moment() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let journal = daemon.journal.clone();
    let writer = tokio::spawn(async move {
        for n in 0..500 {
            let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
            journal.append(append).await.unwrap();
        }
    });
    let mut watch = daemon.journal.watch(project, Some(0)).await.unwrap();
    let mut seen = Seen::after(0);
    let mut given_up = 0;
    while seen.position() < 501 {
        tokio::select! {
            biased;
            batch = watch.next() => seen.push(&batch.unwrap().events),
            () = tokio::task::yield_now() => given_up += 1,
        }
    }
    writer.await.unwrap();
    assert!(given_up > 100, "{given_up}");
    check_history(&database.pool, project, &[&seen]).await;
}

#[tokio::test]
async fn a_thousand_watchers_see_the_same() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let watchers: Vec<_> = (0..1_000)
        .map(|_| follow(&daemon.journal, project, 0, 201))
        .collect();
    for n in 0..200 {
        let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        daemon.journal.append(append).await.unwrap();
    }
    let mut seen = Vec::new();
    for watcher in watchers {
        seen.push(watcher.await.unwrap());
    }
    check_history(&database.pool, project, &seen.iter().collect::<Vec<_>>()).await;
}

/// A crowd that lags behind memory reads from Postgres, and takes neither its
/// connections from everybody else nor a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagging_crowd_leaves_the_pool_to_others() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let mut watches = Vec::new();
    for n in 0..300 {
        let mut watch = daemon.journal.watch(project, Some(0)).await.unwrap();
        // Not all at the same place.
        if n % 3 == 0 {
            watch.next().await.unwrap();
        }
        watches.push(watch);
    }
    for n in 0..600 {
        let ten = (0..10)
            .map(|i| output(format!("{}\n", n * 10 + i)))
            .collect();
        let append = events(project, Fence::None, ten);
        daemon.journal.send(append).await.unwrap();
    }
    let append = events(project, Fence::None, vec![output("end\n")]);
    let end = daemon.journal.append(append).await.unwrap().last;
    let crowd: Vec<_> = watches
        .into_iter()
        .map(|mut watch| {
            tokio::spawn(async move {
                let mut seen = Seen::after(watch.position());
                while seen.position() < end {
                    seen.push(&watch.next().await.unwrap().events);
                }
                seen
            })
        })
        .collect();
    // Meanwhile anybody else gets a connection.
    for _ in 0..20 {
        assert_eq!(daemon.journal.head(project).await.unwrap(), end);
    }
    let mut seen = Vec::new();
    for watcher in crowd {
        seen.push(watcher.await.unwrap());
    }
    check_history(&database.pool, project, &seen.iter().collect::<Vec<_>>()).await;
}
