//! Resuming at any point gives the same history as never having been away.

use kiln_daemon::domain::id::ProjectId;
use kiln_daemon::journal::{Fence, Journal};
use proptest::prelude::{ProptestConfig, Strategy, prop};
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::support::{Database, Seen, check_history, events, output, text};

/// What happens in one case: how far each connection of the client gets, how far
/// back it then resumes, and what is written meanwhile.
#[derive(Clone, Debug)]
struct Visit {
    /// Batches that it reads before the connection breaks.
    batches: usize,
    /// Events of the end that the client had not kept: it asks for them again.
    back: i64,
    /// Events that are written while it is away.
    written: usize,
    /// Whether these may merge.
    merging: bool,
}

fn visits() -> impl Strategy<Value = Vec<Visit>> {
    let visit = (0_usize..4, 0_i64..6, 0_usize..5, proptest::bool::ANY).prop_map(
        |(batches, back, written, merging)| Visit {
            batches,
            back,
            written,
            merging,
        },
    );
    prop::collection::vec(visit, 1..6)
}

#[test]
fn a_client_that_resumes_anywhere_misses_and_doubles_nothing() {
    let runtime = Runtime::new().unwrap();
    let (database, daemon, project) = runtime.block_on(async {
        let database = Database::new().await;
        let account = database.account().await;
        let daemon = database.daemon().await;
        let project = daemon.project(account).await;
        (database, daemon, project)
    });
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&visits(), |visits| {
            runtime.block_on(case(&daemon.journal, project, &visits));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        check_history(&database.pool, project, &[]).await;
        daemon.stop().await;
        drop(database);
    });
}

async fn case(journal: &Journal, project: ProjectId, visits: &[Visit]) {
    // Somewhere in what earlier cases wrote, so that both memory and Postgres serve.
    let head = journal.head(project).await.unwrap();
    let start = (head - 40).max(0);
    let mut kept = Seen::after(start);
    let mut uninterrupted = journal.watch(project, Some(start)).await.unwrap();
    for visit in visits {
        let mut receipts = Vec::new();
        for n in 0..visit.written {
            let event = if visit.merging {
                text(format!("{n} "))
            } else {
                output(format!("{n}\n"))
            };
            let append = events(project, Fence::None, vec![event]);
            receipts.push(journal.send(append).await.unwrap());
        }
        let mut watch = journal.watch(project, Some(kept.position())).await.unwrap();
        for _ in 0..visit.batches {
            if watch.position() >= journal.head(project).await.unwrap() {
                break;
            }
            kept.push(&watch.next().await.unwrap().events);
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        let lost = usize::try_from(visit.back).unwrap().min(kept.events.len());
        kept.events.truncate(kept.events.len() - lost);
    }
    let head = journal.head(project).await.unwrap();
    let mut watch = journal.watch(project, Some(kept.position())).await.unwrap();
    while watch.position() < head {
        kept.push(&watch.next().await.unwrap().events);
    }
    let mut whole = Seen::after(start);
    while uninterrupted.position() < head {
        whole.push(&uninterrupted.next().await.unwrap().events);
    }
    assert_eq!(kept.events, whole.events);
    let sequences: Vec<i64> = whole.events.iter().map(|e| e.sequence).collect();
    assert_eq!(sequences, (start + 1..=head).collect::<Vec<_>>());
}
