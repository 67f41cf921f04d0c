//! `kiln-supervisor init`: the first process of a sandbox. `connect`: a pipe
//! between standard streams and its socket, run by an exec of the engine.
//! `launch`: what `init` runs to start everything else. Parses nothing more.

use std::process::ExitCode;

use kiln_supervisor::config::Settings;
use kiln_supervisor::{connect, init, launch};

/// The exit code of a wrong command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let outcome = match command.to_str() {
        Some("init") => Settings::from_environment().and_then(|settings| init::run(&settings)),
        Some("connect") => {
            Settings::from_environment().and_then(|settings| connect::run(&settings.socket))
        }
        Some("launch") => return launch::run(arguments),
        Some("--version") => {
            return say(
                &mut std::io::stdout(),
                concat!("kiln-supervisor ", env!("CARGO_PKG_VERSION")),
                0,
            );
        }
        Some(_) | None => {
            return say(
                &mut std::io::stderr(),
                "usage: kiln-supervisor init | connect",
                USAGE,
            );
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(
            &mut std::io::stderr(),
            &format!("kiln-supervisor: {error}"),
            1,
        ),
    }
}

fn say(to: &mut dyn std::io::Write, text: &str, code: u8) -> ExitCode {
    // Nobody may be listening any more; the exit code still says it.
    let _ = writeln!(to, "{text}");
    ExitCode::from(code)
}
