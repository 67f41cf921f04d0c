//! `kiln-supervisor connect`: standard streams on one side, the socket on the
//! other. Understands nothing of what passes. Ends as soon as either side is
//! gone: the engine closes standard input when its client dies, and the server
//! closes the socket when nobody answers its pings. One thread: in a sandbox
//! that may have no more processes there is room for this one, but no other.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::pump;

/// How long the first process may take to listen, and how often that is tried.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_millis(10);
/// Connects standard streams to a socket and returns when either side is gone.
///
/// # Errors
/// If nobody listens.
pub fn run(socket: &Path) -> Result<(), Error> {
    // Other processes of this user shall not trace it.
    let _ = nix::sys::prctl::set_dumpable(false);
    let stream = connect(socket)?;
    // Either end is an ordinary one, and there is nobody to tell.
    let _ = pump::run(io::stdin(), io::stdout(), &stream);
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
