//! The task behind a [`super::Link`]: connects, says hello, keeps one pump for
//! each subscription, and begins again when the connection breaks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kiln_proto::v1 as pb;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::pump::{End, Position, pump};
use super::{Client, Command, Error, Hello, Options, Report, State, Topic};
use crate::client::backoff;

/// How long a connection must stand before waits begin small again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// What is followed. Positions outlive pumps and connections: a pump holds the
/// lock of its own for as long as it runs.
#[derive(Default)]
struct Followed {
    wanted: Vec<Topic>,
    positions: HashMap<Topic, Arc<Mutex<Position>>>,
    over: Vec<Topic>,
}

/// How a spell of being online ended.
enum Spell {
    Lost(Error),
    Reconnect,
    /// Nobody listens.
    Deaf,
}

pub(super) async fn run(
    options: Options,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    shown: watch::Sender<Option<Client>>,
    out: mpsc::Sender<Report>,
) {
    let mut followed = Followed::default();
    let mut attempt = 0;
    loop {
        if tell(&out, State::Connecting).await.is_err() {
            return;
        }
        let error = match connect(&options, &shown).await {
            Ok((client, hello)) => {
                if tell(&out, State::Online(Box::new(hello))).await.is_err() {
                    return;
                }
                let since = Instant::now();
                let spell = online(&client, &mut followed, &mut inbox, &out).await;
                if since.elapsed() >= HEALTHY_AFTER {
                    attempt = 0;
                }
                match spell {
                    Spell::Lost(error) => error,
                    Spell::Reconnect => {
                        let _ = shown.send(None);
                        attempt = 0;
                        continue;
                    }
                    Spell::Deaf => return,
                }
            }
            Err(error) => error,
        };
        let stays = if error.wants_sign_in() {
            // Signing in needs the channel; everything else needs the account.
            State::SignIn(error)
        } else {
            let _ = shown.send(None);
            if error.is_retryable() {
                let wait = backoff::delay(attempt, rand::random())
                    .max(error.retry_after().unwrap_or_default());
                attempt = attempt.saturating_add(1);
                let state = State::Waiting {
                    error,
                    wait,
                    attempt,
                };
                if tell(&out, state).await.is_err() {
                    return;
                }
                if !rest(Some(wait), &mut followed, &mut inbox).await {
                    return;
                }
                continue;
            }
            State::Refused(error)
        };
        if tell(&out, stays).await.is_err() || !rest(None, &mut followed, &mut inbox).await {
            return;
        }
        attempt = 0;
    }
}

/// Fails only if nobody listens any more.
async fn tell(out: &mpsc::Sender<Report>, state: State) -> Result<(), ()> {
    out.send(Report::State(state)).await.map_err(|_| ())
}

/// Connects and asks who is there.
async fn connect(
    options: &Options,
    shown: &watch::Sender<Option<Client>>,
) -> Result<(Client, Hello), Error> {
    let client = Client::connect(options.clone()).await?;
    let _ = shown.send(Some(client.clone()));
    let (user, server) = tokio::join!(
        client.get_current_user(pb::GetCurrentUserRequest {}),
        client.get_server_info(pb::GetServerInfoRequest {})
    );
    let user = user?
        .user
        .ok_or_else(|| Error::Protocol("no user".to_owned()))?;
    let server = server?;
    Ok((client, Hello { server, user }))
}

/// Waits for a moment, or for ever, but for somebody who wants to go on. False
/// if nobody is there any more.
async fn rest(
    wait: Option<Duration>,
    followed: &mut Followed,
    inbox: &mut mpsc::UnboundedReceiver<Command>,
) -> bool {
    let until = wait.map(|wait| Instant::now() + wait);
    let over = async move {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return true,
            command = inbox.recv() => match command {
                Some(Command::Follow(topics)) => followed.want(topics),
                Some(Command::Retry | Command::Reconnect) => return true,
                None => return false,
            },
        }
    }
}

/// Follows what is wanted until the connection breaks.
async fn online(
    client: &Client,
    followed: &mut Followed,
    inbox: &mut mpsc::UnboundedReceiver<Command>,
    out: &mpsc::Sender<Report>,
) -> Spell {
    // Dropping it stops them all.
    let mut pumps: JoinSet<(Topic, End)> = JoinSet::new();
    let mut running: HashMap<Topic, AbortHandle> = HashMap::new();
    loop {
        for topic in &followed.wanted {
            if running.contains_key(topic) || followed.over.contains(topic) {
                continue;
            }
            let position = followed
                .positions
                .entry(topic.clone())
                .or_insert_with(|| Arc::new(Mutex::new(Position::start(topic))));
            let (client, position, out) = (client.clone(), Arc::clone(position), out.clone());
            let started = topic.clone();
            let handle = pumps.spawn(async move {
                let mut position = position.lock().await;
                let end = pump(&client, &started, &mut position, &out).await;
                (started, end)
            });
            running.insert(topic.clone(), handle);
        }
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Follow(topics)) => {
                    followed.want(topics);
                    running.retain(|topic, handle| {
                        let wanted = followed.wanted.contains(topic);
                        if !wanted {
                            handle.abort();
                        }
                        wanted
                    });
                }
                Some(Command::Retry) => {}
                Some(Command::Reconnect) => return Spell::Reconnect,
                None => return Spell::Deaf,
            },
            Some(ended) = pumps.join_next(), if !pumps.is_empty() => {
                // One that was stopped has nothing to say.
                let Ok((topic, end)) = ended else { continue };
                match end {
                    End::Deaf => return Spell::Deaf,
                    End::Lost(error) => return Spell::Lost(error),
                    End::Over(error) => {
                        // Nobody asks any more for what was let go in between.
                        if running.remove(&topic).is_none() {
                            continue;
                        }
                        followed.over.push(topic.clone());
                        if out.send(Report::Ended { topic, error }).await.is_err() {
                            return Spell::Deaf;
                        }
                    }
                }
            }
        }
    }
}

impl Followed {
    fn want(&mut self, topics: Vec<Topic>) {
        self.over.retain(|topic| topics.contains(topic));
        self.positions.retain(|topic, _| topics.contains(topic));
        self.wanted = topics;
    }
}
