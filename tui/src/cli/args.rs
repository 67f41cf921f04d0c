//! The grammar of the command line. What a command does is said in its own
//! file; here stands only what people may type, and the help they get.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Shown under `kiln --help`.
const AFTER: &str = "\
For scripts, --json prints one object a line on stdout; the first key is `type`. Lists print one
object an item (`project`, `model`, `file`, `revision`, `token`, …). `new`, `generate` and `watch`
print `event` objects with `sequence`, `time`, `generation_id`, `kind` and the fields of that kind as
in the schema, and `connection` objects when the connection is lost and resumed. `new` and
`generate` end with one `result`: `outcome`, `preview_url`, `generation_id`, `revision_id`,
`cost_micro_usd` (null: unknown) and more. A failure is one `error` with `reason` and `message`.

Where the daemon is: --server, else KILN_SERVER, KILN_SOCKET, KILN_RUNTIME_DIR, `server = \"…\"` in
~/.config/kiln/config.toml, else the socket of your own daemon.

Who you are: on the daemon's own machine and account you are recognised. Elsewhere: `kiln auth
sign-in`, or an API token in KILN_TOKEN or --token-file. A credential is never given on the command
line, where other users could read it.

Exit codes: 0 done; 1 failed, or a generation that did not end READY; 2 usage or configuration;
3 another instance owns the data directory (kilnd only); 4 not signed in; 5 unreachable.
A closed pipe is no error.";

/// Builds web apps from prompts, in sandboxes, from the terminal.
///
/// Without a command it opens the full-screen client; F1 there shows every key.
#[derive(Debug, Parser)]
#[command(name = "kiln", bin_name = "kiln", version, after_long_help = AFTER, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing opens the full-screen client.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Print one JSON object a line on stdout, for scripts (see `kiln --help`)
    #[arg(long, global = true)]
    pub json: bool,

    /// Where the daemon is: unix:/PATH, http://127.0.0.1:50051 or https://HOST
    #[arg(long, global = true, value_name = "ADDR")]
    pub server: Option<String>,

    /// Take an API token from this file (mode 0600) or pipe
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Use this configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project and carry a prompt to a running app
    #[command(after_help = "\
Progress goes to stderr, the address of the preview to stdout.
Ctrl-C once cancels the generation and keeps what was complete; twice leaves at once.

Examples:
  kiln new \"a todo list with due dates\"
  kiln new --name shop --model demo/kiln a small shop for tea
  kiln new - < prompt.txt
  open \"$(kiln new 'a pomodoro timer')\"")]
    New(New),

    /// Carry a further prompt on a project to a running app
    #[command(after_help = "\
Progress goes to stderr, the address of the preview to stdout.
Ctrl-C once cancels the generation and keeps what was complete; twice leaves at once.
Leaving in any other way does not cancel: the daemon owns the generation.

Examples:
  kiln generate -p shop \"make the header green\"
  git diff | kiln generate -p shop -
  kiln generate --json \"add a dark mode\" | tail -1")]
    Generate(Generate),

    /// Show what happens to a project, as it happens
    #[command(after_help = "\
Examples:
  kiln watch -p shop              from now on
  kiln watch -p shop --after 0    everything that ever happened to it
  kiln watch -p shop --after 120 --json")]
    Watch(Watch),

    /// Cancel the generation that runs on a project
    #[command(after_help = "\
What was complete is kept. Cancelling when nothing runs is no error.

Examples:
  kiln cancel -p shop")]
    Cancel(OfProject),

    /// List projects, show, rename or delete one
    #[command(after_help = "\
A project is named by its id, a part of the id from its beginning, or its name.

Examples:
  kiln projects
  kiln projects show shop
  kiln projects rename shop \"Tea shop\"
  kiln projects delete 0193a7 --yes")]
    Projects(Projects),

    /// List the files of a project, or print one
    #[command(after_help = "\
Examples:
  kiln files -p shop
  kiln files -p shop src/App.tsx
  kiln files -p shop -r 2 src        the files below src in revision 2")]
    Files(Files),

    /// List the revisions of a project
    #[command(after_help = "\
Examples:
  kiln history -p shop")]
    History(OfProject),

    /// Save the files of a project as a .tar.gz archive
    #[command(after_help = "\
Examples:
  kiln export -p shop                    into shop-r3.tar.gz
  kiln export -p shop -o - | tar tz")]
    Export(Export),

    /// Print the output of a project's app
    #[command(after_help = "\
Examples:
  kiln logs -p shop --tail 50
  kiln logs -f -p shop | grep -i error")]
    Logs(Logs),

    /// Start, stop or look at the sandbox of a project
    #[command(after_help = "\
Stopping loses nothing: the files are kept in the revisions.

Examples:
  kiln sandbox status -p shop
  kiln sandbox restart -p shop")]
    Sandbox(Sandbox),

    /// List the models that can be used
    #[command(after_help = "\
Examples:
  kiln models
  kiln models claude
  kiln models --json free | jq -r .id")]
    Models(Models),

    /// Say where models come from, or choose it
    #[command(after_help = "\
For the owner of the daemon; no restart is needed. The key is asked for without showing it, or read
from stdin (its first line) where stdin is no terminal or --key-stdin is given. The daemon tries it
before it keeps it, in a file that only its user can read.

Examples:
  kiln provider                      where models come from, and what runs on the daemon's machine
  kiln provider set --openrouter
  pass openrouter | kiln provider set --openrouter
  kiln provider set --endpoint http://127.0.0.1:11434/v1
  kiln provider demo                 forget what was chosen")]
    Provider(Provider),

    /// Say how the daemon is and who you are
    #[command(after_help = "\
Examples:
  kiln status
  kiln status --server https://kiln.example")]
    Status,

    /// Sign in and out, invite people, make API tokens
    #[command(after_help = "\
Examples:
  kiln auth status
  kiln auth sign-in --server https://kiln.example ada@example.com
  pass kiln | kiln auth sign-in ada@example.com --password-stdin
  kiln auth invite
  kiln auth token create ci --scope read --days 30")]
    Auth(Auth),

    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  kiln completions bash > ~/.local/share/bash-completion/completions/kiln
  kiln completions zsh > ~/.zfunc/_kiln
  kiln completions fish > ~/.config/fish/completions/kiln.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print the version of this program
    Version,
}

/// Which project.
#[derive(Clone, Debug, Args)]
pub struct OfProject {
    /// The project: its id, the beginning of its id, or its name [default: the one changed last]
    #[arg(short, long, value_name = "PROJECT")]
    pub project: Option<String>,
}

/// How long a break may last.
#[derive(Clone, Copy, Debug, Args)]
pub struct Patience {
    /// Seconds to go on trying when the connection is lost; what runs goes on meanwhile
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub retry_for: u32,
}

/// `kiln new`.
#[derive(Debug, Args)]
pub struct New {
    /// What to build; `-` reads it from stdin
    #[arg(required = true, value_name = "PROMPT")]
    pub prompt: Vec<String>,
    /// Name of the project [default: from the prompt]
    #[arg(long)]
    pub name: Option<String>,
    /// What to start from [default: react-vite-tailwind]
    #[arg(long)]
    pub template: Option<String>,
    /// Model to use now, and from now on in this project (see `kiln models`)
    #[arg(short, long)]
    pub model: Option<String>,
    /// Patience.
    #[command(flatten)]
    pub patience: Patience,
}

/// `kiln generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// What to do; `-` reads it from stdin
    #[arg(required = true, value_name = "PROMPT")]
    pub prompt: Vec<String>,
    /// Which project.
    #[command(flatten)]
    pub of: OfProject,
    /// Model to use this time (see `kiln models`)
    #[arg(short, long)]
    pub model: Option<String>,
    /// Wait for a generation that runs, in place of refusing
    #[arg(long)]
    pub queue: bool,
    /// Patience.
    #[command(flatten)]
    pub patience: Patience,
}

/// `kiln watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Which project.
    #[command(flatten)]
    pub of: OfProject,
    /// Begin after this sequence; 0 for everything [default: from now on]
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    pub after: Option<i64>,
    /// Patience.
    #[command(flatten)]
    pub patience: Patience,
}

/// `kiln projects`.
#[derive(Debug, Args)]
pub struct Projects {
    /// What to do with them [default: list]
    #[command(subcommand)]
    pub command: Option<ProjectsCommand>,
}

/// What to do with projects.
#[derive(Debug, Subcommand)]
pub enum ProjectsCommand {
    /// List them, last changed first
    List,
    /// Show one
    Show {
        /// Its id, the beginning of its id, or its name
        project: String,
    },
    /// Give one another name
    Rename {
        /// Its id, the beginning of its id, or its name
        project: String,
        /// The new name
        name: String,
    },
    /// Delete one, with its sandbox, its log and all its revisions
    Delete {
        /// Its id, the beginning of its id, or its name
        project: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// `kiln files`.
#[derive(Debug, Args)]
pub struct Files {
    /// Which project.
    #[command(flatten)]
    pub of: OfProject,
    /// A file to print, or a directory to list
    pub path: Option<String>,
    /// Revision: its number or id [default: the newest]
    #[arg(short, long)]
    pub revision: Option<String>,
}

/// `kiln export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Which project.
    #[command(flatten)]
    pub of: OfProject,
    /// Where to; `-` is stdout [default: NAME-rNUMBER.tar.gz]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Revision: its number or id [default: the newest]
    #[arg(short, long)]
    pub revision: Option<String>,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// `kiln logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Which project.
    #[command(flatten)]
    pub of: OfProject,
    /// Go on with new lines
    #[arg(short, long)]
    pub follow: bool,
    /// Lines to begin with: 0 to 10000
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(i32).range(0..=10_000))]
    pub tail: i32,
    /// Patience.
    #[command(flatten)]
    pub patience: Patience,
}

/// `kiln sandbox`.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// What to do with it
    #[command(subcommand)]
    pub command: SandboxCommand,
}

/// What to do with a sandbox.
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Run the newest revision in it
    Start(OfProject),
    /// Stop it
    Stop(OfProject),
    /// Stop and start it
    Restart(OfProject),
    /// Say how it is
    Status(OfProject),
}

/// `kiln models`.
#[derive(Debug, Args)]
pub struct Models {
    /// Only those with this in their id or name
    pub filter: Option<String>,
}

/// `kiln provider`.
#[derive(Debug, Args)]
pub struct Provider {
    /// What to do about it [default: show]
    #[command(subcommand)]
    pub command: Option<ProviderCommand>,
}

/// What to do about where models come from.
#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// Say where models come from, and which model servers run on the daemon's machine
    Show,
    /// Take models from OpenRouter, or from a server of the daemon's machine
    Set(SetProvider),
    /// Forget what was chosen: back to the demo models
    Demo,
}

/// `kiln provider set`.
#[derive(Debug, Args)]
pub struct SetProvider {
    /// OpenRouter, with a key
    #[arg(
        long,
        required_unless_present = "endpoint",
        conflicts_with = "endpoint"
    )]
    pub openrouter: bool,
    /// Base URL of a server on the daemon's machine, such as http://127.0.0.1:11434/v1
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Read the key from stdin, its first line
    #[arg(long)]
    pub key_stdin: bool,
}

/// `kiln auth`.
#[derive(Debug, Args)]
pub struct Auth {
    /// What to do
    #[command(subcommand)]
    pub command: AuthCommand,
}

/// What to do about credentials.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Say who you are here
    Status,
    /// Sign in: as yourself on your own machine, else with e-mail and password
    #[command(after_help = "\
The password is asked for without showing it, or read from stdin (its first line) where stdin is no
terminal or --password-stdin is given.

Examples:
  kiln auth sign-in
  kiln auth sign-in --server https://kiln.example ada@example.com
  pass kiln | kiln auth sign-in ada@example.com --password-stdin")]
    SignIn {
        /// E-mail of the account
        email: Option<String>,
        /// Read the password from stdin, its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make an account with an invite, and sign in
    #[command(after_help = "\
Password and invite are asked for, or read from stdin (the first and the second line) where stdin is
no terminal or --password-stdin is given. KILN_INVITE may hold the invite.

Examples:
  kiln auth sign-up ada@example.com
  printf '%s\\n%s\\n' \"$PASSWORD\" \"$INVITE\" | kiln auth sign-up ada@example.com --password-stdin")]
    SignUp {
        /// E-mail of the new account
        email: Option<String>,
        /// What to call you [default: the beginning of the e-mail]
        #[arg(long)]
        name: Option<String>,
        /// Read password and invite from stdin, a line each
        #[arg(long)]
        password_stdin: bool,
    },
    /// End the session and forget it
    SignOut,
    /// Make an invite, with which somebody may sign up
    Invite {
        /// UUID of the team to join [default: your own, which gives an account only]
        #[arg(long)]
        team: Option<String>,
        /// Role in that team
        #[arg(long, value_enum, default_value_t = Role::Editor)]
        role: Role,
        /// Days until it ends: 1 to 30
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i32).range(1..=30))]
        days: i32,
    },
    /// Make, list and revoke API tokens
    Token {
        /// What to do
        #[command(subcommand)]
        command: TokenCommand,
    },
}

/// What to do about API tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make one; it is shown this once
    Create {
        /// What it is for
        name: String,
        /// What it may do; may be given more than once [default: read, generate, sandbox]
        #[arg(long, value_enum)]
        scope: Vec<Scope>,
        /// Days until it ends: 1 to 365
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=365))]
        days: i32,
    },
    /// List them, without their secrets
    List,
    /// End one at once
    Revoke {
        /// Its id or its name
        token: String,
    },
}

/// A role in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Look at projects
    Viewer,
    /// Change projects
    Editor,
    /// Change the team too
    Owner,
}

/// What an API token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Read everything that you may read
    Read,
    /// Make projects, start and cancel generations
    Generate,
    /// Start, stop and enter sandboxes
    Sandbox,
    /// Everything that you may do, but make credentials
    Admin,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                assert!(sub.get_about().is_some(), "{path} has no help");
                for argument in sub.get_arguments() {
                    assert!(
                        argument.get_help().is_some(),
                        "{path} {} has no help",
                        argument.get_id()
                    );
                }
                check(sub, &path);
            }
        }
        check(&Cli::command(), "kiln");
    }

    #[test]
    fn a_prompt_needs_no_quotes() {
        let cli = Cli::try_parse_from(["kiln", "new", "a", "todo", "list", "--json"]).unwrap();
        assert!(cli.global.json);
        let Some(Command::New(new)) = cli.command else {
            panic!("not new")
        };
        assert_eq!(new.prompt, ["a", "todo", "list"]);
    }
}
