//! Copies between a pair of standard streams and a socket, on one thread and
//! without ever blocking on one side while the other has ended.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What is kept of each direction, in bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// How long the rest may take once one side has ended.
const LINGER: Duration = Duration::from_secs(1);

/// Copies until the socket or the output has ended, or a moment after the input
/// has.
///
/// # Errors
/// Whatever the system says, which is an ordinary end as well.
pub fn run(input: impl AsFd, output: impl AsFd, socket: &UnixStream) -> io::Result<()> {
    let (input, output) = (input.as_fd(), output.as_fd());
    for stream in [input, output, socket.as_fd()] {
        make_nonblocking(stream)?;
    }
    let mut up = Direction::new(input, socket.as_fd());
    let mut down = Direction::new(socket.as_fd(), output);
    let mut socket_is_closed = false;
    let mut give_up: Option<Instant> = None;
    loop {
        up.fill();
        if up.drain().is_err() {
            up.discard();
        }
        down.fill();
        if down.drain().is_err() || down.is_done() {
            return Ok(());
        }
        if up.is_done() && !up.is_shut {
            up.is_shut = true;
            // The other end may have closed already.
            let _ = socket.shutdown(Shutdown::Write);
        }
        let is_ending = up.has_ended || down.has_ended || socket_is_closed;
        let now = Instant::now();
        if is_ending && now >= *give_up.get_or_insert(now + LINGER) {
            return Ok(());
        }
        match wait(&up, &down, socket_is_closed, give_up)? {
            Waited::Ready => {}
            Waited::SocketClosed => socket_is_closed = true,
            Waited::OutputClosed => return Ok(()),
        }
    }
}

/// What waiting was ended by.
enum Waited {
    /// A direction can go on, or time has passed.
    Ready,
    /// The other end of the socket is gone; it may still hold what was sent.
    SocketClosed,
    /// Nobody reads the output any more.
    OutputClosed,
}

/// Waits until either direction can go on.
fn wait(
    up: &Direction<'_>,
    down: &Direction<'_>,
    socket_is_closed: bool,
    give_up: Option<Instant>,
) -> io::Result<Waited> {
    let (socket, output) = (down.from, down.to);
    let mut output_events = PollFlags::empty();
    output_events.set(PollFlags::POLLOUT, down.wants_output());
    // That nobody reads the output any more is told without asking.
    let mut watched = vec![PollFd::new(output, output_events)];
    let mut socket_events = PollFlags::empty();
    socket_events.set(PollFlags::POLLIN, down.wants_input());
    socket_events.set(PollFlags::POLLOUT, up.wants_output());
    // That it is closed is told as well, again and again once it is.
    let watches_socket = !socket_is_closed || !socket_events.is_empty();
    if watches_socket {
        watched.push(PollFd::new(socket, socket_events));
    }
    if up.wants_input() {
        watched.push(PollFd::new(up.from, PollFlags::POLLIN));
    }
    let timeout = match give_up {
        None => PollTimeout::NONE,
        Some(at) => {
            let left = at.saturating_duration_since(Instant::now());
            // Rounded up, or it would spin through the last millisecond.
            PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
        }
    };
    match poll(&mut watched, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_closed = |index: usize| {
        let flags = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        let told = watched.get(index).and_then(PollFd::revents);
        told.is_some_and(|told| told.intersects(flags))
    };
    Ok(if is_closed(0) {
        Waited::OutputClosed
    } else if watches_socket && is_closed(1) {
        Waited::SocketClosed
    } else {
        Waited::Ready
    })
}

/// One direction and what is on its way.
struct Direction<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    has_ended: bool,
    is_shut: bool,
}

impl<'a> Direction<'a> {
    fn new(from: BorrowedFd<'a>, to: BorrowedFd<'a>) -> Self {
        Self {
            from,
            to,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            has_ended: false,
            is_shut: false,
        }
    }

    fn wants_input(&self) -> bool {
        !self.has_ended && self.start == self.end
    }

    fn wants_output(&self) -> bool {
        self.start < self.end
    }

    fn is_done(&self) -> bool {
        self.has_ended && self.start == self.end
    }

    fn discard(&mut self) {
        self.start = self.end;
        self.has_ended = true;
    }

    /// Reads once, if there is room and something to read.
    fn fill(&mut self) {
        if !self.wants_input() {
            return;
        }
        match nix::unistd::read(self.from, &mut self.buffer) {
            Ok(count) if count > 0 => (self.start, self.end) = (0, count),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Ok(_) | Err(_) => self.has_ended = true,
        }
    }

    /// Writes once, if there is something to write and room.
    fn drain(&mut self) -> nix::Result<()> {
        if !self.wants_output() {
            return Ok(());
        }
        match nix::unistd::write(self.to, &self.buffer[self.start..self.end]) {
            Ok(count) => self.start += count,
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn make_nonblocking(stream: BorrowedFd<'_>) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(stream, FcntlArg::F_GETFL)?);
    fcntl(stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Both ends of what a pump connects, as its neighbours see them.
    struct Ends {
        input: io::PipeWriter,
        output: io::PipeReader,
        socket: UnixStream,
        pump: std::thread::JoinHandle<io::Result<()>>,
    }

    fn start() -> Ends {
        let (stdin, input) = io::pipe().unwrap();
        let (output, stdout) = io::pipe().unwrap();
        let (socket, other) = UnixStream::pair().unwrap();
        let pump = std::thread::spawn(move || run(stdin, stdout, &other));
        Ends {
            input,
            output,
            socket,
            pump,
        }
    }

    #[test]
    fn everything_passes_in_both_directions_at_once() {
        const BYTES: usize = 3_000_017;
        let pattern: Vec<u8> = (0..251).cycle().take(BYTES).collect();
        let Ends {
            mut input,
            mut output,
            mut socket,
            pump,
        } = start();
        let mut reading = socket.try_clone().unwrap();
        let expected = pattern.clone();
        let server = std::thread::spawn(move || {
            let writer = std::thread::spawn(move || {
                socket.write_all(&expected).unwrap();
                socket
            });
            let mut all = vec![0; BYTES];
            reading.read_exact(&mut all).unwrap();
            // Only now is it closed.
            drop(writer.join().unwrap());
            all
        });
        let sent = pattern.clone();
        let writer = std::thread::spawn(move || {
            input.write_all(&sent).unwrap();
            input
        });
        let mut all = vec![0; BYTES];
        output.read_exact(&mut all).unwrap();
        assert!(all == pattern);
        assert!(server.join().unwrap() == pattern);
        // The socket has ended, the input has not.
        pump.join().unwrap().unwrap();
        drop(writer.join().unwrap());
    }

    #[test]
    fn an_end_of_the_input_reaches_the_socket_and_answers_still_come() {
        let mut ends = start();
        ends.input.write_all(b"question").unwrap();
        drop(ends.input);
        let mut question = Vec::new();
        ends.socket.read_to_end(&mut question).unwrap();
        assert_eq!(question, b"question");
        ends.socket.write_all(b"answer").unwrap();
        drop(ends.socket);
        let mut answer = Vec::new();
        ends.output.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"answer");
        ends.pump.join().unwrap().unwrap();
    }

    #[test]
    fn it_ends_if_the_socket_stays_open_after_the_input() {
        let ends = start();
        drop(ends.input);
        ends.pump.join().unwrap().unwrap();
    }

    #[test]
    fn it_ends_when_nobody_reads_the_output_any_more() {
        let ends = start();
        drop(ends.output);
        ends.pump.join().unwrap().unwrap();
    }

    /// A caller that hangs: neither reads nor closes.
    #[test]
    fn it_ends_with_the_socket_although_the_output_is_full() {
        let mut ends = start();
        ends.socket
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        while ends.socket.write_all(&[7; 4096]).is_ok() {}
        drop(ends.socket);
        ends.pump.join().unwrap().unwrap();
    }
}
