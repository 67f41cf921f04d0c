//! `kiln`: starts the runtime, hands the arguments to the library and turns
//! what comes back into an exit code. Nothing else happens here.

use std::process::ExitCode;

fn main() -> ExitCode {
    kiln_tui::cli::main()
}
