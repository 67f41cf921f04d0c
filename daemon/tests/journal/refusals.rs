//! What is refused is refused alone, with nothing of it written.

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::generation::{Ending, GenerationState, Outcome, Usage};
use kiln_daemon::domain::id::GenerationId;
use kiln_daemon::journal::{Append, AppendError, Fence, Receipt};
use kiln_daemon::store::generations::Start;
use kiln_daemon::store::request_ids::RequestRecord;
use kiln_daemon::store::{RowChange, StoreError, generations, projects, request_ids};
use kiln_daemon::{domain, fresh};
use uuid::Uuid;

use crate::support::{
    Account, Database, check_history, events, eventually, new_generation, new_project, output,
};

fn refusal(error: &AppendError) -> &StoreError {
    match error {
        AppendError::Refused(error) => error,
        other => panic!("{other}"),
    }
}

fn ending(outcome: Outcome) -> Ending {
    Ending {
        outcome,
        failure_reason: None,
        message: String::new(),
        revision_id: None,
        usage: Usage::default(),
        attempts: 0,
        preview_url: None,
    }
}

fn finish(project: domain::id::ProjectId, generation: GenerationId, change: bool) -> Append {
    let ending = ending(Outcome::Ready);
    Append {
        project,
        fence: Fence::None,
        generation: Some(generation),
        events: vec![Event::GenerationFinished(ending.clone())],
        changes: if change {
            vec![RowChange::FinishGeneration {
                generation_id: generation,
                ending,
            }]
        } else {
            vec![]
        },
    }
}

/// One append among many, in one batch, whose change cannot be: it alone fails.
#[tokio::test]
async fn only_the_guilty_append_fails() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let other = daemon.project(account).await;
    let generation = daemon.generation(account, project).await;
    let mut receipts: Vec<(bool, Receipt)> = Vec::new();
    for n in 0..30 {
        let guilty = n % 10 == 5;
        let mut append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        if guilty {
            append.changes = vec![
                // Done, and taken back with the second.
                RowChange::SetGenerationState {
                    generation_id: generation,
                    state: GenerationState::Generating,
                },
                RowChange::SetGenerationState {
                    generation_id: generation,
                    state: GenerationState::Queued,
                },
            ];
        }
        receipts.push((guilty, daemon.journal.enqueue(append).unwrap()));
        let beside = events(other, Fence::None, vec![output(format!("{n}\n"))]);
        receipts.push((false, daemon.journal.enqueue(beside).unwrap()));
    }
    for (guilty, receipt) in receipts {
        match receipt.await {
            Ok(_) => assert!(!guilty),
            Err(error) => {
                assert!(guilty, "{error}");
                assert!(matches!(refusal(&error), StoreError::Conflict), "{error}");
            }
        }
    }
    let log = check_history(&database.pool, project, &[]).await;
    assert_eq!(log.len(), 2 + 27);
    assert_eq!(
        check_history(&database.pool, other, &[]).await.len(),
        1 + 30
    );
    let generation = generations::get_unscoped(&database.pool, generation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(generation.state, GenerationState::Preparing);
}

#[tokio::test]
async fn a_generation_ends_once() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let generation = daemon.generation(account, project).await;
    // Both at once: one of them wins, in the same batch or not.
    let first = daemon
        .journal
        .enqueue(finish(project, generation, true))
        .unwrap();
    let second = daemon
        .journal
        .enqueue(finish(project, generation, true))
        .unwrap();
    first.await.unwrap();
    let refused = second.await.unwrap_err();
    assert!(matches!(refusal(&refused), StoreError::Conflict));
    // Not even an event without a change gets through.
    let refused = daemon
        .journal
        .append(finish(project, generation, false))
        .await
        .unwrap_err();
    assert!(matches!(refusal(&refused), StoreError::Conflict));
    // Nor does anything else of it come after the end.
    let late = Append {
        changes: vec![RowChange::SetGenerationState {
            generation_id: generation,
            state: GenerationState::Generating,
        }],
        ..events(project, Fence::None, vec![output("late\n")])
    };
    assert!(daemon.journal.append(late).await.is_err());
    let log = check_history(&database.pool, project, &[]).await;
    assert_eq!(log.iter().filter(|r| r.event.is_terminal()).count(), 1);
    assert_eq!(log.len(), 3);
}

#[tokio::test]
async fn one_generation_runs_at_a_time() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let project = a.project(account).await;
    let start = |start| new_generation(fresh::id(), account, project, start);
    let mut running = None;
    let mut refused = 0;
    for result in futures::future::join_all((0..20).map(|n| {
        if n % 2 == 0 { &a } else { &b }
            .journal
            .append(start(Start::Now))
    }))
    .await
    {
        match result {
            Ok(_) => running = Some(()),
            Err(error) => {
                assert!(error.running().is_some(), "{error}");
                assert!(matches!(
                    domain::Error::from(error),
                    domain::Error::GenerationRunning(_)
                ));
                refused += 1;
            }
        }
    }
    assert_eq!((running, refused), (Some(()), 19));
    a.journal.append(start(Start::Queued)).await.unwrap();
    let queued = generations::next_queued(&database.pool, project)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(queued.first_sequence, 3);
    let project = projects::get(&database.pool, account.user, project)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(project.agent_state, Some(GenerationState::Preparing));
    assert_ne!(project.running_generation_id, Some(queued.id));
    assert_eq!(
        check_history(&database.pool, project.id, &[]).await.len(),
        3
    );
}

#[tokio::test]
async fn a_project_that_is_gone_takes_nothing() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let append = events(project, Fence::None, vec![output("x\n")]);
    daemon.journal.append(append.clone()).await.unwrap();
    assert!(projects::delete(&database.pool, project).await.unwrap());
    let gone = daemon.journal.append(append).await;
    assert!(matches!(gone, Err(AppendError::ProjectGone)), "{gone:?}");
    let rows: i64 = sqlx::query_scalar("select count(*) from events")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

/// Nobody listened for a failure: then the owner's next append hears of it, so
/// that a text never gets a hole that its writer does not know of.
#[tokio::test]
async fn a_failure_that_nobody_heard_is_told_to_the_next() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let lease = daemon.journal.claim(project).await.unwrap();
    let line = |text: &str| events(project, lease.fence(), vec![output(text)]);
    let guilty = Append {
        changes: vec![RowChange::SetGenerationState {
            generation_id: fresh::id(),
            state: GenerationState::Generating,
        }],
        ..line("lost\n")
    };
    drop(daemon.journal.enqueue(guilty).unwrap());
    // Anybody else's append is not concerned; behind it the failure is known.
    let users = events(project, Fence::None, vec![output("a user\n")]);
    daemon.journal.append(users).await.unwrap();
    let told = daemon.journal.append(line("next\n")).await.unwrap_err();
    assert!(matches!(refusal(&told), StoreError::Conflict));
    daemon.journal.append(line("after\n")).await.unwrap();
    assert_eq!(check_history(&database.pool, project, &[]).await.len(), 3);
}

fn record(account: Account, request_id: &str, payload: u8, made: Uuid) -> RequestRecord {
    RequestRecord {
        user_id: account.user,
        request_id: request_id.into(),
        method: "kiln.v1.ProjectService/CreateProject".into(),
        payload_sha256: [payload; 32],
        resource_id: Some(made),
    }
}

/// The same request many times at once, on two daemons: one effect, one answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_has_one_effect() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let call = |n: usize| {
        let journal = if n % 2 == 0 { &a } else { &b }.journal.clone();
        tokio::spawn(async move {
            let id = fresh::id();
            let mut append = new_project(id, account);
            let record = record(account, "again", 1, id.uuid());
            append.changes.insert(0, RowChange::RecordRequestId(record));
            match journal.append(append).await {
                Ok(_) => (true, id.uuid()),
                Err(error) => (false, error.repeated().expect("repeated")),
            }
        })
    };
    let mut made = Vec::new();
    let mut answers = std::collections::HashSet::new();
    for result in futures::future::join_all((0..200).map(call)).await {
        let (first, answer) = result.unwrap();
        if first {
            made.push(answer);
        }
        answers.insert(answer);
    }
    assert_eq!(made.len(), 1, "one call made something");
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), made);
    let projects: i64 = sqlx::query_scalar("select count(*) from projects")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(projects, 1);

    // Another payload, another method, a secret: refused, and nothing is made.
    let id = fresh::id();
    let mut other = new_project(id, account);
    let changed = record(account, "again", 2, id.uuid());
    other
        .changes
        .insert(0, RowChange::RecordRequestId(changed.clone()));
    let refused = a.journal.append(other).await.unwrap_err();
    assert!(matches!(refusal(&refused), StoreError::RequestIdReused));
    assert!(matches!(
        request_ids::lookup(&database.pool, &changed).await,
        Err(StoreError::RequestIdReused)
    ));
    let same = record(account, "again", 1, id.uuid());
    assert_eq!(
        request_ids::lookup(&database.pool, &same).await.unwrap(),
        Some(made[0])
    );
    // A day later it is as if it had never been.
    sqlx::query("update request_ids set created_at = now() - interval '25 hours'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(
        request_ids::lookup(&database.pool, &same).await.unwrap(),
        None
    );
    let mut connection = database.pool.acquire().await.unwrap();
    request_ids::record(&mut connection, &changed)
        .await
        .unwrap();
    assert_eq!(request_ids::purge(&database.pool).await.unwrap(), 0);
    sqlx::query("update request_ids set created_at = now() - interval '25 hours'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(request_ids::purge(&database.pool).await.unwrap(), 1);
}

/// The journal takes nothing more once it is closed, and writes what it took.
#[tokio::test]
async fn closing_writes_what_was_queued() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let journal = daemon.journal.clone();
    for n in 0..50 {
        let append = events(project, Fence::None, vec![output(format!("{n}\n"))]);
        drop(journal.enqueue(append).unwrap());
    }
    daemon.stop().await;
    let late = journal
        .append(events(project, Fence::None, vec![output("late\n")]))
        .await;
    assert!(matches!(late, Err(AppendError::ShuttingDown)), "{late:?}");
    journal.stopped().await;
    eventually("everything is there", || async {
        journal.head(project).await.unwrap() == 51
    })
    .await;
    assert_eq!(check_history(&database.pool, project, &[]).await.len(), 51);
}
