//! What a dead daemon left behind is ended, once, with a word on what to do.

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::generation::{AttemptKind, FinishReason, GenerationState, Outcome, Usage};
use kiln_daemon::domain::id::GenerationId;
use kiln_daemon::fresh;
use kiln_daemon::journal::{Append, AppendError, Fence, Identity};
use kiln_daemon::store::attempts::AttemptEnd;
use kiln_daemon::store::generations::Start;
use kiln_daemon::store::{RowChange, generations, projects};

use crate::support::{
    Daemon, Database, check_history, events, eventually, fresh_identity, new_generation, output,
    text,
};

/// A daemon on a runtime of its own, so that it can be made to vanish.
struct Mortal {
    runtime: Option<tokio::runtime::Runtime>,
    daemon: Option<Daemon>,
}

impl Mortal {
    async fn start(database: &Database, identity: Identity) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = database.options.clone();
        let daemon = runtime
            .spawn(async move { Daemon::start(options, identity).await })
            .await
            .unwrap();
        Self {
            runtime: Some(runtime),
            daemon: Some(daemon),
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Gone as by SIGKILL: nothing is written, nobody signs off.
    fn vanish(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.daemon = None;
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.vanish();
    }
}

async fn state(database: &Database, generation: GenerationId) -> (GenerationState, String) {
    let generation = generations::get_unscoped(&database.pool, generation)
        .await
        .unwrap()
        .unwrap();
    (generation.state, generation.message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_of_an_earlier_boot_are_interrupted_at_start() {
    let database = Database::new().await;
    let account = database.account().await;
    let first_boot = fresh_identity();
    let mut before = Mortal::start(&database, first_boot).await;
    let journal = before.daemon().journal.clone();
    let project = before.daemon().project(account).await;
    let idle = before.daemon().project(account).await;
    let running = before.daemon().generation(account, project).await;
    let lease = journal.claim(project).await.unwrap();
    let queued: GenerationId = fresh::id();
    journal
        .append(new_generation(queued, account, project, Start::Queued))
        .await
        .unwrap();
    let usage = Usage {
        prompt_tokens: 10,
        completion_tokens: 20,
        cost_micro_usd: Some(30),
        estimated: false,
    };
    for change in [
        RowChange::SetGenerationState {
            generation_id: running,
            state: GenerationState::Generating,
        },
        RowChange::InsertAttempt {
            generation_id: running,
            attempt: 1,
            kind: AttemptKind::First,
            model: "demo/list".into(),
        },
        RowChange::FinishAttempt(AttemptEnd {
            generation_id: running,
            attempt: 1,
            finish_reason: FinishReason::Stop,
            usage,
            billed_model: "demo/list".into(),
            error: String::new(),
            answer: "an answer with a NUL\0".into(),
        }),
    ] {
        journal
            .append(Append {
                changes: vec![change],
                ..events(project, lease.fence(), vec![])
            })
            .await
            .unwrap();
    }
    journal
        .append(events(project, lease.fence(), vec![text("half an ans")]))
        .await
        .unwrap();
    before.vanish();

    let second_boot = Identity {
        boot_id: fresh::id(),
        ..first_boot
    };
    let after = Daemon::start(database.options.clone(), second_boot).await;
    assert_eq!(after.journal.recover().await.unwrap(), 2);
    assert_eq!(after.journal.recover().await.unwrap(), 0);

    let log = check_history(&database.pool, project, &[]).await;
    let endings: Vec<_> = log
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::GenerationFinished(ending) => Some((recorded.generation_id, ending.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(endings.len(), 2);
    let (of, ending) = &endings[0];
    assert_eq!(*of, Some(running));
    assert_eq!(ending.outcome, Outcome::Interrupted);
    assert_eq!((ending.usage, ending.attempts), (usage, 1));
    assert!(ending.message.contains("send the prompt again"));
    assert_eq!(
        state(&database, running).await,
        (GenerationState::Finished, ending.message.clone())
    );
    assert_eq!(state(&database, queued).await.0, GenerationState::Finished);
    let seen = projects::get(&database.pool, account.user, project)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            seen.agent_state,
            seen.running_generation_id,
            seen.last_outcome
        ),
        (None, None, Some(Outcome::Interrupted))
    );
    assert_eq!(check_history(&database.pool, idle, &[]).await.len(), 1);
    // The project is free, and its old owner, were it to wake, is fenced.
    let woken = after
        .journal
        .append(events(project, lease.fence(), vec![output("zombie\n")]))
        .await;
    assert!(matches!(woken, Err(AppendError::Fenced)));
    after.journal.claim(project).await.unwrap();
    after.generation(account, project).await;
}

/// The earlier boot was only stopped (SIGSTOP): it wakes, and writes nothing.
#[tokio::test]
async fn an_earlier_boot_that_wakes_writes_nothing() {
    let database = Database::new().await;
    let account = database.account().await;
    let first_boot = fresh_identity();
    let old = Daemon::start(database.options.clone(), first_boot).await;
    let project = old.project(account).await;
    let second_boot = Identity {
        boot_id: fresh::id(),
        ..first_boot
    };
    let new = Daemon::start(database.options.clone(), second_boot).await;
    let append = events(project, Fence::None, vec![output("x\n")]);
    let refused = old.journal.append(append.clone()).await;
    assert!(matches!(refused, Err(AppendError::Fenced)), "{refused:?}");
    assert_eq!(new.journal.append(append).await.unwrap().first, 2);
    check_history(&database.pool, project, &[]).await;
}

/// Another daemon dies: within 20 s its generations are interrupted, and those
/// of a daemon that lives are left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_of_a_dead_daemon_are_interrupted_within_20_s() {
    let database = Database::new().await;
    let account = database.account().await;
    let (a, b) = (database.daemon().await, database.daemon().await);
    let mut dying = Mortal::start(&database, fresh_identity()).await;
    let (lost, kept) = (
        dying.daemon().project(account).await,
        b.project(account).await,
    );
    let orphan = dying.daemon().generation(account, lost).await;
    dying.daemon().journal.claim(lost).await.unwrap();
    let alive = b.generation(account, kept).await;
    b.journal.claim(kept).await.unwrap();
    // Waits for its turn behind one that runs elsewhere: who runs that starts it.
    let waiting: GenerationId = fresh::id();
    dying
        .daemon()
        .journal
        .append(new_generation(waiting, account, kept, Start::Queued))
        .await
        .unwrap();
    let mut watch = a.journal.watch(lost, None).await.unwrap();
    dying.vanish();
    let killed = std::time::Instant::now();
    let batch = tokio::time::timeout(std::time::Duration::from_secs(20), watch.next())
        .await
        .expect("within 20 s")
        .unwrap();
    assert!(
        killed.elapsed().as_secs() >= 9,
        "not before its lease was over: {:?}",
        killed.elapsed()
    );
    assert!(batch.events[0].event.is_terminal());
    eventually("the generation is over", || async {
        state(&database, orphan).await.0 == GenerationState::Finished
    })
    .await;
    assert_eq!(state(&database, alive).await.0, GenerationState::Preparing);
    assert_eq!(state(&database, waiting).await.0, GenerationState::Queued);
    let log = check_history(&database.pool, lost, &[]).await;
    assert_eq!(log.iter().filter(|r| r.event.is_terminal()).count(), 1);
}
