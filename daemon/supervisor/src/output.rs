//! Reads the pipes of a command into a ring, to their end. Always goes on
//! reading, so that output never blocks a command; a flood is only slowed.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use crate::error::Error;
use crate::lines::LineCutter;
use crate::ring::{Origin, Ring};

/// What is read at once, in bytes: as much as a pipe holds.
const READ_BYTES: usize = 64 << 10;
/// Pause after a read while nothing may pass: a flood is then read at some
/// 50 MB a second instead of taking a whole processor.
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// Reads both pipes to their ends.
pub async fn read(outputs: [pipe::Receiver; 2], ring: Arc<Ring>, slot: &'static str) {
    let [stdout, stderr] = outputs;
    tokio::join!(
        read_one(stdout, &ring, Origin::Output, slot),
        read_one(stderr, &ring, Origin::Error, slot),
    );
}

/// Makes pipes readable within the runtime.
///
/// # Errors
/// Whatever the system says.
pub fn receivers(outputs: [OwnedFd; 2]) -> Result<[pipe::Receiver; 2], Error> {
    let [stdout, stderr] = outputs.map(|output| {
        pipe::Receiver::from_owned_fd(output).map_err(Error::system("read the output"))
    });
    Ok([stdout?, stderr?])
}

async fn read_one(mut pipe: pipe::Receiver, ring: &Ring, origin: Origin, slot: &'static str) {
    let mut cutter = LineCutter::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match pipe.read(&mut buffer).await {
            // An error of a pipe is its end as well.
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let is_open = ring.feed(&mut cutter, &buffer[..count], origin, slot);
        if !is_open {
            tokio::time::sleep(FLOOD_PAUSE).await;
        }
    }
    ring.finish(&mut cutter, origin, slot);
}
