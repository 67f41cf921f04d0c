//! Signals, on a thread of their own. Blocks them for the whole process, so it
//! must come before the first thread; what is started begins with none blocked.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::Error;

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Children ended.
    ChildrenEnded,
    /// The engine, or whoever started us, wants us to stop.
    StopRequested,
}

/// The signals that were blocked.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
    is_first_process: bool,
}

impl Signals {
    /// Blocks the signals that are to be heard of.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn block() -> Result<Self, Error> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
            set.add(signal);
        }
        set.thread_block()
            .map_err(Error::system("block the signals"))?;
        let descriptor = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)
            .map_err(Error::system("open the signals"))?;
        Ok(Self {
            descriptor,
            is_first_process: std::process::id() == 1,
        })
    }

    /// Starts the thread, which lives as long as the process.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn watch(self, mut listener: impl FnMut(Event) + Send + 'static) -> Result<(), Error> {
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                while let Ok(event) = self.next() {
                    listener(event);
                }
            })
            .map(drop)
            .map_err(Error::system("start a thread"))
    }

    fn next(&self) -> nix::Result<Event> {
        loop {
            let signal = match self.descriptor.read_signal() {
                Ok(Some(signal)) => signal,
                Ok(None) | Err(Errno::EINTR) => continue,
                Err(error) => return Err(error),
            };
            if signal.ssi_signo == Signal::SIGCHLD as u32 {
                return Ok(Event::ChildrenEnded);
            }
            // A sender outside of our process namespace has no number in it.
            // Those inside have no business stopping us.
            if !self.is_first_process || signal.ssi_pid == 0 {
                return Ok(Event::StopRequested);
            }
        }
    }
}
