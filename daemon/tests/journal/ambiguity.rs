//! The connection dies around COMMIT: nothing is lost, nothing is doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::id::ProjectId;
use kiln_daemon::journal::{Append, Fence, Journal};
use kiln_daemon::store::RowChange;
use kiln_daemon::store::projects::ProjectUpdate;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::support::{
    Cut, Daemon, Database, Proxy, check_history, events, follow, fresh_identity, output,
};

/// What was written, in order, as numbers.
async fn numbers(
    database: &Database,
    project: ProjectId,
    seen: &[&crate::support::Seen],
) -> Vec<usize> {
    check_history(&database.pool, project, seen)
        .await
        .into_iter()
        .filter_map(|recorded| match recorded.event {
            Event::StepOutput { text, .. } => {
                text.trim_start_matches("cut-here ").trim_end().parse().ok()
            }
            _ => None,
        })
        .collect()
}

/// Every append is acknowledged, although each time the statement that commits
/// it is cut: before it arrives, after it with the answer lost, or so that it
/// arrives after the writer has looked what became of it.
async fn survives(marker: &'static [u8], with_change: bool, rounds: usize, seed: u64) {
    let database = Database::new().await;
    let account = database.account().await;
    let plain = database.daemon().await;
    let (project, beside) = (plain.project(account).await, plain.project(account).await);
    let proxy = Proxy::start(&database.options, marker).await;
    let daemon = Daemon::start(proxy.options(&database.options), fresh_identity()).await;
    // Once without trouble, so that its statements are prepared.
    let line = |project, n: usize| Append {
        changes: if with_change {
            vec![RowChange::UpdateProject(ProjectUpdate {
                description: Some(format!("{n}")),
                ..ProjectUpdate::default()
            })]
        } else {
            vec![]
        },
        ..events(
            project,
            Fence::None,
            vec![output(format!("cut-here {n}\n"))],
        )
    };
    daemon.journal.append(line(project, 0)).await.unwrap();
    daemon.journal.append(line(beside, 0)).await.unwrap();
    let until = 1 + i64::try_from(rounds).unwrap();
    let watcher = follow(&plain.journal, project, 0, until);
    let mut random = StdRng::seed_from_u64(seed);
    for n in 1..rounds {
        let cut = [Cut::Before, Cut::AnswerLost, Cut::Late][random.random_range(0..3)];
        proxy.arm(cut);
        // Two projects in one batch: both or neither.
        let other = daemon.journal.enqueue(line(beside, n)).unwrap();
        let committed = daemon
            .journal
            .append(line(project, n))
            .await
            .unwrap_or_else(|error| panic!("round {n}, {cut:?}: {error}"));
        assert_eq!(committed.first, i64::try_from(n).unwrap() + 2, "{cut:?}");
        other.await.unwrap();
        assert!(!proxy.is_armed(), "round {n}: {cut:?} was not used");
    }
    let seen = watcher.await.unwrap();
    let expected: Vec<usize> = (0..rounds).collect();
    assert_eq!(numbers(&database, project, &[&seen]).await, expected);
    assert_eq!(numbers(&database, beside, &[]).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_cuts_of_the_single_statement() {
    survives(b"cut-here", false, 200, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_cuts_of_commit() {
    survives(b"COMMIT", true, 200, 2).await;
}

/// The answer never comes, and the connection does not break either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_swallows_is_given_up() {
    let database = Database::new().await;
    let account = database.account().await;
    let proxy = Proxy::start(&database.options, b"cut-here").await;
    let daemon = Daemon::start(proxy.options(&database.options), fresh_identity()).await;
    let project = daemon.project(account).await;
    proxy.arm(Cut::Swallowed);
    let append = events(project, Fence::None, vec![output("cut-here 1\n")]);
    let started = std::time::Instant::now();
    assert_eq!(daemon.journal.append(append).await.unwrap().first, 2);
    assert!(started.elapsed() > Duration::from_secs(4), "it swallowed");
    assert!(started.elapsed() < Duration::from_secs(12));
    assert_eq!(numbers(&database, project, &[]).await, [1]);
}

/// Backends are ended by the server at random while several producers write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_terminated_backends() {
    const KILLS: usize = 200;
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let projects = [
        daemon.project(account).await,
        daemon.project(account).await,
        daemon.project(account).await,
    ];
    let done = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let write = |project: ProjectId, journal: Journal| {
        let (done, acknowledged) = (Arc::clone(&done), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                let mut append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
                if n % 3 == 0 {
                    append.changes.push(RowChange::UpdateProject(ProjectUpdate {
                        description: Some(format!("{n}")),
                        ..ProjectUpdate::default()
                    }));
                }
                journal.append(append).await.unwrap();
                acknowledged.fetch_add(1, Ordering::Relaxed);
                n += 1;
            }
            n
        })
    };
    let writers: Vec<_> = projects
        .iter()
        .map(|project| write(*project, daemon.journal.clone()))
        .collect();
    let mut random = StdRng::seed_from_u64(3);
    let mut killed = 0;
    while killed < KILLS {
        // Between one commit and the next, at a random moment.
        let before = acknowledged.load(Ordering::Relaxed);
        while acknowledged.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        let spins = random.next_u32() % 3_000;
        for _ in 0..spins {
            std::hint::spin_loop();
        }
        let ended: i64 = sqlx::query_scalar(
            "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()
               and (query like 'with wanted%' or query like 'with locked%'
                    or query like 'with moved%' or query in ('COMMIT', 'BEGIN'))",
        )
        .fetch_one(&database.pool)
        .await
        .unwrap();
        killed += usize::try_from(ended).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for (project, writer) in projects.into_iter().zip(writers) {
        let written = writer.await.unwrap();
        let expected: Vec<usize> = (0..written).collect();
        assert_eq!(numbers(&database, project, &[]).await, expected);
    }
}

/// The database is away for longer than the writer's patience: its appends fail,
/// what then becomes known is not doubled, and the log goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_was_given_up_is_settled_later() {
    let database = Database::new().await;
    let account = database.account().await;
    let proxy = Proxy::start(&database.options, b"cut-here").await;
    let daemon = Daemon::start(proxy.options(&database.options), fresh_identity()).await;
    let project = daemon.project(account).await;
    let lease = daemon.journal.claim(project).await.unwrap();
    let line = |n: usize| {
        events(
            project,
            lease.fence(),
            vec![output(format!("cut-here {n}\n"))],
        )
    };
    daemon.journal.append(line(0)).await.unwrap();
    let mut watch = daemon.journal.watch(project, Some(2)).await.unwrap();
    // It lands, but for half a minute nobody can find out.
    proxy.arm(Cut::AnswerLost);
    proxy.refuse(true);
    let started = std::time::Instant::now();
    let first = daemon.journal.enqueue(line(1)).unwrap();
    let error = first.await.unwrap_err();
    assert!(
        matches!(error, kiln_daemon::journal::AppendError::Unavailable),
        "{error}"
    );
    assert!(started.elapsed() > Duration::from_secs(25));
    assert!(started.elapsed() < Duration::from_secs(40));
    proxy.refuse(false);
    assert_eq!(daemon.journal.append(line(2)).await.unwrap().first, 4);
    let mut seen = crate::support::Seen::after(2);
    while seen.position() < 4 {
        seen.push(&watch.next().await.unwrap().events);
    }
    assert_eq!(numbers(&database, project, &[&seen]).await, [0, 1, 2]);
}
