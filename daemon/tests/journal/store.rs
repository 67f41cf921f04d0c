//! Queries: what is not yours does not exist, pages are whole, rows come back as
//! they went in.

use kiln_daemon::domain::account::TeamRole;
use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::generation::{Ending, GenerationState, Outcome, Usage};
use kiln_daemon::domain::id::{GenerationId, ProjectId, RevisionId, SandboxId};
use kiln_daemon::domain::revision::Health;
use kiln_daemon::domain::sandbox::{Sandbox, SandboxState, Slot};
use kiln_daemon::fresh;
use kiln_daemon::journal::{Append, Fence};
use kiln_daemon::store::generations::Start;
use kiln_daemon::store::projects::ProjectUpdate;
use kiln_daemon::store::revisions::{FileEntry, NewRevision, Sha256};
use kiln_daemon::store::sandboxes::SandboxTransition;
use kiln_daemon::store::{
    Cursor, PageRequest, RowChange, StoreError, generations, projects, revisions, sandboxes,
};

use crate::support::{Daemon, Database, events, new_generation, output};

async fn change(daemon: &Daemon, project: ProjectId, changes: Vec<RowChange>) {
    daemon
        .journal
        .append(Append {
            changes,
            ..events(project, Fence::None, vec![])
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_not_yours_does_not_exist() {
    let database = Database::new().await;
    let (owner, stranger) = (database.account().await, database.account().await);
    let daemon = database.daemon().await;
    let project = daemon.project(owner).await;
    let generation = daemon.generation(owner, project).await;
    let revision: RevisionId = fresh::id();
    let new = NewRevision {
        id: revision,
        number: 1,
        parent_id: None,
        generation_id: Some(generation),
        title: "first".into(),
        health: Health::Unknown,
        files: vec![],
    };
    change(&daemon, project, vec![RowChange::InsertRevision(new)]).await;
    let db = &database.pool;
    let page = PageRequest::first(10);
    for (user, there) in [(owner.user, true), (stranger.user, false)] {
        assert_eq!(
            projects::get(db, user, project).await.unwrap().is_some(),
            there
        );
        let role = projects::role(db, user, project).await.unwrap();
        assert_eq!(role, there.then_some(TeamRole::Owner));
        let role = projects::team_role(db, user, owner.team).await.unwrap();
        assert_eq!(role, there.then_some(TeamRole::Owner));
        let listed = projects::list(db, user, None, page).await.unwrap();
        assert_eq!(listed.len(), usize::from(there));
        let listed = projects::list(db, user, Some(owner.team), page)
            .await
            .unwrap();
        assert_eq!(listed.len(), usize::from(there));
        let got = generations::get(db, user, generation).await.unwrap();
        assert_eq!(got.is_some(), there);
        let listed = generations::list(db, user, project, page).await.unwrap();
        assert_eq!(listed.len(), usize::from(there));
        let got = revisions::get(db, user, revision).await.unwrap();
        assert_eq!(got.is_some(), there);
        let listed = revisions::list(db, user, project, page).await.unwrap();
        assert_eq!(listed.len(), usize::from(there));
    }
}

#[tokio::test]
async fn pages_hold_everything_once_newest_first() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let mut made = Vec::new();
    for _ in 0..11 {
        made.push(daemon.project(account).await);
    }
    // Several of the same moment: the id decides.
    sqlx::query("update projects set created_at = now() where id = any($1)")
        .bind(made[3..7].iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .execute(&database.pool)
        .await
        .unwrap();
    let mut listed = Vec::new();
    let mut page = PageRequest::first(3);
    loop {
        let part = projects::list(&database.pool, account.user, None, page)
            .await
            .unwrap();
        let Some(last) = part.last() else { break };
        page.after = Some(Cursor {
            created_at: last.created_at,
            id: last.id.uuid(),
        });
        assert!(part.len() <= 3);
        listed.extend(part);
    }
    let places: Vec<_> = listed.iter().map(|p| (p.created_at, p.id)).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    sorted.reverse();
    assert_eq!(places, sorted);
    let mut ids: Vec<_> = listed.iter().map(|project| project.id).collect();
    ids.sort_unstable();
    made.sort_unstable();
    assert_eq!(ids, made);
}

#[tokio::test]
async fn a_project_is_shown_with_all_that_is_known_of_it() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let get = || async {
        projects::get(&database.pool, account.user, project)
            .await
            .unwrap()
            .unwrap()
    };
    let empty = get().await;
    assert_eq!(empty.sandbox_state, SandboxState::Stopped);
    assert_eq!((empty.agent_state, empty.head_revision_id), (None, None));
    assert_eq!((empty.head_sequence, empty.cost_micro_usd), (1, 0));

    let first = daemon.generation(account, project).await;
    let second: GenerationId = fresh::id();
    daemon
        .journal
        .append(new_generation(second, account, project, Start::Queued))
        .await
        .unwrap();
    let states = [
        GenerationState::Generating,
        GenerationState::Applying,
        GenerationState::Installing,
    ];
    for state in states {
        let state = RowChange::SetGenerationState {
            generation_id: first,
            state,
        };
        change(&daemon, project, vec![state]).await;
    }
    let busy = get().await;
    assert_eq!(busy.agent_state, Some(GenerationState::Installing));
    assert_eq!(busy.running_generation_id, Some(first));
    let live = generations::live_of_project(&database.pool, project)
        .await
        .unwrap();
    assert_eq!(
        live.iter().map(|g| g.id).collect::<Vec<_>>(),
        [first, second]
    );
    let count = generations::live_of_user(&database.pool, account.user).await;
    assert_eq!(count.unwrap(), 2);

    for (generation, cost) in [(first, Some(70)), (second, None)] {
        let ending = Ending {
            outcome: Outcome::Ready,
            failure_reason: None,
            message: "done".into(),
            revision_id: None,
            usage: Usage {
                cost_micro_usd: cost,
                ..Usage::default()
            },
            attempts: 1,
            preview_url: None,
        };
        daemon
            .journal
            .append(Append {
                generation: Some(generation),
                changes: vec![
                    RowChange::SetGenerationOmitted {
                        generation_id: generation,
                        omitted: vec!["big.css".into()],
                    },
                    RowChange::FinishGeneration {
                        generation_id: generation,
                        ending: ending.clone(),
                    },
                    RowChange::UpdateProject(ProjectUpdate {
                        name: Some("renamed".into()),
                        ..ProjectUpdate::default()
                    }),
                ],
                ..events(
                    project,
                    Fence::None,
                    vec![Event::GenerationFinished(ending)],
                )
            })
            .await
            .unwrap();
    }
    let idle = get().await;
    assert_eq!((idle.agent_state, idle.running_generation_id), (None, None));
    assert_eq!(idle.last_outcome, Some(Outcome::Ready));
    assert_eq!(idle.cost_micro_usd, 70);
    assert_eq!(idle.name, "renamed");
    assert!(idle.changed_at > empty.changed_at);
    let running = generations::running(&database.pool, project).await;
    assert_eq!(running.unwrap(), None);
    let over = generations::get_unscoped(&database.pool, first)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(over.context_omitted, ["big.css"]);
    assert!(over.finished_at.is_some());
}

#[tokio::test]
async fn preview_ports_are_the_smallest_free_and_stay() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(daemon.project(account).await);
    }
    let assign = |id| projects::assign_preview_port(&database.pool, id, 4100..=4101, &[]);
    assert_eq!(assign(ids[0]).await.unwrap(), 4100);
    assert_eq!(assign(ids[1]).await.unwrap(), 4101);
    assert_eq!(assign(ids[1]).await.unwrap(), 4101);
    assert!(matches!(assign(ids[2]).await, Err(StoreError::NoPortLeft)));
    projects::delete(&database.pool, ids[0]).await.unwrap();
    assert_eq!(assign(ids[2]).await.unwrap(), 4100);
    let gone = assign(ids[0]).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    let ports = projects::preview_ports(&database.pool).await.unwrap();
    assert_eq!(ports, [(ids[2], Some(4100)), (ids[1], Some(4101))]);
    // One that somebody else on the host has is given up for another.
    let refused = |ports| projects::assign_preview_port(&database.pool, ids[1], 4100..=4102, ports);
    assert_eq!(refused(&[4101]).await.unwrap(), 4102);
    let nowhere = refused(&[4101, 4102]).await;
    assert!(
        matches!(nowhere, Err(StoreError::NoPortLeft)),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn revisions_keep_their_files() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let db = &database.pool;
    let hash = |n: u8| -> Sha256 { [n; 32] };
    let contents: [(Sha256, &[u8]); 3] =
        [(hash(2), b"two"), (hash(1), b"one\0"), (hash(2), b"two")];
    revisions::put_blobs(db, &contents).await.unwrap();
    revisions::put_blobs(db, &contents).await.unwrap();
    let missing = revisions::missing_blobs(db, &[hash(1), hash(3)]).await;
    assert_eq!(missing.unwrap(), [hash(3)]);
    let file = |path: &str, n: u8, size_bytes: i64| FileEntry {
        path: path.into(),
        sha256: hash(n),
        size_bytes,
    };
    let new = |number, files| NewRevision {
        id: fresh::id(),
        number,
        parent_id: None,
        generation_id: None,
        title: format!("revision {number}"),
        health: Health::Unknown,
        files,
    };
    let first = new(1, vec![file("src/b.ts", 2, 3), file("a.ts", 1, 4)]);
    let id = first.id;
    change(
        &daemon,
        project,
        vec![
            RowChange::InsertRevision(first),
            RowChange::SetRevisionHealth {
                revision_id: id,
                health: Health::Healthy,
            },
            RowChange::InsertRevision(new(2, vec![])),
        ],
    )
    .await;
    let files = revisions::files(db, id).await.unwrap();
    assert_eq!(files, [file("a.ts", 1, 4), file("src/b.ts", 2, 3)]);
    let read = revisions::file(db, id, "a.ts").await.unwrap();
    assert_eq!(read, Some((file("a.ts", 1, 4), b"one\0".to_vec())));
    assert_eq!(revisions::file(db, id, "b.ts").await.unwrap(), None);
    let mut blobs = revisions::blobs(db, &[hash(1), hash(2), hash(9)])
        .await
        .unwrap();
    blobs.sort_unstable();
    assert_eq!(
        blobs,
        [(hash(1), b"one\0".to_vec()), (hash(2), b"two".to_vec())]
    );
    let head = revisions::head(db, project).await.unwrap().unwrap();
    assert_eq!((head.number, head.file_count), (2, 0));
    let healthy = revisions::newest_healthy(db, project)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((healthy.id, healthy.total_bytes), (id, 7));
    let shown = projects::get(db, account.user, project)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown.head_revision_id, Some(head.id));
    // A number that is taken, and a blob that is not there.
    for bad in [new(2, vec![]), new(3, vec![file("c.ts", 9, 1)])] {
        let append = Append {
            changes: vec![RowChange::InsertRevision(bad)],
            ..events(project, Fence::None, vec![output("bad\n")])
        };
        assert!(daemon.journal.append(append).await.is_err());
    }
    assert_eq!(revisions::head(db, project).await.unwrap(), Some(head));
    assert_eq!(daemon.journal.head(project).await.unwrap(), 1);
}

#[tokio::test]
async fn sandboxes_move_only_from_where_they_are_expected() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let db = &database.pool;
    let id: SandboxId = fresh::id();
    let sandbox = Sandbox {
        id,
        project_id: project,
        engine_id: "engine".into(),
        daemon_id: daemon.identity.daemon_id,
        state: SandboxState::Starting,
        detail: String::new(),
        container_id: None,
        image: "image".into(),
        revision_id: None,
        slot: Slot::A,
        created_at: time::OffsetDateTime::UNIX_EPOCH,
    };
    change(&daemon, project, vec![RowChange::UpsertSandbox(sandbox)]).await;
    let to = |from: &[SandboxState], state, container: Option<Option<&str>>| SandboxTransition {
        id,
        from: from.to_vec(),
        state,
        detail: "why".into(),
        container_id: container.map(|id| id.map(str::to_owned)),
    };
    let running = to(
        &[SandboxState::Starting],
        SandboxState::Running,
        Some(Some("c0ffee")),
    );
    change(
        &daemon,
        project,
        vec![RowChange::SetSandboxState(running.clone())],
    )
    .await;
    let again = sandboxes::transition(db, project, &running).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    let elsewhere = sandboxes::transition(db, fresh::id(), &running).await;
    assert!(matches!(elsewhere, Err(StoreError::Conflict)));
    let row = sandboxes::of_project(db, project).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.container_id.as_deref()),
        (SandboxState::Running, Some("c0ffee"))
    );
    let failed = to(&[], SandboxState::Failed, None);
    sandboxes::transition(db, project, &failed).await.unwrap();
    let forgotten = to(&[SandboxState::Failed], SandboxState::Stopped, Some(None));
    sandboxes::transition(db, project, &forgotten)
        .await
        .unwrap();
    let row = sandboxes::of_engine(db, "engine").await.unwrap().remove(0);
    assert_eq!((row.state, row.container_id), (SandboxState::Stopped, None));
    let mine = sandboxes::of_daemon(db, daemon.identity.daemon_id).await;
    assert_eq!(mine.unwrap().len(), 1);
    sandboxes::keep_log(db, project, "line\0 one\n")
        .await
        .unwrap();
    sandboxes::keep_log(db, project, "line two\n")
        .await
        .unwrap();
    let kept = sandboxes::kept_log(db, project).await.unwrap();
    assert_eq!(kept.as_deref(), Some("line two\n"));
    assert!(sandboxes::delete(db, id).await.unwrap());
    assert!(!sandboxes::delete(db, id).await.unwrap());
}
