//! Living beside other daemons on one database: the heartbeat that keeps this
//! daemon's leases, the look for generations whose daemon died, and the hints by
//! which watchers here learn of what is written elsewhere.
//!
//! A hint is never the data: it only says that reading may be worth it, and a
//! slow poll finds what no hint told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::domain::id::ProjectId;
use crate::store::generations::OrphansOf;
use crate::store::{Result, daemons, heads};

use super::log::Logs;
use super::{Identity, Journal};

/// How often this daemon says that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often it looks for dead ones.
const LOOK: Duration = Duration::from_secs(2);
/// It judges others only after it reached the database itself for this long:
/// else everybody's lease is out when the database comes back.
const STEADY: Duration = Duration::from_secs(15);
/// How often watched projects are looked at while others write.
const POLL: Duration = Duration::from_secs(1);
/// Pause before listening is tried again.
const RELISTEN: Duration = Duration::from_secs(2);
/// The channel of hints.
const CHANNEL: &str = "kiln_events";
/// Stands for a position where the project was deleted.
const DELETED: i64 = -1;

/// What other daemons ought to hear.
#[derive(Default)]
pub(super) struct Hints {
    /// Whether anybody else is there to hear it.
    others: AtomicBool,
    pending: Mutex<HashMap<ProjectId, i64>>,
    work: Notify,
}

impl Hints {
    /// Whether another daemon was alive at the last heartbeat.
    pub(super) fn others(&self) -> bool {
        self.others.load(Ordering::Relaxed)
    }

    pub(super) fn set_others(&self, others: bool) {
        self.others.store(others, Ordering::Relaxed);
    }

    /// A project's log goes up to `head`.
    pub(super) fn committed(&self, project: ProjectId, head: i64) {
        if self.others() {
            self.add(project, head);
        }
    }

    /// A project was deleted.
    pub(super) fn deleted(&self, project: ProjectId) {
        self.committed(project, DELETED);
    }

    fn add(&self, project: ProjectId, head: i64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert(project, head);
        drop(pending);
        self.work.notify_one();
    }

    fn take(&self) -> HashMap<ProjectId, i64> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Says every few seconds that this boot lives, and ends the generations of
/// daemons that no longer do.
pub(super) async fn heartbeat(journal: Journal) {
    let inner = &journal.inner;
    let mut beat = ticks(HEARTBEAT);
    let mut look = ticks(LOOK);
    let mut steady_since = Instant::now();
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let Identity { daemon_id, boot_id } = inner.identity;
                match daemons::heartbeat(&inner.pool, daemon_id, boot_id).await {
                    Ok(Some(others)) => inner.hints.set_others(others > 0),
                    Ok(None) => tracing::error!("a later boot of this daemon is registered"),
                    Err(error) => {
                        tracing::warn!(%error, "the heartbeat did not reach the database");
                        steady_since = Instant::now();
                    }
                }
                inner.logs.sweep();
            }
            _ = look.tick() => {
                if steady_since.elapsed() < STEADY {
                    continue;
                }
                if let Err(error) = journal.interrupt_orphans(OrphansOf::AnyDaemon).await {
                    tracing::warn!(%error, "the look for dead daemons failed");
                    steady_since = Instant::now();
                }
            }
        }
    }
}

/// Sends hints. While one is under way those that come are joined to the next.
pub(super) async fn send_hints(pool: PgPool, hints: Arc<Hints>) {
    loop {
        hints.work.notified().await;
        let (projects, positions): (Vec<Uuid>, Vec<i64>) = hints
            .take()
            .into_iter()
            .map(|(project, head)| (project.uuid(), head))
            .unzip();
        if projects.is_empty() {
            continue;
        }
        let sent = sqlx::query!(
            "select pg_notify('kiln_events', project::text || ' ' || head::text)
             from unnest($1::uuid[], $2::bigint[]) as hint (project, head)",
            &projects,
            &positions
        )
        .fetch_all(&pool)
        .await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a hint was lost; the poll will do");
        }
    }
}

/// Hears the hints of other daemons.
pub(super) async fn listen(pool: PgPool, logs: Arc<Logs>) {
    // A connection of its own: it is held for as long as the daemon lives.
    let own = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with((*pool.connect_options()).clone());
    loop {
        if let Err(error) = hear(&own, &pool, &logs).await {
            tracing::debug!(%error, "listening for other daemons broke off");
        }
        tokio::time::sleep(RELISTEN).await;
    }
}

async fn hear(own: &PgPool, pool: &PgPool, logs: &Logs) -> Result<()> {
    let mut listener = PgListener::connect_with(own).await?;
    listener.listen(CHANNEL).await?;
    // Whatever was said while nobody listened.
    look_at_watched(pool, logs).await?;
    loop {
        let Some(hint) = listener.try_recv().await? else {
            look_at_watched(pool, logs).await?;
            continue;
        };
        // Anybody with access to the database can send anything here.
        let parsed = hint
            .payload()
            .split_once(' ')
            .and_then(|(project, head)| Some((project.parse().ok()?, head.parse().ok()?)));
        match parsed {
            Some((_, DELETED)) => {
                logs.touched();
                look_at_watched(pool, logs).await?;
            }
            Some((project, head)) => {
                logs.touched();
                logs.learn(project, head);
            }
            None => tracing::debug!("a hint that cannot be read"),
        }
    }
}

/// The net under the hints.
pub(super) async fn poll(pool: PgPool, logs: Arc<Logs>, hints: Arc<Hints>) {
    let mut ticks = ticks(POLL);
    let mut was_alone = true;
    loop {
        ticks.tick().await;
        let alone = !hints.others();
        // Once more after the last one left: it may have written before.
        let needed = !(alone && was_alone);
        was_alone = alone;
        if !needed {
            continue;
        }
        if let Err(error) = look_at_watched(&pool, &logs).await {
            tracing::debug!(%error, "the poll for other daemons failed");
        }
    }
}

/// Looks how far the logs go that somebody watches here.
async fn look_at_watched(pool: &PgPool, logs: &Logs) -> Result<()> {
    let watched = logs.watched();
    if watched.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = watched.iter().map(|project| project.uuid()).collect();
    let heads: HashMap<ProjectId, i64> =
        heads::of_projects(pool, &ids).await?.into_iter().collect();
    for project in watched {
        match heads.get(&project) {
            Some(head) => logs.learn(project, *head),
            None => logs.delete(project),
        }
    }
    Ok(())
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Leaves in order, so that nobody has to wait for the leases to run out.
pub(super) async fn leave(pool: &PgPool, identity: Identity) {
    let Identity { daemon_id, boot_id } = identity;
    let left = tokio::time::timeout(LOOK, daemons::leave(pool, daemon_id, boot_id)).await;
    if !matches!(left, Ok(Ok(()))) {
        tracing::debug!("could not sign off; the lease will run out");
    }
}
