//! Reading the log. Writing it is the journal's alone.

use sqlx::PgExecutor;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::event::{Event, Recorded};
use crate::domain::id::{GenerationId, ProjectId};

use super::error::Result;

/// Events of a page at most.
pub const PAGE_EVENTS: i64 = 512;
/// Bytes of payload of a page at most, unless its first event alone is larger.
pub const PAGE_BYTES: i64 = 256 * 1024;

/// An event with the bytes that its payload takes in the database.
#[derive(Debug)]
pub struct Stored {
    /// The event.
    pub recorded: Recorded,
    /// Bytes of its payload.
    pub bytes: usize,
}

struct Row {
    sequence: i64,
    generation_id: Option<Uuid>,
    created_at: OffsetDateTime,
    payload: Json<Event>,
    bytes: i32,
}

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        Self {
            bytes: usize::try_from(row.bytes).unwrap_or(0),
            recorded: Recorded {
                sequence: row.sequence,
                time: row.created_at,
                generation_id: row.generation_id.map(GenerationId::from),
                event: row.payload.0,
            },
        }
    }
}

/// The events after a position, in order, a page at most.
///
/// # Errors
/// The database, or an event that this version cannot read.
pub async fn page(db: impl PgExecutor<'_>, project: ProjectId, after: i64) -> Result<Vec<Stored>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select sequence as "sequence!", generation_id, created_at as "created_at!",
                  payload as "payload!: Json<Event>", bytes as "bytes!"
        from (
            select sequence, generation_id, created_at, payload, octet_length(payload::text) as bytes,
                   sum(octet_length(payload::text)) over (order by sequence) as total
            from events
            where project_id = $1 and sequence > $2 and sequence <= $2 + $3
            order by sequence
        ) page
        where total <= $4 or sequence = $2 + 1
        order by sequence"#,
        project.uuid(),
        after,
        PAGE_EVENTS,
        PAGE_BYTES
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Stored::from).collect())
}

/// Trims the log to what comes after a position. Only a prefix can go.
///
/// # Errors
/// The database.
pub async fn compact(db: &mut sqlx::PgConnection, project: ProjectId, up_to: i64) -> Result<()> {
    sqlx::query!(
        "with moved as (
            update project_heads set oldest = greatest(oldest, least($2, head) + 1)
            where project_id = $1 returning oldest
        )
        delete from events e using moved where e.project_id = $1 and e.sequence < moved.oldest",
        project.uuid(),
        up_to
    )
    .execute(db)
    .await?;
    Ok(())
}
