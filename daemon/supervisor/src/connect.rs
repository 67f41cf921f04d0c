//! `kiln-supervisor connect`: standard streams on one side, the socket on the
//! other. Understands nothing of what passes. Ends as soon as either side is
//! gone: the engine closes standard input when its client dies, and the server
//! closes the socket when nobody answers its pings.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;

/// What is copied at once, in bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// How long the first process may take to listen, and how often that is tried.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_millis(10);
/// How long the server may still talk after standard input has ended.
const LINGER: Duration = Duration::from_secs(1);

/// Connects standard streams to a socket and returns when either side is gone.
///
/// # Errors
/// If nobody listens.
pub fn run(socket: &Path) -> Result<(), Error> {
    // Other processes of this user shall not trace it.
    let _ = nix::sys::prctl::set_dumpable(false);
    let stream = connect(socket)?;
    let uplink = stream
        .try_clone()
        .map_err(Error::system("share the socket"))?;
    std::thread::Builder::new()
        .name("uplink".to_owned())
        .spawn(move || {
            let _ = copy(io::stdin().lock(), &uplink);
            let _ = uplink.shutdown(Shutdown::Write);
            // The server closes its half, which ends the other direction. Not
            // for ever, should it fail to.
            std::thread::sleep(LINGER);
            std::process::exit(0);
        })
        .map_err(Error::system("start a thread"))?;
    // Either end is an ordinary one.
    let _ = copy(&stream, io::stdout().lock());
    Ok(())
}

fn connect(socket: &Path) -> Result<UnixStream, Error> {
    let give_up = Instant::now() + LISTENS_WITHIN;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) && Instant::now() < give_up =>
            {
                std::thread::sleep(TRY_EVERY);
            }
            Err(error) => return Err(Error::system("connect to the socket")(error)),
        }
    }
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..count])?;
        // Standard output is buffered by lines.
        to.flush()?;
    }
}
