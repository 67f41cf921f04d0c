//! The accept loop: the unix socket and, on loopback, TCP; so many connections
//! in all and of one address, and no more.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::peer::Connection;

/// After a failed accept: descriptors may have run out for a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections at most.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// In all.
    pub all: u32,
    /// Of one address.
    pub per_address: u32,
}

/// Sockets that are bound and not yet served.
#[derive(Debug)]
pub struct Listeners {
    unix: UnixListener,
    tcp: Option<TcpListener>,
    /// Dropped with the listener: the file goes when nobody listens.
    _file: SocketFile,
}

/// The file of a socket that this process bound.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: by now the path may be that of another daemon.
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            id: inode(path)?,
        })
    }
}

fn inode(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.id)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot remove {}", self.path.display());
        }
    }
}

impl Listeners {
    /// Binds both. A socket file that nobody listens on is replaced.
    ///
    /// # Errors
    /// An address is taken; [`std::io::ErrorKind::AddrInUse`] on the unix socket
    /// means that another daemon answers there.
    pub async fn bind(unix: &Path, tcp: Option<SocketAddr>) -> std::io::Result<Self> {
        if let Some(directory) = unix.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        if !remove_dead_socket(unix).await? {
            return Err(std::io::Error::new(
                std::io::ErrorKind::AddrInUse,
                format!("another kilnd answers on {}", unix.display()),
            ));
        }
        let tcp = match tcp {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                std::io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?),
            None => None,
        };
        let listener = UnixListener::bind(unix)?;
        let file = SocketFile::of(unix)?;
        std::fs::set_permissions(unix, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            unix: listener,
            tcp,
            _file: file,
        })
    }

    /// Where TCP listens.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Accepts until `stop`; what comes is for tonic to serve.
    pub async fn accept(
        self,
        limits: ConnectionLimits,
        stop: CancellationToken,
        to: mpsc::Sender<std::io::Result<Connection>>,
    ) {
        let places = Places::new(limits);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                unix = self.unix.accept() => unix.map(|(stream, _)| {
                    places.take(None).map(|place| (Connection::unix(stream), place))
                }),
                tcp = accept_tcp(self.tcp.as_ref()) => tcp.map(|(stream, address)| {
                    // Small messages go out at once.
                    let _ = stream.set_nodelay(true);
                    places.take(Some(address.ip())).map(|place| (Ok(Connection::tcp(stream, address)), place))
                }),
            };
            match accepted {
                Ok(Some((Ok(connection), place))) => {
                    if to.send(Ok(connection.holding(place))).await.is_err() {
                        return;
                    }
                }
                Ok(Some((Err(error), _))) => tracing::debug!(%error, "a peer cannot be told"),
                // Over the limit: the stream is closed by being dropped.
                Ok(None) => tracing::debug!("a connection over the limit was closed"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Removes the socket file of a daemon that was killed. Says whether the path is
/// free; it is not while somebody answers there.
///
/// # Errors
/// The file cannot be removed.
pub async fn remove_dead_socket(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;

    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => {
            return Err(std::io::Error::other(format!(
                "{} is no socket: it is not touched",
                path.display()
            )));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Ok(false);
    }
    std::fs::remove_file(path)?;
    Ok(true)
}

/// A channel of connections for `serve_with_incoming`.
#[must_use]
pub fn incoming() -> (
    mpsc::Sender<std::io::Result<Connection>>,
    ReceiverStream<std::io::Result<Connection>>,
) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, ReceiverStream::new(receiver))
}

async fn accept_tcp(
    listener: Option<&TcpListener>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Connections that are open, counted.
struct Places {
    all: Arc<Semaphore>,
    per_address: u32,
    /// Counted up here, down when a [`Place`] is dropped.
    by_address: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Places {
    fn new(limits: ConnectionLimits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.all as usize)),
            per_address: limits.per_address,
            by_address: Arc::default(),
        }
    }

    fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        if let Some(address) = address {
            let mut counts = self
                .by_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address).or_insert(0);
            if *count >= self.per_address {
                return None;
            }
            *count += 1;
        }
        Some(Place {
            _permit: permit,
            address,
            by_address: Arc::clone(&self.by_address),
        })
    }
}

struct Place {
    _permit: OwnedSemaphorePermit,
    address: Option<IpAddr>,
    by_address: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_file_goes_with_its_listener_and_no_other_file_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kilnd.sock");
        let listeners = Listeners::bind(&path, None).await.unwrap();
        assert!(
            !remove_dead_socket(&path).await.unwrap(),
            "somebody listens"
        );
        drop(listeners);
        assert!(!path.exists());
        // As a daemon that was killed leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listeners = Listeners::bind(&path, None).await.unwrap();
        // Somebody else has the path now.
        std::fs::remove_file(&path).unwrap();
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(listeners);
        assert!(path.exists());
        drop(other);
        assert!(remove_dead_socket(&path).await.unwrap());
        assert!(!path.exists());
        // What is no socket is somebody's file.
        std::fs::write(&path, "").unwrap();
        remove_dead_socket(&path).await.unwrap_err();
        Listeners::bind(&path, None).await.unwrap_err();
        assert!(path.exists());
    }

    #[test]
    fn places_come_back_when_connections_close() {
        let places = Places::new(ConnectionLimits {
            all: 3,
            per_address: 2,
        });
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        let first = places.take(here);
        let second = places.take(here);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(here).is_none(), "two of one address");
        let third = places.take(None);
        assert!(third.is_some());
        assert!(places.take(None).is_none(), "three in all");
        drop((first, third));
        assert!(places.take(here).is_some());
    }
}
