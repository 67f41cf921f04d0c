//! `kiln completions`: a script that teaches a shell the grammar. It asks no
//! daemon.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Context;
use super::args::Cli;
use super::exit::Stop;

pub(super) fn run(context: &Context, shell: Shell) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kiln", &mut script);
    // Our own grammar only: nothing that others wrote.
    context.output.bytes(&script)
}
