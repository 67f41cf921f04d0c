//! Where a daemon is: reading and checking an address. Nothing is looked up or
//! connected to here.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tonic::transport::Uri;

/// The longest path that fits into a unix socket address, in bytes.
const UNIX_PATH_MAX: usize = 107;

/// Where a daemon is. Its display form is the key under which credentials are
/// kept, and can be parsed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket; absolute path.
    Unix(PathBuf),
    /// TCP on this machine, not encrypted.
    Plain {
        /// Host name or IP address (IPv6 in brackets); always loopback.
        host: String,
        /// Port.
        port: u16,
    },
    /// TCP with TLS.
    Tls {
        /// Host name or IP address (IPv6 in brackets).
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why an address was refused. The messages never repeat the address where it
/// may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No scheme that is known.
    #[error(
        "the server address must be unix:/PATH, http://127.0.0.1:PORT or https://HOST, not {0:?}"
    )]
    Scheme(String),
    /// Something that is no address.
    #[error("the server address {0:?} cannot be read: {1}")]
    Malformed(String, &'static str),
    /// A password in the address would be seen in `ps` and in logs.
    #[error("the server address holds a user name or password; sign in with `kiln auth sign-in`")]
    Credentials,
    /// A credential would cross a network in the clear.
    #[error("{0} is not this machine and http:// is not encrypted: use https://, or an SSH tunnel")]
    PlainBeyondLoopback(String),
    /// Longer than the system allows.
    #[error("the socket path is longer than {UNIX_PATH_MAX} bytes")]
    UnixTooLong,
}

impl Address {
    /// Reads an address as people write it.
    ///
    /// # Errors
    /// If it is no address, holds a password, or would send credentials in the
    /// clear to another machine.
    pub fn parse(input: &str) -> Result<Self, AddressError> {
        let input = input.trim();
        if let Some(path) = input.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::unix(PathBuf::from(path));
        }
        if input.starts_with('/') {
            return Self::unix(PathBuf::from(input));
        }
        if input.contains('@') {
            return Err(AddressError::Credentials);
        }
        let tls = match input.split_once("://") {
            Some(("http", _)) => false,
            Some(("https", _)) => true,
            _ => return Err(AddressError::Scheme(input.to_owned())),
        };
        let malformed = |why| AddressError::Malformed(input.to_owned(), why);
        let uri: Uri = input.parse().map_err(|_| malformed("not a URL"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || input.contains('#') {
            return Err(malformed("nothing may follow the host and port"));
        }
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| malformed("no host"))?
            .to_ascii_lowercase();
        let after_host = uri.authority().map_or("", |a| a.as_str());
        let has_port = after_host
            .rsplit(']')
            .next()
            .is_some_and(|rest| rest.contains(':'));
        let port = match uri.port_u16() {
            Some(0) => return Err(malformed("port 0")),
            Some(port) => port,
            None if has_port => return Err(malformed("the port is no number up to 65535")),
            None if tls => 443,
            None => 50_051,
        };
        if tls {
            Ok(Self::Tls { host, port })
        } else if is_loopback(&host) {
            Ok(Self::Plain { host, port })
        } else {
            Err(AddressError::PlainBeyondLoopback(host))
        }
    }

    /// An address by socket path.
    ///
    /// # Errors
    /// If the path is relative or longer than a socket address holds.
    pub fn unix(path: PathBuf) -> Result<Self, AddressError> {
        if !path.is_absolute() {
            return Err(AddressError::Malformed(
                format!("unix:{}", path.display()),
                "the path must be absolute",
            ));
        }
        if path.as_os_str().len() > UNIX_PATH_MAX {
            return Err(AddressError::UnixTooLong);
        }
        Ok(Self::Unix(path))
    }

    /// Whether the daemon can recognise its own user here, without a password.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Plain { host, port } => write!(f, "http://{host}:{port}"),
            Self::Tls { host, port } => write!(f, "https://{host}:{port}"),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    match host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
    {
        Ok(IpAddr::V4(ip)) => ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str) -> String {
        Address::parse(input).unwrap().to_string()
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(
            shown("unix:/run/kiln/kilnd.sock"),
            "unix:/run/kiln/kilnd.sock"
        );
        assert_eq!(shown("unix:///run/k.sock"), "unix:/run/k.sock");
        assert_eq!(shown("/run/k.sock"), "unix:/run/k.sock");
        assert_eq!(shown("http://127.0.0.1:50051"), "http://127.0.0.1:50051");
        assert_eq!(shown("http://LOCALHOST/"), "http://localhost:50051");
        assert_eq!(shown("http://[::1]:7"), "http://[::1]:7");
        assert_eq!(shown("https://kiln.example"), "https://kiln.example:443");
        for input in ["unix:/a/b", "http://[::1]:7", "https://h:444"] {
            let address = Address::parse(input).unwrap();
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn refuses_the_rest() {
        use AddressError as E;
        let error = |input: &str| Address::parse(input).unwrap_err();
        assert!(matches!(error("127.0.0.1:50051"), E::Scheme(_)));
        assert!(matches!(error(""), E::Scheme(_)));
        assert!(matches!(error("ftp://127.0.0.1"), E::Scheme(_)));
        assert!(matches!(error("unix:relative"), E::Malformed(..)));
        assert!(matches!(error("http://127.0.0.1:99999"), E::Malformed(..)));
        assert!(matches!(error("http://127.0.0.1:0"), E::Malformed(..)));
        assert!(matches!(error("https://h/path"), E::Malformed(..)));
        assert!(matches!(error("https://h/?q"), E::Malformed(..)));
        assert!(matches!(error("https://"), E::Malformed(..)));
        assert_eq!(error("https://user:pass@h"), E::Credentials);
        assert_eq!(
            error("http://kiln.example:1"),
            E::PlainBeyondLoopback("kiln.example".into())
        );
        assert_eq!(
            error("http://0.0.0.0:1"),
            E::PlainBeyondLoopback("0.0.0.0".into())
        );
        assert_eq!(error(&format!("unix:/{}", "x".repeat(107))), E::UnixTooLong);
    }

    #[test]
    fn a_password_is_never_repeated() {
        let text = Address::parse("http://user:hunter2@h")
            .unwrap_err()
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let text = Address::parse("user:hunter2@h").unwrap_err().to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
}
