//! A TCP proxy in front of Postgres that breaks connections at chosen moments.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How the next thing that a client sends is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It never arrives; the connection breaks.
    Before,
    /// It arrives; the answer does not, and the connection breaks.
    AnswerLost,
    /// It arrives after the client was cut off, when it has given up on it.
    Late,
    /// It arrives; the answer does not, and nothing breaks.
    Swallowed,
}

/// The proxy. Connections last until it is told to break one.
pub(crate) struct Proxy {
    address: SocketAddr,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    refusing: Arc<AtomicBool>,
}

impl Proxy {
    /// `marker`: only what contains this counts as a thing to cut.
    pub(crate) async fn start(server: &PgConnectOptions, marker: &'static [u8]) -> Self {
        let upstream = format!("{}:{}", server.get_host(), server.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(Mutex::new(VecDeque::new()));
        let armed = Arc::clone(&cuts);
        let refusing = Arc::new(AtomicBool::new(false));
        let refuses = Arc::clone(&refusing);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if refuses.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&upstream).await else {
                    continue;
                };
                tokio::spawn(carry(client, server, Arc::clone(&armed), marker));
            }
        });
        Self {
            address,
            cuts,
            refusing,
        }
    }

    /// The same database, by way of this proxy.
    pub(crate) fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        options
            .clone()
            .host(&self.address.ip().to_string())
            .port(self.address.port())
    }

    /// The next thing that carries the marker is cut like this.
    pub(crate) fn arm(&self, cut: Cut) {
        self.cuts.lock().unwrap().push_back(cut);
    }

    /// From now on new connections are (not) closed at once.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }

    pub(crate) fn is_armed(&self) -> bool {
        !self.cuts.lock().unwrap().is_empty()
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    marker: &'static [u8],
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mute = Arc::new(AtomicBool::new(false));
    let down = tokio::spawn(answers(from_server, to_client, Arc::clone(&mute)));
    let stop_down = down.abort_handle();
    requests(from_client, to_server, &cuts, marker, &mute, &stop_down).await;
    stop_down.abort();
}

/// Carries what the client sends, until either side goes or the connection is cut.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    cuts: &Mutex<VecDeque<Cut>>,
    marker: &[u8],
    mute: &AtomicBool,
    answers: &AbortHandle,
) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let data = &buffer[..read];
        let hit = data.windows(marker.len()).any(|window| window == marker);
        let cut = if hit {
            cuts.lock().unwrap().pop_front()
        } else {
            None
        };
        match cut {
            Some(Cut::Before) => return,
            None => {}
            Some(Cut::AnswerLost | Cut::Swallowed) => mute.store(true, Ordering::SeqCst),
            Some(Cut::Late) => {
                // The client sees its connection go; the bytes arrive afterwards.
                answers.abort();
                drop(from);
                tokio::time::sleep(Duration::from_millis(60)).await;
                let _ = to.write_all(data).await;
                // The server must get to read it before the connection goes.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
        }
        if to.write_all(data).await.is_err() {
            return;
        }
        match cut {
            Some(Cut::AnswerLost) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                return;
            }
            // Both sides stay open until the client has had enough.
            Some(Cut::Swallowed) => {
                while matches!(from.read(&mut buffer).await, Ok(read) if read > 0) {}
                return;
            }
            None | Some(Cut::Before | Cut::Late) => {}
        }
    }
}

/// Carries what the server answers, or throws it away.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mute: Arc<AtomicBool>) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        if !mute.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
