//! The newest part of the log of each live project, in memory. It takes a batch
//! only where its own end is, so that what it holds never has a hole; what is
//! missing is read from Postgres. It is never the truth: everything in it was
//! committed before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};

use crate::domain::event::Recorded;
use crate::domain::id::ProjectId;
use crate::store::{StoreError, events, heads};

/// Events as they are held, each with the bytes of its payload.
pub(super) type Shared = Vec<(Arc<Recorded>, usize)>;

/// What is kept for watchers that lag.
const EVENTS_MAX: usize = 4096;
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// What is kept once every watcher has it, for the next to come.
const TAIL_EVENTS: usize = 256;
const TAIL_BYTES: usize = 64 * 1024;
/// What a watcher gets at once.
const BATCH_EVENTS: usize = 512;
const BATCH_BYTES: usize = 256 * 1024;
/// How long a project without watchers is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How many pages are read at a time, so that a crowd that lags leaves
/// connections to everybody else.
const READERS: usize = 2;

/// The logs of all live projects.
pub(super) struct Logs {
    map: Mutex<HashMap<ProjectId, Arc<Log>>>,
    readers: Arc<Semaphore>,
    /// Sent whenever something happened to any project.
    changes: watch::Sender<()>,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            map: Mutex::default(),
            changes: watch::Sender::new(()),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }
}

impl Logs {
    /// The log of a project, made empty if there is none. `head` is a position
    /// that is known to be committed.
    fn open(&self, project: ProjectId, head: i64) -> Arc<Log> {
        let mut map = lock(&self.map);
        let log = map
            .entry(project)
            .or_insert_with(|| Arc::new(Log::new(project, head, &self.readers)));
        Arc::clone(log)
    }

    fn find(&self, project: ProjectId) -> Option<Arc<Log>> {
        lock(&self.map).get(&project).map(Arc::clone)
    }

    /// Adds a watcher who has everything up to `cursor`, which is at most `head`.
    pub(super) fn watch(&self, project: ProjectId, cursor: i64, head: i64) -> Watcher {
        // Entered while the map is held, so that no sweep comes between.
        let mut map = lock(&self.map);
        let log = Arc::clone(
            map.entry(project)
                .or_insert_with(|| Arc::new(Log::new(project, head, &self.readers))),
        );
        let id = {
            let mut ring = lock(&log.ring);
            ring.learn(head);
            ring.next_watcher += 1;
            let id = ring.next_watcher;
            ring.cursors.insert(id, cursor);
            id
        };
        let wake = log.wake.subscribe();
        Watcher {
            log,
            id,
            cursor,
            wake,
        }
    }

    /// Something happened to some project: an event, or a change of its row.
    pub(super) fn touched(&self) {
        self.changes.send_replace(());
    }

    /// Resolves whenever something happens to any project from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Takes what was just committed.
    pub(super) fn publish(&self, project: ProjectId, entries: Shared) {
        self.touched();
        let Some(first) = entries.first().map(|(event, _)| event.sequence) else {
            return;
        };
        let log = self.open(project, first - 1);
        lock(&log.ring).publish(first, entries);
        log.wake_all();
    }

    /// Somebody says that the log of a project goes up to `head`.
    pub(super) fn learn(&self, project: ProjectId, head: i64) {
        if let Some(log) = self.find(project)
            && lock(&log.ring).learn(head)
        {
            log.wake_all();
        }
    }

    /// The project is gone: its watchers end.
    pub(super) fn delete(&self, project: ProjectId) {
        self.touched();
        let log = lock(&self.map).remove(&project);
        if let Some(log) = log {
            lock(&log.ring).deleted = true;
            log.wake_all();
        }
    }

    /// The projects that somebody watches.
    pub(super) fn watched(&self) -> Vec<ProjectId> {
        let map = lock(&self.map);
        map.iter()
            .filter(|(_, log)| !lock(&log.ring).cursors.is_empty())
            .map(|(project, _)| *project)
            .collect()
    }

    /// Drops what nobody watches and nothing happened to for a while.
    pub(super) fn sweep(&self) {
        lock(&self.map).retain(|_, log| {
            let ring = lock(&log.ring);
            !ring.cursors.is_empty() || ring.touched.elapsed() < IDLE
        });
    }

    /// How many projects are live.
    pub(super) fn live(&self) -> usize {
        lock(&self.map).len()
    }
}

/// The newest part of one project's log.
pub(super) struct Log {
    project: ProjectId,
    ring: Mutex<Ring>,
    wake: watch::Sender<()>,
    /// Held by the one watcher that fills a hole for all.
    filling: tokio::sync::Mutex<()>,
    readers: Arc<Semaphore>,
    /// The page that was read last, for the others who lag at the same place.
    page: tokio::sync::Mutex<Vec<Arc<Recorded>>>,
}

impl Log {
    fn new(project: ProjectId, last: i64, readers: &Arc<Semaphore>) -> Self {
        Self {
            project,
            ring: Mutex::new(Ring {
                events: VecDeque::new(),
                bytes: 0,
                last,
                head: last,
                deleted: false,
                cursors: HashMap::new(),
                next_watcher: 0,
                touched: Instant::now(),
            }),
            wake: watch::Sender::new(()),
            filling: tokio::sync::Mutex::default(),
            readers: Arc::clone(readers),
            page: tokio::sync::Mutex::default(),
        }
    }

    fn wake_all(&self) {
        self.wake.send_replace(());
    }

    /// What Postgres has after a position, a page at most. Watchers that lag at
    /// the same place share one read.
    async fn read_after(
        &self,
        pool: &PgPool,
        cursor: i64,
    ) -> Result<Vec<Arc<Recorded>>, StoreError> {
        let mut page = self.page.lock().await;
        let at = page.iter().position(|event| event.sequence == cursor + 1);
        if let Some(at) = at {
            return Ok(page[at..].to_vec());
        }
        let read = self.read_page(pool, cursor).await?;
        *page = read.into_iter().map(|(event, _)| event).collect();
        Ok(page.clone())
    }

    async fn read_page(&self, pool: &PgPool, after: i64) -> Result<Shared, StoreError> {
        // Never closed; it only limits.
        let _reader = self.readers.acquire().await;
        let page = events::page(pool, self.project, after).await?;
        Ok(page
            .into_iter()
            .map(|stored| (Arc::new(stored.recorded), stored.bytes))
            .collect())
    }

    /// Reads on from where the memory ends, for all watchers at once.
    async fn fill(&self, pool: &PgPool) -> Result<(), StoreError> {
        let _filling = self.filling.lock().await;
        let from = {
            let ring = lock(&self.ring);
            if ring.head <= ring.last || ring.deleted {
                return Ok(());
            }
            ring.last
        };
        let page = self.read_page(pool, from).await?;
        let starts_right = page
            .first()
            .is_some_and(|(event, _)| event.sequence == from + 1);
        if starts_right {
            lock(&self.ring).publish(from + 1, page);
        } else {
            // What was said to be there is not: gone, trimmed, or hearsay.
            let ends = heads::get(pool, self.project).await?;
            let mut ring = lock(&self.ring);
            match ends {
                None => ring.deleted = true,
                Some(ends) if ring.last == from => ring.restart(ends.head),
                Some(_) => {}
            }
        }
        self.wake_all();
        Ok(())
    }
}

/// What a log holds. Everything after the newest event that is held and up to
/// `head` is in Postgres only.
struct Ring {
    events: VecDeque<(Arc<Recorded>, usize)>,
    bytes: usize,
    /// Position of the newest event that is held, or at which the next must follow.
    last: i64,
    /// Newest position that is known to be committed.
    head: i64,
    deleted: bool,
    /// How far each watcher is.
    cursors: HashMap<u64, i64>,
    next_watcher: u64,
    touched: Instant,
}

impl Ring {
    fn publish(&mut self, first: i64, entries: Shared) {
        self.touched = Instant::now();
        if first > self.last + 1 && self.cursors.is_empty() {
            self.restart(first - 1);
        }
        if first <= self.last + 1 {
            for (event, bytes) in entries {
                if event.sequence == self.last + 1 {
                    self.last = event.sequence;
                    self.bytes += bytes;
                    self.events.push_back((event, bytes));
                }
            }
            self.head = self.head.max(self.last);
            self.trim();
        } else if let Some((newest, _)) = entries.last() {
            // A hole: the first watcher that comes to it fills it, and this too.
            self.head = self.head.max(newest.sequence);
        }
    }

    /// Notes that the log goes that far, and says whether that is news.
    fn learn(&mut self, head: i64) -> bool {
        let news = head > self.head;
        self.head = self.head.max(head);
        news
    }

    /// Forgets what is held and goes on after `last`.
    fn restart(&mut self, last: i64) {
        self.events.clear();
        self.bytes = 0;
        self.last = last;
        self.head = last;
    }

    /// Position of the oldest event that is held.
    fn first(&self) -> i64 {
        self.last + 1 - i64::try_from(self.events.len()).unwrap_or(0)
    }

    fn trim(&mut self) {
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            self.drop_oldest();
        }
        // The look at all cursors is worth it only once there is much to drop.
        if self.events.len() > 2 * TAIL_EVENTS || self.bytes > 2 * TAIL_BYTES {
            let slowest = self.cursors.values().min().copied().unwrap_or(self.last);
            while (self.events.len() > TAIL_EVENTS || self.bytes > TAIL_BYTES)
                && self.first() <= slowest
            {
                self.drop_oldest();
            }
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, bytes)) = self.events.pop_front() {
            self.bytes -= bytes;
        }
    }

    /// What is held after a position, as much as a watcher gets at once.
    fn after(&self, cursor: i64) -> Vec<Arc<Recorded>> {
        let skip = usize::try_from(cursor + 1 - self.first()).unwrap_or(0);
        let mut bytes = 0;
        let mut events = Vec::new();
        for (event, size) in self.events.range(skip..).take(BATCH_EVENTS) {
            bytes += size;
            if bytes > BATCH_BYTES && !events.is_empty() {
                break;
            }
            events.push(Arc::clone(event));
        }
        events
    }
}

/// What a watcher finds.
pub(super) enum Found {
    /// The next events, and the head.
    Events(Vec<Arc<Recorded>>, i64),
    /// They are in Postgres only.
    Behind,
    /// The memory itself is behind; fill it.
    Hole,
    /// There is nothing more.
    Nothing,
    /// The project is gone; the position after the head.
    Deleted(i64),
}

/// One reader of a log: a cursor and a way to be woken. It has no queue, so
/// lagging costs nothing but an older cursor.
pub(super) struct Watcher {
    log: Arc<Log>,
    id: u64,
    cursor: i64,
    wake: watch::Receiver<()>,
}

impl Watcher {
    pub(super) fn project(&self) -> ProjectId {
        self.log.project
    }

    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    pub(super) fn head(&self) -> i64 {
        lock(&self.log.ring).head.max(self.cursor)
    }

    /// Looks for what comes after the cursor, and moves it.
    pub(super) fn look(&mut self) -> Found {
        self.wake.mark_unchanged();
        let mut ring = lock(&self.log.ring);
        if ring.deleted {
            return Found::Deleted(ring.head.max(self.cursor) + 1);
        }
        if self.cursor < ring.last {
            if self.cursor + 1 < ring.first() {
                return Found::Behind;
            }
            let events = ring.after(self.cursor);
            if let Some(newest) = events.last() {
                self.cursor = newest.sequence;
                ring.cursors.insert(self.id, self.cursor);
            }
            let head = ring.head;
            return Found::Events(events, head);
        }
        if ring.head > self.cursor {
            Found::Hole
        } else {
            Found::Nothing
        }
    }

    /// Notes that the watcher got everything up to a position from Postgres.
    pub(super) fn moved_to(&mut self, cursor: i64) {
        self.cursor = cursor;
        let mut ring = lock(&self.log.ring);
        ring.cursors.insert(self.id, cursor);
        ring.learn(cursor);
    }

    /// What Postgres has after the cursor, which does not move.
    pub(super) async fn read(&self, pool: &PgPool) -> Result<Vec<Arc<Recorded>>, StoreError> {
        self.log.read_after(pool, self.cursor).await
    }

    pub(super) async fn fill(&self, pool: &PgPool) -> Result<(), StoreError> {
        self.log.fill(pool).await
    }

    /// Waits until there may be something new since the last look.
    pub(super) async fn woken(&mut self) {
        // The sender lives in the log that this watcher holds.
        let _ = self.wake.changed().await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&self.log.ring).cursors.remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Sections are short and panic nowhere; what a poisoned one guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
