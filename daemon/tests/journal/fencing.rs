//! Ownership of a project: one owner, and an old one writes nothing.

use kiln_daemon::journal::{AppendError, ClaimError, Fence, Lease};

use crate::support::{Daemon, Database, check_history, events, output};

/// As if a daemon had not been heard of for 16 s.
async fn silence(database: &Database, daemon: &Daemon) {
    sqlx::query("update daemons set seen_at = now() - interval '16 seconds' where id = $1")
        .bind(daemon.identity.daemon_id.uuid())
        .execute(&database.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_zombie_writes_nothing() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let old = a.journal.claim(project).await.unwrap();
    let line = |lease: Lease, text: &str| events(project, lease.fence(), vec![output(text)]);
    a.journal.append(line(old, "mine\n")).await.unwrap();

    let held = b.journal.claim(project).await;
    assert!(matches!(held, Err(ClaimError::Held)), "{held:?}");
    silence(&database, &a).await;
    let new = b.journal.claim(project).await.unwrap();
    assert_eq!(new.epoch, old.epoch + 1);
    b.journal.append(line(new, "taken over\n")).await.unwrap();

    for _ in 0..3 {
        let refused = a.journal.append(line(old, "zombie\n")).await;
        assert!(matches!(refused, Err(AppendError::Fenced)), "{refused:?}");
    }
    // What users ask for is not fenced.
    let append = events(project, Fence::None, vec![output("a user\n")]);
    a.journal.append(append).await.unwrap();
    let log = check_history(&database.pool, project, &[]).await;
    let expected = ["mine\n", "taken over\n", "a user\n"].map(output);
    let written: Vec<_> = log.into_iter().skip(1).map(|r| r.event).collect();
    assert_eq!(written, expected);
}

#[tokio::test]
async fn an_owner_that_nobody_replaced_goes_on() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, _b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let lease = a.journal.claim(project).await.unwrap();
    silence(&database, &a).await;
    let append = events(project, lease.fence(), vec![output("still here\n")]);
    let committed = a.journal.append(append).await.unwrap();
    assert_eq!(committed.first, 2);
}

#[tokio::test]
async fn a_released_project_is_free_and_its_old_epoch_still_fenced() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let first = a.journal.claim(project).await.unwrap();
    a.journal.release(first).await.unwrap();
    let second = b.journal.claim(project).await.unwrap();
    // Releasing what was taken over does nothing.
    a.journal.release(first).await.unwrap();
    assert!(matches!(
        a.journal.claim(project).await,
        Err(ClaimError::Held)
    ));
    // Claiming again as the owner fences the own older run.
    let third = b.journal.claim(project).await.unwrap();
    let refused = b
        .journal
        .append(events(project, second.fence(), vec![output("old run\n")]))
        .await;
    assert!(matches!(refused, Err(AppendError::Fenced)));
    b.journal
        .append(events(project, third.fence(), vec![output("new run\n")]))
        .await
        .unwrap();
    let gone = b.journal.claim(kiln_daemon::fresh::id()).await;
    assert!(matches!(gone, Err(ClaimError::Gone)));
}

/// A fenced append in the middle of a busy batch takes nothing with it.
#[tokio::test]
async fn only_the_fenced_append_of_a_batch_fails() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let old = daemon.journal.claim(project).await.unwrap();
    let new = daemon.journal.claim(project).await.unwrap();
    let mut receipts = Vec::new();
    for n in 0..20 {
        let lease = if n % 4 == 1 { old } else { new };
        let append = events(project, lease.fence(), vec![output(format!("{n}\n"))]);
        receipts.push((n, daemon.journal.enqueue(append).unwrap()));
    }
    for (n, receipt) in receipts {
        match receipt.await {
            Ok(_) => assert_ne!(n % 4, 1),
            Err(AppendError::Fenced) => assert_eq!(n % 4, 1),
            Err(other) => panic!("{other}"),
        }
    }
    let log = check_history(&database.pool, project, &[]).await;
    assert_eq!(log.len(), 1 + 15);
}
