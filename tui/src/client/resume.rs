//! Streams that survive a break: open, read, and on a break open again at the
//! position of what was taken last. What was taken is never taken again, and a
//! hole is never passed over.
//!
//! The position is the business of a `Cursor`; the tries are the business of
//! `run`. Neither knows which RPC it is.

use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::backoff;
use super::error::Error;

/// How long a stream must live to count as healthy although nothing came.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// How often in a row a stream may break its own order before it is given up.
const FAULTS_MAX: u32 = 3;
/// Items that wait for a slow reader; the rest waits in the connection.
const QUEUE: usize = 16;

/// What a follower tells its reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<T> {
    /// What the daemon sent.
    Item(T),
    /// The connection is gone; it is being tried again. Said once per break.
    Lost {
        /// What happened, for people.
        cause: String,
    },
    /// The stream goes on where it broke.
    Resumed,
}

/// Where a stream is, and what may come next.
pub(super) trait Cursor {
    /// What the stream carries.
    type Answer;
    /// What the reader gets.
    type Item;

    /// Takes the next answer.
    fn accept(&mut self, answer: Self::Answer) -> Accepted<Self::Item>;

    /// Whether everything that was asked for has come.
    fn is_complete(&self) -> bool;

    /// Whether an orderly end of the stream means that it is complete.
    fn ends_by_itself(&self) -> bool;

    /// The longest silence of a stream that lives; `None` where it may be silent.
    fn silence(&self) -> Option<Duration>;
}

/// What became of an answer.
pub(super) struct Accepted<T> {
    /// For the reader, if anything.
    pub(super) item: Option<T>,
    /// Whether the position moved.
    pub(super) moved: bool,
    /// What is wrong with the answer: the stream must be opened again.
    pub(super) fault: Option<String>,
}

/// A stream that is followed in a task of its own. Dropping it ends the task.
pub struct Follow<T> {
    updates: mpsc::Receiver<Message<T>>,
    task: JoinHandle<()>,
}

enum Message<T> {
    Update(Update<T>),
    End(Result<(), Error>),
}

impl<T: Send + 'static> Follow<T> {
    /// The next thing that happened; `None` once everything has come. Nothing is
    /// lost if the future is dropped and made anew.
    ///
    /// # Errors
    /// What trying again cannot mend, or the last break when patience ended.
    pub async fn next(&mut self) -> Result<Option<Update<T>>, Error> {
        match self.updates.recv().await {
            Some(Message::Update(update)) => Ok(Some(update)),
            Some(Message::End(result)) => result.map(|()| None),
            None => Err(Error::Protocol("nothing more, without saying why".into())),
        }
    }

    /// Follows a stream. `open` opens it at a cursor; `patience` is how long a
    /// break may last, `None` for ever.
    pub(super) fn spawn<C, O, F, S>(open: O, cursor: C, patience: Option<Duration>) -> Self
    where
        C: Cursor<Item = T> + Send + 'static,
        C::Answer: Send,
        O: Fn(&C) -> F + Send + 'static,
        F: Future<Output = Result<S, Error>> + Send,
        S: Stream<Item = Result<C::Answer, Error>> + Send + Unpin,
    {
        let (sender, updates) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let work = run(open, cursor, patience, rand::random::<f64>, &sender);
            tokio::select! {
                // Nobody listens any more: an idle stream must not keep the task.
                () = sender.closed() => {}
                result = work => {
                    let _ = sender.send(Message::End(result)).await;
                }
            }
        });
        Self { updates, task }
    }
}

impl<T> Drop for Follow<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A break, and how many there were since things last went well.
struct Break {
    since: Instant,
    attempt: u32,
    faults: u32,
    told: bool,
}

async fn run<C, O, F, S, R>(
    open: O,
    mut cursor: C,
    patience: Option<Duration>,
    mut random: R,
    out: &mpsc::Sender<Message<C::Item>>,
) -> Result<(), Error>
where
    C: Cursor,
    O: Fn(&C) -> F,
    F: Future<Output = Result<S, Error>>,
    S: Stream<Item = Result<C::Answer, Error>> + Unpin,
    R: FnMut() -> f64,
{
    let tell = async |update| {
        // A reader that left ends the task elsewhere.
        let _ = out.send(Message::Update(update)).await;
    };
    let mut broken: Option<Break> = None;
    loop {
        let mut fault = false;
        let error = match open(&cursor).await {
            Err(error) => error,
            Ok(mut stream) => {
                if let Some(state) = &mut broken
                    && state.told
                {
                    state.told = false;
                    tell(Update::Resumed).await;
                }
                let opened = Instant::now();
                loop {
                    let next = match cursor.silence() {
                        Some(limit) => match tokio::time::timeout(limit, stream.next()).await {
                            Ok(next) => next,
                            Err(_) => break Error::Interrupted("the stream went silent".into()),
                        },
                        None => stream.next().await,
                    };
                    let healthy = opened.elapsed() >= HEALTHY_AFTER;
                    match next {
                        Some(Ok(answer)) => {
                            let accepted = cursor.accept(answer);
                            if accepted.moved || healthy {
                                broken = None;
                            }
                            if let Some(item) = accepted.item {
                                tell(Update::Item(item)).await;
                            }
                            if cursor.is_complete() {
                                return Ok(());
                            }
                            if let Some(what) = accepted.fault {
                                fault = true;
                                break Error::Protocol(what);
                            }
                        }
                        Some(Err(error)) => {
                            if healthy {
                                broken = None;
                            }
                            break error;
                        }
                        None if cursor.ends_by_itself() => return Ok(()),
                        None => break Error::Interrupted("the stream ended early".into()),
                    }
                }
            }
        };
        let state = broken.get_or_insert_with(|| Break {
            since: Instant::now(),
            attempt: 0,
            faults: 0,
            told: false,
        });
        if fault {
            state.faults += 1;
        }
        if (fault && state.faults >= FAULTS_MAX) || !(fault || error.is_retryable()) {
            return Err(error);
        }
        let wait =
            backoff::delay(state.attempt, random()).max(error.retry_after().unwrap_or_default());
        if patience.is_some_and(|patience| state.since.elapsed() + wait > patience) {
            return Err(error);
        }
        state.attempt += 1;
        if !state.told {
            state.told = true;
            let cause = error.to_string();
            tell(Update::Lost { cause }).await;
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
