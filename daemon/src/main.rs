//! `kilnd`: arguments, configuration, telemetry, signals and exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kiln_daemon::config::{self, Config, Sources};
use kiln_daemon::control;
use kiln_daemon::server::{self, ServeError};
use kiln_daemon::shutdown::Shutdown;
use kiln_daemon::telemetry;

/// The daemon that turns prompts into running web apps.
///
/// Without a command it serves until it is told to stop. Every key of the
/// configuration file has an environment variable, `KILN_<SECTION>_<KEY>`.
#[derive(Debug, Parser)]
#[command(name = "kilnd", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Configuration file (default: kilnd.toml in the configuration directory).
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<std::path::PathBuf>,
    /// Where the daemon keeps its own things.
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<String>,
    /// Unix socket of the API.
    #[arg(long, value_name = "PATH", global = true)]
    unix: Option<String>,
    /// TCP address of the API, on loopback, or `none`.
    #[arg(long, value_name = "ADDRESS", global = true)]
    tcp: Option<String>,
    /// How log lines look: `human` or `json`.
    #[arg(long, value_name = "FORMAT", global = true)]
    log_format: Option<String>,
    /// What is logged, such as `info` or `kiln_daemon=debug`.
    #[arg(long, value_name = "FILTER", global = true)]
    log_level: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Serve (the default).
    Serve,
    /// Ask whether a daemon answers on the unix socket.
    Ping,
    /// Stop the daemon, its Postgres and its containers. Data stays.
    Stop,
    /// Delete everything that a stopped daemon has kept: containers, images, rows, data.
    Purge,
}

const EXIT_CODES: &str = "exit codes: 0 done, 1 failed, 2 configuration, 3 another kilnd owns the data directory, 5 unreachable";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match config::load(&sources(&arguments)) {
        Ok(config) => config,
        Err(error) => return fail(&ServeError::Configuration(error.to_string())),
    };
    if let Err(error) = telemetry::start(&config.log) {
        return fail(&ServeError::Configuration(error));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&ServeError::Other(error.into())),
    };
    let command = arguments.command.unwrap_or(Command::Serve);
    match runtime.block_on(run(command, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run(command: Command, config: Config) -> Result<(), ServeError> {
    match command {
        Command::Serve => {
            let shutdown = Shutdown::default();
            // Before there is anything that a signal would leave behind.
            shutdown.listen().map_err(anyhow::Error::new)?;
            server::start(config, shutdown).await?.run().await;
            Ok(())
        }
        Command::Ping => control::ping(&config).await,
        Command::Stop => control::stop(&config).await.map(|said| say(&said)),
        Command::Purge => control::purge(&config).await.map(|said| say(&said)),
    }
}

/// One line each; nobody has to read them.
fn say(lines: &[String]) {
    let mut out = std::io::stderr().lock();
    for line in lines {
        // A closed pipe is no error.
        let _ = writeln!(out, "{line}");
    }
}

fn sources(arguments: &Arguments) -> Sources {
    let flags = [
        ("", "data_dir", &arguments.data_dir),
        ("listen", "unix", &arguments.unix),
        ("listen", "tcp", &arguments.tcp),
        ("log", "format", &arguments.log_format),
        ("log", "level", &arguments.log_level),
    ];
    Sources {
        file: arguments.config.clone(),
        environment: std::env::vars().collect(),
        flags: flags
            .into_iter()
            .filter_map(|(section, key, value)| Some((section, key, value.clone()?)))
            .collect(),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a process that did not start"
)]
fn fail(error: &ServeError) -> ExitCode {
    match error {
        ServeError::Other(error) => eprintln!("kilnd: {error:#}"),
        other => eprintln!("kilnd: {other}"),
    }
    ExitCode::from(error.exit_code())
}
