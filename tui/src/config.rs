//! Reads the configuration of the client, once: flags, environment, file,
//! defaults, in this order. Nothing else in the crate looks at the environment,
//! but for what terminals say about themselves.
//!
//! The file is `config.toml` in `$XDG_CONFIG_HOME/kiln` (`~/.config/kiln`). A key
//! that is not known is refused, with its line: a typing error must not pass
//! for a setting.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::client::address::AddressError;
use crate::client::credentials::{self, CredentialsError, Store};
use crate::client::{Address, Options};
use crate::keymap::{Keymap, KeymapError};
use crate::view::theme::{Depth, Palette};

/// A configuration file with more than this is not one; in bytes.
const FILE_MAX: u64 = 1 << 20;

/// What the command line says about the connection.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--server`
    pub server: Option<String>,
    /// `--token-file`
    pub token_file: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
}

/// Why the configuration cannot be used. All of these end with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("config: cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file says something that is not known.
    #[error("config: line {line}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// An address that cannot be used.
    #[error("{origin}: {cause}")]
    Address {
        /// Where it was said.
        origin: String,
        /// What is wrong with it.
        cause: AddressError,
    },
    /// A credential that cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Keys that cannot be used.
    #[error("config: {0}")]
    Keys(#[from] KeymapError),
    /// Colours that there are not.
    #[error("config: there is no theme \"{0}\" (terminal, dark, light, plain)")]
    Theme(String),
    /// There is no place for what must be kept.
    #[error("HOME is not set: set it, or XDG_STATE_HOME and XDG_CONFIG_HOME")]
    NoHome,
}

/// The file. Every key is optional.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    /// Address of the daemon.
    server: Option<String>,
    /// An API token for that server; the file must then have mode 0600.
    token: Option<String>,
    /// PEM file of certificate authorities to trust in place of the system's.
    ca_file: Option<PathBuf>,
    /// Colours of the full-screen client: `terminal`, `dark`, `light`, `plain`.
    theme: Option<String>,
    /// Whether the mouse works in the full-screen client.
    mouse: Option<bool>,
    /// Keys of the full-screen client, by action.
    #[serde(default)]
    keys: BTreeMap<String, Vec<String>>,
}

/// What the full-screen client needs beside the connection.
#[derive(Clone, Debug)]
pub struct FullScreen {
    /// The colours that the file names.
    pub palette: Option<Palette>,
    /// Whether the file wants the mouse.
    pub mouse: Option<bool>,
    /// The keys.
    pub keymap: Keymap,
    /// Where settings and drafts are kept.
    pub state_dir: PathBuf,
    /// Whether `NO_COLOR` is set to anything.
    pub no_color: bool,
    /// How many colours the terminal says that it has.
    pub depth: Depth,
}

/// Puts together what a client needs to know before it connects.
///
/// `environment` looks up a variable; empty ones count as unset.
///
/// # Errors
/// If anything that was said cannot be used.
pub fn load(
    overrides: &Overrides,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Options, ConfigError> {
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
    let state_dir = xdg(&variable, "XDG_STATE_HOME", ".local/state").ok_or(ConfigError::NoHome)?;
    let file = find_file(overrides, &variable)?;
    let explicit = [
        ("--server", overrides.server.clone()),
        ("KILN_SERVER", text("KILN_SERVER")),
        ("KILN_SOCKET", text("KILN_SOCKET").map(as_socket)),
        // What is said to the daemon counts here too.
        ("KILN_LISTEN_UNIX", text("KILN_LISTEN_UNIX").map(as_socket)),
        (
            "KILN_RUNTIME_DIR",
            variable("KILN_RUNTIME_DIR").map(|dir| socket_in(&PathBuf::from(dir))),
        ),
    ]
    .into_iter()
    .find_map(|(origin, value)| value.map(|value| (origin, value)));
    let (address, from_file) = match (explicit, &file.server) {
        (Some((origin, value)), _) => (parse(origin, &value)?, false),
        (None, Some(value)) => (parse("config: server", value)?, true),
        (None, None) => {
            let dir = default_runtime_dir(&variable, &state_dir);
            (parse("the default socket", &socket_in(&dir))?, true)
        }
    };

    let token = match (&overrides.token_file, variable("KILN_TOKEN")) {
        (Some(path), _) => Some(credentials::read_token_file(path)?),
        (None, Some(value)) => Some(check_token(&value.to_string_lossy(), "KILN_TOKEN")?),
        // A token in the file is for the server of the file, and for no other.
        (None, None) => match file.token.as_deref().filter(|_| from_file) {
            Some(value) => Some(check_token(value, "the configuration file")?),
            None => None,
        },
    };

    let authority = match variable("KILN_CA_FILE").map(PathBuf::from).or(file.ca_file) {
        Some(path) => {
            Some(std::fs::read(&path).map_err(|cause| ConfigError::Read { path, cause })?)
        }
        None => None,
    };

    Ok(Options {
        address,
        token,
        authority,
        store: Store::in_dir(&state_dir),
    })
}

/// Puts together what the full-screen client needs beside the connection.
///
/// # Errors
/// If anything that was said cannot be used.
pub fn load_full_screen(
    overrides: &Overrides,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<FullScreen, ConfigError> {
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let state_dir = xdg(&variable, "XDG_STATE_HOME", ".local/state").ok_or(ConfigError::NoHome)?;
    let file = find_file(overrides, &variable)?;
    let palette = match &file.theme {
        Some(name) => Some(Palette::named(name).ok_or_else(|| ConfigError::Theme(name.clone()))?),
        None => None,
    };
    Ok(FullScreen {
        palette,
        mouse: file.mouse,
        keymap: Keymap::configured(&file.keys)?,
        state_dir,
        no_color: variable("NO_COLOR").is_some(),
        depth: {
            let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
            Depth::of(text("COLORTERM").as_deref(), text("TERM").as_deref())
        },
    })
}

/// A directory of ours, as the XDG specification places it.
fn xdg(
    variable: &impl Fn(&str) -> Option<OsString>,
    name: &str,
    fallback: &str,
) -> Option<PathBuf> {
    variable(name)
        .map(PathBuf::from)
        // The specification: a relative path is to be ignored.
        .filter(|path| path.is_absolute())
        .or_else(|| {
            variable("HOME")
                .map(PathBuf::from)
                .or_else(std::env::home_dir)
                .map(|home| home.join(fallback))
        })
        .map(|dir| dir.join("kiln"))
}

fn find_file(
    overrides: &Overrides,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<ConfigFile, ConfigError> {
    match &overrides.config {
        Some(path) => read_file(path, true),
        None => match xdg(variable, "XDG_CONFIG_HOME", ".config") {
            Some(dir) => read_file(&dir.join("config.toml"), false),
            None => Ok(ConfigFile::default()),
        },
    }
}

/// Where the daemon puts its socket if nobody says anything. It looks in the
/// same places.
fn default_runtime_dir(variable: &impl Fn(&str) -> Option<OsString>, state_dir: &Path) -> PathBuf {
    if let Some(dir) = variable("XDG_RUNTIME_DIR") {
        return PathBuf::from(dir).join("kiln");
    }
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/run/kiln");
    }
    state_dir.join("run")
}

fn socket_in(dir: &Path) -> String {
    format!("unix:{}", dir.join("kilnd.sock").display())
}

fn as_socket(path: String) -> String {
    if path.starts_with("unix:") {
        path
    } else {
        format!("unix:{path}")
    }
}

fn parse(origin: &str, value: &str) -> Result<Address, ConfigError> {
    Address::parse(value).map_err(|cause| ConfigError::Address {
        origin: origin.to_owned(),
        cause,
    })
}

fn check_token(text: &str, origin: &str) -> Result<SecretString, ConfigError> {
    Ok(credentials::check_token(text, origin)?)
}

fn read_file(path: &Path, required: bool) -> Result<ConfigFile, ConfigError> {
    let failed = |cause| ConfigError::Read {
        path: path.to_owned(),
        cause,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && !required => {
            return Ok(ConfigFile::default());
        }
        Err(cause) => return Err(failed(cause)),
    };
    let mut text = String::new();
    (&file)
        .take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let parsed: ConfigFile = toml::from_str(&text).map_err(|error| syntax(&text, &error))?;
    if parsed.token.is_some() {
        credentials::check_private(&file, path)?;
    }
    Ok(parsed)
}

fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let line = 1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count();
    // Only the first line of the message: the rest quotes the file.
    let message = error.message().lines().next().unwrap_or("not TOML");
    let what = match message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    {
        Some((key, _)) => {
            format!("unknown key \"{key}\" (known: server, token, ca_file, theme, mouse, keys)")
        }
        None => message.to_owned(),
    };
    ConfigError::Syntax { line, what }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Machine {
        dir: tempfile::TempDir,
        variables: Vec<(String, String)>,
    }

    impl Machine {
        fn new(variables: &[(&str, &str)]) -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
                variables: variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            }
        }

        fn file(self, text: &str, mode: u32) -> Self {
            let path = self.dir.path().join(".config/kiln/config.toml");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            self
        }

        fn load(&self, server: Option<&str>) -> Result<Options, ConfigError> {
            let overrides = Overrides {
                server: server.map(str::to_owned),
                ..Overrides::default()
            };
            load(&overrides, |name| {
                if name == "HOME" {
                    return Some(self.dir.path().into());
                }
                self.variables
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.into())
            })
        }

        fn address(&self, server: Option<&str>) -> String {
            self.load(server).unwrap().address.to_string()
        }

        fn error(&self) -> String {
            self.load(None).unwrap_err().to_string()
        }
    }

    #[test]
    fn the_nearer_word_wins() {
        let all = [
            ("XDG_RUNTIME_DIR", "/x"),
            ("KILN_RUNTIME_DIR", "/r"),
            ("KILN_SOCKET", "/s/k.sock"),
            ("KILN_SERVER", "https://e"),
        ];
        let text = "server = \"https://f\"";
        let with = |n: usize| Machine::new(&all[..n]);
        assert_eq!(with(4).file(text, 0o644).address(Some("/a")), "unix:/a");
        assert_eq!(with(4).file(text, 0o644).address(None), "https://e:443");
        assert_eq!(with(3).file(text, 0o644).address(None), "unix:/s/k.sock");
        assert_eq!(
            with(2).file(text, 0o644).address(None),
            "unix:/r/kilnd.sock"
        );
        assert_eq!(with(1).file(text, 0o644).address(None), "https://f:443");
        assert_eq!(with(1).address(None), "unix:/x/kiln/kilnd.sock");
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused_with_their_line() {
        let machine = Machine::new(&[]).file("server = \"/a\"\nsevrer = \"/b\"\n", 0o644);
        assert_eq!(
            machine.error(),
            "config: line 2: unknown key \"sevrer\" (known: server, token, ca_file, theme, mouse, keys)"
        );
        let machine = Machine::new(&[]).file("\n\nserver = 7\n", 0o644);
        assert!(
            machine.error().starts_with("config: line 3: "),
            "{}",
            machine.error()
        );
        let machine = Machine::new(&[]).file("server =", 0o644);
        assert!(
            machine.error().starts_with("config: line 1: "),
            "{}",
            machine.error()
        );
    }

    #[test]
    fn a_file_with_a_secret_must_be_private() {
        let text = "token = \"kiln_k_1\"";
        let machine = Machine::new(&[]).file(text, 0o640);
        assert!(
            machine.error().starts_with("permissions 0640 on "),
            "{}",
            machine.error()
        );
        assert!(Machine::new(&[]).file(text, 0o600).load(None).is_ok());
    }

    #[test]
    fn a_token_in_the_file_goes_to_no_other_server() {
        let text = "server = \"/a\"\ntoken = \"kiln_k_1\"";
        let machine = Machine::new(&[]).file(text, 0o600);
        assert!(machine.load(None).unwrap().token.is_some());
        assert!(machine.load(Some("https://h")).unwrap().token.is_none());
    }

    #[test]
    fn a_token_must_be_one() {
        let error = Machine::new(&[("KILN_TOKEN", "a b")]).error();
        assert!(error.contains("KILN_TOKEN"), "{error}");
        assert!(!error.contains("a b"), "{error}");
    }
}
