//! `kiln-supervisor init`: builds everything once, top to bottom, serves, and
//! ends when the engine asks for it. Everything runs on one thread but the work
//! on files.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Settings;
use crate::dev_server::DevServers;
use crate::error::Error;
use crate::listen;
use crate::process::Launcher;
use crate::reap::Reaper;
use crate::ring::{Ring, SERVER_LOG};
use crate::server::{FILE_THREADS, Server};
use crate::signals::{Event, Signals};
use crate::step::Steps;
use crate::workspace::Workspace;

/// How long stopping may take; engines allow ten seconds.
const STOPS_WITHIN: Duration = Duration::from_secs(6);
/// Threads are never given back.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Runs the supervisor until a signal asks it to stop.
///
/// # Errors
/// If it cannot start.
pub fn run(settings: &Settings) -> Result<(), Error> {
    // Before any thread.
    let signals = Signals::block()?;
    harden();
    let reaper = Arc::new(Reaper::default());
    let stop = CancellationToken::new();
    signals.watch(listener(Arc::clone(&reaper), stop.clone()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(FILE_THREADS)
        .thread_keep_alive(FOR_EVER)
        .build()
        .map_err(Error::system("start the runtime"))?;
    let result = runtime.block_on(serve(settings, reaper, stop));
    // An upload may be waiting for its caller.
    runtime.shutdown_background();
    result
}

fn listener(reaper: Arc<Reaper>, stop: CancellationToken) -> impl FnMut(Event) + Send + 'static {
    move |event| match event {
        Event::ChildrenEnded => reaper.reap(),
        // Whoever asks twice is in a hurry.
        Event::StopRequested if stop.is_cancelled() => std::process::exit(1),
        Event::StopRequested => stop.cancel(),
    }
}

async fn serve(
    settings: &Settings,
    reaper: Arc<Reaper>,
    stop: CancellationToken,
) -> Result<(), Error> {
    start_file_threads().await;
    let workspace = Arc::new(Workspace::open(&settings.workspace)?);
    let boot_id = boot_id()?;
    let program = std::env::current_exe().map_err(Error::system("find this program"))?;
    let launcher = Arc::new(Launcher::new(reaper, program, boot_id.clone()));
    let tasks = TaskTracker::new();
    let log = Arc::new(Ring::new(SERVER_LOG));
    let server = Server {
        boot_id,
        workspace: Arc::clone(&workspace),
        steps: Steps::new(
            Arc::clone(&launcher),
            Arc::clone(&workspace),
            tasks.clone(),
            stop.clone(),
        ),
        servers: DevServers::new(
            launcher,
            workspace,
            Arc::clone(&log),
            tasks.clone(),
            stop.clone(),
        ),
        log,
        tasks: tasks.clone(),
        stop: stop.clone(),
        file_changes: Server::file_changes(),
    };
    let listener = listen::listen(&settings.socket)?;
    tokio::select! {
        never = listen::serve(listener, server) => match never {},
        () = stop.cancelled() => {}
    }
    tasks.close();
    // Whatever is left then ends with the sandbox.
    let _ = tokio::time::timeout(STOPS_WITHIN, tasks.wait()).await;
    // Nobody needs it any more, and a new start makes its own.
    let _ = std::fs::remove_file(&settings.socket);
    Ok(())
}

/// What can be done about sharing a user with the code in the sandbox.
fn harden() {
    // It shall not trace us or read our memory.
    let _ = nix::sys::prctl::set_dumpable(false);
    // Orphans come to us, also where we are not the first process.
    let _ = nix::sys::prctl::set_child_subreaper(true);
    // Modes are set as they are meant.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
}

/// All of them now: later the sandbox may have no process left to give.
async fn start_file_threads() {
    let barrier = Arc::new(Barrier::new(FILE_THREADS));
    let threads: Vec<_> = (0..FILE_THREADS)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            tokio::task::spawn_blocking(move || {
                barrier.wait();
            })
        })
        .collect();
    for thread in threads {
        // Waiting at a barrier does not panic.
        let _ = thread.await;
    }
}

fn boot_id() -> Result<String, Error> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .map_err(Error::system("make an identity"))?;
    Ok(id.trim().to_owned())
}
