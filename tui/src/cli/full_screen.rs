//! `kiln` alone: puts together what the full-screen client needs, and shows it.

use super::Context;
use super::exit::{Exit, Failure, Stop};
use super::output::progress;
use crate::client::Address;
use crate::config;
use crate::model::settings::Settings;
use crate::model::{Model, Start};
use crate::runtime::{self, Memory};
use crate::terminal;

/// Where to look instead.
const COMMANDS: &str =
    "the commands work anywhere: kiln --help lists them, kiln new \"a todo list\" makes an app";

pub(super) async fn run(context: &Context) -> Result<(), Stop> {
    if context.output.json() {
        return Err(Failure::usage("--json needs a command")
            .hint(COMMANDS)
            .into());
    }
    terminal::check().map_err(|why| Failure::usage(why.to_string()).hint(COMMANDS))?;
    let options = context.options()?;
    let config = config::load_full_screen(&context.overrides(), |name| std::env::var_os(name))?;
    let memory = Memory::in_dir(&config.state_dir);
    let mut settings = memory.settings(Settings::default());
    // What the file says is said for every run.
    if let Some(palette) = config.palette {
        settings.palette = palette;
    }
    if let Some(mouse) = config.mouse {
        settings.mouse = mouse;
    }
    let model = Model::new(Start {
        address: crate::sanitise::line(&options.address.to_string()).into_owned(),
        security: security(&options.address),
        settings,
        keymap: config.keymap,
        drafts: memory.drafts(),
        ascii: !progress::is_utf8_locale(),
        no_color: config.no_color,
        depth: config.depth,
        run: uuid::Uuid::new_v4().simple().to_string(),
    });
    runtime::run(model, options, memory).await.map_err(|error| {
        Stop::from(Failure {
            exit: Exit::Failed,
            ..Failure::failed("TERMINAL", error.to_string())
        })
    })
}

/// Whether what is said to a daemon can be read by others.
fn security(address: &Address) -> &'static str {
    match address {
        Address::Unix(_) => "unix socket: stays on this machine",
        Address::Plain { .. } => "loopback: stays on this machine",
        Address::Tls { .. } => "encrypted (TLS)",
    }
}
