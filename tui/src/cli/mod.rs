//! The command line: reads the arguments, runs one command, ends with a code.
//!
//! - [`args`] is the grammar; each command has a file of its own.
//! - [`exit`] and `hints`: how commands end, and what to do about it.
//! - [`output`]: what is printed, for people and for scripts.
//!
//! It asks nothing where nobody can answer, and takes no credential from the
//! arguments. `kiln` alone hands over to the full-screen client.

pub mod args;
mod auth;
mod cancel;
mod completions;
pub mod exit;
mod export;
mod files;
mod full_screen;
mod generate;
mod hints;
mod history;
mod interrupt;
mod logs;
mod models;
mod new;
pub mod output;
mod project;
mod projects;
mod prompt;
mod provider;
mod sandbox;
mod status;
mod token;
mod usage;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command, Global};
use self::exit::{Exit, Failure, Stop};
use self::output::json::Object;
use self::output::{Line, Output, Style};
use crate::client::{Client, Options};
use crate::config::{self, Overrides};

/// What every command gets.
struct Context {
    output: Output,
    global: Global,
}

impl Context {
    /// What is known before connecting.
    fn options(&self) -> Result<Options, Stop> {
        Ok(config::load(&self.overrides(), |name| {
            std::env::var_os(name)
        })?)
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            server: self.global.server.clone(),
            token_file: self.global.token_file.clone(),
            config: self.global.config.clone(),
        }
    }

    /// A connection to the daemon.
    async fn client(&self) -> Result<Client, Stop> {
        Ok(Client::connect(self.options()?).await?)
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    let context = Context {
        output: Output::new(cli.global.json),
        global: cli.global,
    };
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Commands run on this thread and may wait for a slow reader of stdout;
    // the connection lives on the other and stays alive meanwhile.
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::failed("RUNTIME", format!("cannot start a thread: {error}"));
            return context.output.failure(&failure).into();
        }
    };
    let result = runtime.block_on(Box::pin(run(&context, cli.command)));
    // A prompt that still waits for a key must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => Exit::Done.into(),
        Err(Stop::Quiet(exit)) => exit.into(),
        Err(Stop::Failure(failure)) => context.output.failure(&failure).into(),
    }
}

async fn run(context: &Context, command: Option<Command>) -> Result<(), Stop> {
    let Some(command) = command else {
        return full_screen::run(context).await;
    };
    match command {
        Command::New(args) => new::run(context, args).await,
        Command::Generate(args) => generate::run(context, args).await,
        Command::Watch(args) => watch::run(context, args).await,
        Command::Cancel(of) => cancel::run(context, of).await,
        Command::Projects(args) => projects::run(context, args).await,
        Command::Files(args) => files::run(context, args).await,
        Command::History(of) => history::run(context, of).await,
        Command::Export(args) => export::run(context, args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Sandbox(args) => sandbox::run(context, args).await,
        Command::Models(args) => models::run(context, args).await,
        Command::Provider(args) => provider::run(context, args).await,
        Command::Status => status::run(context).await,
        Command::Auth(args) => auth::run(context, args).await,
        Command::Completions { shell } => completions::run(context, shell),
        Command::Version => version(context),
    }
}

fn version(context: &Context) -> Result<(), Stop> {
    let version = env!("CARGO_PKG_VERSION");
    if context.output.json() {
        return context
            .output
            .object(&Object::new("version").with("version", version));
    }
    context
        .output
        .result(&Line::plain("kiln ").add(Style::Plain, version))
}
