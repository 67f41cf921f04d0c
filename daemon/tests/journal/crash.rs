//! A durable Postgres of its own is killed again and again while daemons write:
//! what was acknowledged is there, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::id::ProjectId;
use kiln_daemon::journal::{AppendError, Fence};
use kiln_daemon::store::{self, Durability};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Cluster, Daemon, Database, check_history, events, follow, output};

const CRASHES: usize = 20;

/// What one producer was told: numbers acknowledged, and numbers whose fate it
/// does not know.
#[derive(Default)]
struct Told {
    acknowledged: Vec<(usize, i64)>,
    unknown: Vec<usize>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgres_is_killed() {
    let mut cluster = Cluster::start().await;
    let pool = store::connect(cluster.options(), 1, Durability::Required)
        .await
        .expect("a cluster as it comes is durable");
    pool.close().await;
    let database = Database::on(cluster.options()).await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let shared = a.project(account).await;
    let own = a.project(account).await;
    let done = Arc::new(AtomicBool::new(false));
    let produce = |daemon: &Daemon, project: ProjectId, from: usize| {
        let (journal, done) = (daemon.journal.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut told = Told::default();
            let mut n = from;
            while !done.load(Ordering::Relaxed) {
                let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
                match journal.append(append).await {
                    Ok(committed) => told.acknowledged.push((n, committed.first)),
                    Err(AppendError::Unavailable) => told.unknown.push(n),
                    Err(error) => panic!("{error}"),
                }
                n += 1;
            }
            told
        })
    };
    let producers = [
        (shared, produce(&a, shared, 0)),
        (shared, produce(&b, shared, 1_000_000)),
        (own, produce(&a, own, 0)),
    ];
    let mut random = StdRng::seed_from_u64(4);
    let mut outages = Vec::new();
    for crash in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..400))).await;
        let started = Instant::now();
        if crash % 2 == 0 {
            cluster.kill();
        } else {
            cluster.stop_immediately();
        }
        cluster.boot().await;
        let back = Instant::now();
        let append = events(own, Fence::None, vec![output("probe\n")]);
        a.journal.append(append).await.unwrap();
        outages.push((started.elapsed(), back.elapsed()));
    }
    done.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for (project, producer) in producers {
        told.push((project, producer.await.unwrap()));
    }
    let resumed: Vec<_> = outages.iter().map(|(_, resumed)| *resumed).collect();
    let slowest = resumed.iter().max().unwrap();
    assert!(
        *slowest < Duration::from_secs(3),
        "writing went on after {slowest:?}"
    );
    let mut total = 0;
    for project in [shared, own] {
        let head = again(|| a.journal.head(project)).await;
        let seen = again(|| follow(&b.journal, project, 0, head)).await;
        let log = check_history(&database.pool, project, &[&seen]).await;
        for (_, told) in told.iter().filter(|(of, _)| *of == project) {
            for (n, sequence) in &told.acknowledged {
                let at = usize::try_from(sequence - 1).unwrap();
                assert_eq!(log[at].event, output(format!("{n}\n")), "acknowledged");
            }
            total += told.acknowledged.len();
        }
        let mut lines: Vec<&str> = log
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::StepOutput { text, .. } if text != "probe\n" => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let written = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), written, "nothing is doubled");
        let (acknowledged, unknown) = told
            .iter()
            .filter(|(of, _)| *of == project)
            .fold((0, 0), |(a, u), (_, told)| {
                (a + told.acknowledged.len(), u + told.unknown.len())
            });
        assert!((acknowledged..=acknowledged + unknown).contains(&written));
    }
    let unknown: usize = told.iter().map(|(_, told)| told.unknown.len()).sum();
    println!(
        "{CRASHES} crashes, {total} acknowledged, {unknown} of unknown fate, writing again \
         at most {slowest:?} after the server answered"
    );
    a.stop().await;
    b.stop().await;
}

/// Reads once more while the pool still has connections to the server that is
/// gone: each failure takes one of them out.
async fn again<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(read: impl Fn() -> F) -> T {
    for _ in 0..20 {
        if let Ok(value) = read().await {
            return value;
        }
    }
    read().await.unwrap()
}
