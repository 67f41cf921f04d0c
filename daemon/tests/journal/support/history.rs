//! What must hold of every history that anybody was shown.

use std::sync::Arc;

use kiln_daemon::domain::event::Recorded;
use kiln_daemon::domain::id::ProjectId;
use sqlx::PgPool;
use sqlx::types::Json;

/// What a watcher was given, in the order in which it came.
pub(crate) struct Seen {
    after: i64,
    pub(crate) events: Vec<Arc<Recorded>>,
}

impl Seen {
    pub(crate) fn after(after: i64) -> Self {
        Self {
            after,
            events: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, events: &[Arc<Recorded>]) {
        assert!(!events.is_empty(), "a batch has at least one event");
        self.events.extend(events.iter().map(Arc::clone));
    }

    /// Position of the last event.
    pub(crate) fn position(&self) -> i64 {
        self.events.last().map_or(self.after, |e| e.sequence)
    }
}

/// Checks a project's log, and what was seen of it, and gives the log back:
/// - the rows are dense from 1 to the head, each once;
/// - what was seen starts right after its position, is dense, in order, each once;
/// - what was seen equals the rows in every field: it was committed, as it was.
pub(crate) async fn check_history(
    pool: &PgPool,
    project: ProjectId,
    seen: &[&Seen],
) -> Vec<Recorded> {
    let mut connection = living(pool).await;
    let rows: Vec<(
        i64,
        time::OffsetDateTime,
        Option<uuid::Uuid>,
        String,
        Json<_>,
    )> = sqlx::query_as(
        "select sequence, created_at, generation_id, kind, payload
             from events where project_id = $1 order by sequence",
    )
    .bind(project.uuid())
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let log: Vec<Recorded> = rows
        .into_iter()
        .map(|(sequence, time, generation_id, kind, Json(event))| {
            let recorded = Recorded {
                sequence,
                time,
                generation_id: generation_id.map(Into::into),
                event,
            };
            assert_eq!(recorded.event.kind(), kind, "the column names the event");
            recorded
        })
        .collect();
    let head: i64 = sqlx::query_scalar("select head from project_heads where project_id = $1")
        .bind(project.uuid())
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let sequences: Vec<i64> = log.iter().map(|event| event.sequence).collect();
    let dense: Vec<i64> = (1..=head).collect();
    assert_eq!(sequences, dense, "the log is dense from 1 to its head");
    for seen in seen {
        let shown: Vec<&Recorded> = seen.events.iter().map(|event| &**event).collect();
        let from = usize::try_from(seen.after).unwrap();
        let expected: Vec<&Recorded> = log[from..from + shown.len()].iter().collect();
        assert_eq!(shown, expected, "what was seen is what is in the log");
    }
    log
}

/// A connection that answers: after a crash the pool may still hold ones to a
/// server that is gone.
async fn living(pool: &PgPool) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    for _ in 0..100 {
        if let Ok(mut connection) = pool.acquire().await {
            let answer: Result<i32, _> = sqlx::query_scalar("select 1")
                .fetch_one(&mut *connection)
                .await;
            if answer.is_ok() {
                return connection;
            }
            // Not given back.
            let _ = connection.detach();
        }
    }
    panic!("the pool has no connection that answers");
}
