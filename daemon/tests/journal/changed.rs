//! When a project counts as changed: users see the newest first.

use kiln_daemon::domain::event::Event;
use kiln_daemon::domain::id::ProjectId;
use kiln_daemon::domain::sandbox::SandboxState;
use kiln_daemon::journal::Fence;
use time::OffsetDateTime;

use crate::support::{Database, events, output};

async fn changed_at(database: &Database, project: ProjectId) -> OffsetDateTime {
    sqlx::query_scalar("select changed_at from project_heads where project_id = $1")
        .bind(project.uuid())
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

fn stopped() -> Event {
    Event::SandboxStateChanged {
        state: SandboxState::Stopped,
        detail: String::new(),
    }
}

#[tokio::test]
async fn what_becomes_of_its_sandbox_is_no_change_of_a_project() {
    let database = Database::new().await;
    let account = database.account().await;
    let daemon = database.daemon().await;
    let project = daemon.project(account).await;
    let append = |list: Vec<Event>| daemon.journal.append(events(project, Fence::None, list));
    // The first entry is written under a lock, the next ones at once.
    for round in 0..3 {
        let before = changed_at(&database, project).await;
        append(vec![stopped()]).await.unwrap();
        assert_eq!(changed_at(&database, project).await, before, "{round}");
        append(vec![stopped(), output("a line\n")]).await.unwrap();
        assert!(changed_at(&database, project).await > before, "{round}");
    }
}
