//! What is said about arguments that make no sense: one line, and the usage.
//! A credential that was typed is not repeated.

use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::exit::{Exit, Failure};
use super::output::Output;

/// Flags that people try, and that would show a secret in `ps`.
const SECRETS: [&str; 6] = [
    "--token",
    "--password",
    "--api-key",
    "--key",
    "--secret",
    "--invite",
];

/// Shows what clap has to say, and says how to end.
pub(super) fn report(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that left is no error.
            let _ = error.print();
            return Exit::Done;
        }
        _ => {}
    }
    let (failure, usage) = explain(error);
    // The grammar was not understood; the wish for JSON may have been.
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    let output = Output::new(json);
    let exit = output.failure(&failure);
    if json {
        return exit;
    }
    let _ = writeln!(std::io::stderr(), "{usage}");
    exit
}

fn explain(error: &clap::Error) -> (Failure, String) {
    let rendered = error.render().to_string();
    let mut blocks = rendered.split("\n\n");
    let mut first = blocks.next().unwrap_or("");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        first = "error: a subcommand is missing";
    }
    let rest: Vec<&str> = rendered.split("\n\n").collect();
    let usage = rest
        .iter()
        .map(|block| block.trim())
        .find(|block| block.starts_with("Usage:"))
        .unwrap_or("Usage: kiln [OPTIONS] [COMMAND]");
    let tip = rest
        .iter()
        .flat_map(|block| block.lines())
        .find_map(|line| line.trim().strip_prefix("tip: "));

    if let Some(flag) = secret_flag(error) {
        let failure = Failure::usage(format!(
            "{flag} is refused: other users could read a credential on the command line"
        ))
        .hint("use `kiln auth sign-in`, KILN_TOKEN or --token-file; passwords and keys come from stdin");
        return (failure, usage.to_owned());
    }
    let message = first.trim_start_matches("error: ").replace('\n', " ");
    let mut failure = Failure::usage(message);
    if let Some(tip) = tip {
        failure = failure.hint(tip);
    }
    (failure, usage.to_owned())
}

fn secret_flag(error: &clap::Error) -> Option<&'static str> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    // `--token=x`: whatever follows is not looked at.
    let name = argument.split('=').next().unwrap_or("");
    SECRETS.into_iter().find(|secret| *secret == name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    fn explained(arguments: &[&str]) -> (Failure, String) {
        explain(&Cli::try_parse_from(arguments).unwrap_err())
    }

    #[test]
    fn one_line_and_the_usage() {
        let (failure, usage) = explained(&["kiln", "watch", "--frobnicate"]);
        assert_eq!(failure.message, "unexpected argument '--frobnicate' found");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(usage.starts_with("Usage: kiln watch"), "{usage}");

        let (failure, usage) = explained(&["kiln", "new"]);
        assert!(failure.message.contains("<PROMPT>"), "{failure:?}");
        assert!(!failure.message.contains('\n'), "{failure:?}");
        assert!(usage.starts_with("Usage: kiln new"), "{usage}");

        let (failure, _) = explained(&["kiln", "porjects"]);
        assert!(failure.message.contains("porjects"), "{failure:?}");
        assert!(failure.hint.unwrap().contains("projects"));

        let (failure, usage) = explained(&["kiln", "auth"]);
        assert_eq!(failure.message, "a subcommand is missing");
        assert!(usage.starts_with("Usage: kiln auth"), "{usage}");
    }

    #[test]
    fn credentials_on_the_command_line_are_refused_and_not_repeated() {
        for arguments in [
            &["kiln", "status", "--token", "kiln_k_secret"][..],
            &["kiln", "status", "--token=kiln_k_secret"],
            &["kiln", "auth", "sign-in", "--password", "kiln_k_secret"],
            &["kiln", "auth", "sign-in", "--password=kiln_k_secret"],
        ] {
            let (failure, usage) = explained(arguments);
            assert!(failure.message.contains("is refused"), "{failure:?}");
            assert!(!format!("{failure:?}{usage}").contains("kiln_k_secret"));
        }
    }
}
