//! Databases, daemons and what to write, for the tests beside this.

mod cluster;
mod history;
mod proxy;

use std::time::Duration;

use kiln_daemon::domain::event::{Event, StepKind};
use kiln_daemon::domain::id::{GenerationId, ProjectId, TeamId, UserId};
use kiln_daemon::fresh;
use kiln_daemon::journal::{Append, Fence, Identity, Journal};
use kiln_daemon::store::generations::{NewGeneration, Start};
use kiln_daemon::store::projects::NewProject;
use kiln_daemon::store::{self, Durability, RowChange};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use cluster::Cluster;
pub(crate) use history::{Seen, check_history};
pub(crate) use proxy::{Cut, Proxy};

/// A migrated database of its own, dropped at the end.
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let url = std::env::var("KILN_TEST_DATABASE_URL").expect(
            "set KILN_TEST_DATABASE_URL to a Postgres server where databases may be made, \
             for instance postgres://postgres@127.0.0.1/postgres",
        );
        let server: PgConnectOptions = url.parse().expect("KILN_TEST_DATABASE_URL is a URL");
        Self::on(server).await
    }

    pub(crate) async fn on(server: PgConnectOptions) -> Self {
        let name = format!("kiln_test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect_with(&server)
            .await
            .expect("the server of KILN_TEST_DATABASE_URL answers");
        connection
            .execute(AssertSqlSafe(format!("create database {name}")))
            .await
            .expect("databases may be made");
        let options = server.clone().database(&name);
        let pool = store::connect(options.clone(), 8, Durability::Unchecked)
            .await
            .unwrap();
        store::migrate(&pool).await.unwrap();
        Self {
            server,
            name,
            options,
            pool,
        }
    }

    /// A daemon of its own on this database.
    pub(crate) async fn daemon(&self) -> Daemon {
        Daemon::start(self.options.clone(), fresh_identity()).await
    }

    /// An account with its personal team.
    pub(crate) async fn account(&self) -> Account {
        let account = Account {
            user: fresh::id(),
            team: fresh::id(),
        };
        sqlx::query("insert into users (id, display_name) values ($1, 'somebody')")
            .bind(account.user.uuid())
            .execute(&self.pool)
            .await
            .unwrap();
        sqlx::query("insert into teams (id, name, personal_user_id) values ($1, 'own', $2)")
            .bind(account.team.uuid())
            .bind(account.user.uuid())
            .execute(&self.pool)
            .await
            .unwrap();
        sqlx::query("insert into team_members (team_id, user_id, role) values ($1, $2, 'owner')")
            .bind(account.team.uuid())
            .bind(account.user.uuid())
            .execute(&self.pool)
            .await
            .unwrap();
        account
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own: the runtime of the test is on its way out.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect_with(&server).await {
                    let sql = format!("drop database if exists {name} with (force)");
                    let _ = connection.execute(AssertSqlSafe(sql)).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

pub(crate) fn fresh_identity() -> Identity {
    Identity {
        daemon_id: fresh::id(),
        boot_id: fresh::id(),
    }
}

/// A journal with what a daemon has around it.
pub(crate) struct Daemon {
    pub(crate) journal: Journal,
    pub(crate) identity: Identity,
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl Daemon {
    pub(crate) async fn start(options: PgConnectOptions, identity: Identity) -> Self {
        let pool = store::connect(options, 4, Durability::Unchecked)
            .await
            .unwrap();
        let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
        let journal = Journal::start(pool, identity, "test", cancel.clone(), &tracker)
            .await
            .unwrap();
        Self {
            journal,
            identity,
            cancel,
            tracker,
        }
    }

    /// Goes down in order: what was queued is written.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(Duration::from_secs(10), self.tracker.wait())
            .await
            .expect("the journal ends within 10 s");
    }

    /// Makes a project; its log then has one event.
    pub(crate) async fn project(&self, account: Account) -> ProjectId {
        let id = fresh::id();
        let committed = self.journal.append(new_project(id, account)).await.unwrap();
        assert_eq!((committed.first, committed.last), (1, 1));
        id
    }

    /// Starts a generation in a project.
    pub(crate) async fn generation(&self, account: Account, project: ProjectId) -> GenerationId {
        let id = fresh::id();
        self.journal
            .append(new_generation(id, account, project, Start::Now))
            .await
            .unwrap();
        id
    }
}

/// A user and their team.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) user: UserId,
    pub(crate) team: TeamId,
}

pub(crate) fn new_project(id: ProjectId, account: Account) -> Append {
    Append {
        project: id,
        fence: Fence::None,
        generation: None,
        events: vec![Event::ProjectCreated {
            name: "app".into(),
            template: "static".into(),
        }],
        changes: vec![RowChange::InsertProject(NewProject {
            id,
            team_id: account.team,
            owner_id: account.user,
            name: "app".into(),
            description: String::new(),
            template: "static".into(),
            default_model: String::new(),
        })],
    }
}

pub(crate) fn new_generation(
    id: GenerationId,
    account: Account,
    project: ProjectId,
    start: Start,
) -> Append {
    Append {
        project,
        fence: Fence::None,
        generation: Some(id),
        events: vec![Event::GenerationStarted {
            prompt: "a list".into(),
            model: "demo/list".into(),
            demo: true,
            user_id: account.user,
        }],
        changes: vec![RowChange::InsertGeneration(NewGeneration {
            id,
            user_id: account.user,
            prompt: "a list".into(),
            model: "demo/list".into(),
            demo: true,
            start,
        })],
    }
}

/// Events alone.
pub(crate) fn events(project: ProjectId, fence: Fence, events: Vec<Event>) -> Append {
    Append {
        project,
        fence,
        generation: None,
        events,
        changes: vec![],
    }
}

/// A piece of prose: may merge.
pub(crate) fn text(text: impl Into<String>) -> Event {
    Event::TextDelta { text: text.into() }
}

/// Output of a step: never merges.
pub(crate) fn output(text: impl Into<String>) -> Event {
    Event::StepOutput {
        step: StepKind::Install,
        text: text.into(),
    }
}

/// Waits until a condition holds, by looking; fails after ten seconds.
pub(crate) async fn eventually<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let looking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking)
        .await
        .unwrap_or_else(|_| panic!("not within 10 s: {what}"));
}

/// Follows a project in the background until it has seen `until`.
pub(crate) fn follow(
    journal: &Journal,
    project: ProjectId,
    after: i64,
    until: i64,
) -> tokio::task::JoinHandle<Seen> {
    let journal = journal.clone();
    tokio::spawn(async move {
        let mut seen = Seen::after(after);
        while seen.position() < until {
            // A watcher resumes, as a client would, whenever the database was away.
            let Ok(mut watch) = journal.watch(project, Some(seen.position())).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            while seen.position() < until {
                match watch.next().await {
                    Ok(batch) => seen.push(&batch.events),
                    Err(_) => break,
                }
            }
        }
        seen
    })
}
