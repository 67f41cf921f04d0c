//! Accounts, teams, and who may do what.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use time::OffsetDateTime;

use super::error::{FieldRule, Violation};
use super::generation::text_enum;
use super::id::{ApiTokenId, SessionId, TeamId, UserId};

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Lower case; `None` for the local owner.
    pub email: Option<String>,
    /// What to call them.
    pub display_name: String,
    /// Whether this is an owner of the daemon.
    pub is_owner: bool,
    /// Their own team.
    pub personal_team_id: TeamId,
    /// When the account was made.
    pub created_at: OffsetDateTime,
}

text_enum! {
    /// What a member of a team may do; later ones may do all that earlier ones may.
    TeamRole {
        /// Look at projects.
        Viewer = "viewer",
        /// Change projects.
        Editor = "editor",
        /// Change the team.
        Owner = "owner",
    }
}

text_enum! {
    /// What an API token may do.
    Scope {
        /// Read everything that its user may read.
        Read = "read",
        /// Make projects, start and cancel generations.
        Generate = "generate",
        /// Start, stop and enter sandboxes.
        Sandbox = "sandbox",
        /// Everything but making credentials.
        Admin = "admin",
    }
}

text_enum! {
    /// What is written down about accounts and credentials.
    AuditAction {
        /// Somebody signed in, by password or by peer credentials.
        SignedIn = "sign_in",
        /// Somebody gave a wrong password.
        SignInFailed = "sign_in_failed",
        /// A session was ended by its user.
        SignedOut = "sign_out",
        /// An account was made.
        SignedUp = "sign_up",
        /// An API token was made.
        ApiTokenCreated = "api_token_create",
        /// An API token was revoked.
        ApiTokenRevoked = "api_token_revoke",
        /// An invite was made.
        InviteCreated = "invite_create",
        /// A code for the first owner was made.
        BootstrapCodeCreated = "bootstrap_code_create",
        /// Where models come from was chosen, or forgotten.
        ProviderSet = "provider_set",
    }
}

/// Who is calling, as proved by a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user_id: UserId,
    /// Whether it is an owner of the daemon.
    pub is_owner: bool,
    /// What proved it.
    pub credential: Credential,
    /// When that ends.
    pub expires_at: OffsetDateTime,
}

/// What proved who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A signed-in client, with the time of its sign-in.
    Session {
        /// Its id.
        id: SessionId,
        /// When it signed in.
        signed_in_at: OffsetDateTime,
    },
    /// A long-lived token.
    ApiToken {
        /// Its id.
        id: ApiTokenId,
        /// What it may do.
        scopes: Vec<Scope>,
    },
}

impl Caller {
    /// Whether the credential allows what `scope` stands for. A session allows
    /// everything that its user may do.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        match &self.credential {
            Credential::Session { .. } => true,
            Credential::ApiToken { scopes, .. } => {
                scopes.contains(&scope) || scopes.contains(&Scope::Admin)
            }
        }
    }
}

/// A long-lived credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// Its name, as given.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// An e-mail address as accounts have it: one `@`, at most 254 bytes, lower
/// case. Whether it exists is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// The violation, for the field `email`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let text = if text.len() > 254 {
            String::new()
        } else {
            text.to_lowercase()
        };
        let well_formed = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || is_invisible(c))
            && matches!(
                text.split('@').collect::<Vec<_>>()[..],
                [local, domain] if !local.is_empty() && !domain.is_empty()
            );
        if well_formed {
            Ok(Self(text))
        } else {
            Err(Violation {
                field: "email",
                rule: FieldRule::Email,
                message: "must be an address such as you@example.com, at most 254 bytes".into(),
            })
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

/// A name for people, such as that of a token: 1 to 100 characters, none of
/// which controls or reorders text.
///
/// # Errors
/// The violation, for `field`.
pub fn name(field: &'static str, text: &str) -> Result<String, Violation> {
    // The bound on bytes comes first: counting characters is linear in them.
    let well_formed = text.len() <= 400
        && !text.trim().is_empty()
        && text.chars().count() <= 100
        && !text.chars().any(is_invisible);
    if well_formed {
        Ok(text.trim().to_owned())
    } else {
        Err(Violation {
            field,
            rule: FieldRule::Name,
            message: "must have 1 to 100 characters and no control characters".into(),
        })
    }
}

/// Characters that control a terminal, or the direction of text, or that cannot
/// be seen at all.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A `request_id`: empty where the caller gave none, else at most 255 characters.
///
/// # Errors
/// The violation, for the field `request_id`.
pub fn request_id(text: &str) -> Result<Option<String>, Violation> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > 4 * 255 || text.chars().count() > 255 || text.chars().any(char::is_control) {
        return Err(Violation {
            field: "request_id",
            rule: FieldRule::RequestId,
            message: "must have at most 255 characters and no control characters".into(),
        });
    }
    Ok(Some(text.to_owned()))
}

/// Who is at the other end of a connection, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address, loopback included.
    Tcp(SocketAddr),
    /// A process of this machine, over the unix socket.
    Unix {
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its process id, where the kernel tells.
        pid: Option<i32>,
    },
}

impl Peer {
    /// What tries are counted for: an IPv4 address (also one mapped into IPv6),
    /// the first 64 bits of an IPv6 address, or a local user.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Unix { uid, .. } => Origin::User(*uid),
            Self::Tcp(address) => match address.ip().to_canonical() {
                IpAddr::V6(ip) => {
                    Origin::Address(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)))
                }
                ip @ IpAddr::V4(_) => Origin::Address(ip),
            },
        }
    }
}

/// Where calls come from, as far as counting them goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An IPv4 address or a /64.
    Address(IpAddr),
    /// A user of this machine.
    User(u32),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip @ IpAddr::V4(_)) => ip.fmt(f),
            Self::Address(ip @ IpAddr::V6(_)) => write!(f, "{ip}/64"),
            Self::User(uid) => write!(f, "uid {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_case_and_bounded() {
        let email = Email::parse("Ann.Smith@Example.COM").expect("well formed");
        assert_eq!(email.as_str(), "ann.smith@example.com");
        assert_eq!(email.local_part(), "ann.smith");
        for bad in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "a@b@c",
            "ann@exam\r\nple.com",
            "ann\0@example.com",
            "ann @example.com",
            "ann\u{202e}@example.com",
            &format!("{}@example.com", "a".repeat(250)),
            // Lower case may be longer than what it was made from.
            &format!("{}@b", "\u{130}".repeat(126)),
        ] {
            let violation = Email::parse(bad).expect_err(bad);
            assert_eq!(violation.rule, FieldRule::Email);
        }
        assert!(Email::parse(&format!("{}@b.example", "a".repeat(244))).is_ok());
    }

    #[test]
    fn names_have_no_control_characters() {
        assert_eq!(name("name", " ci ").expect("well formed"), "ci");
        assert!(name("name", &"é".repeat(100)).is_ok());
        for bad in [
            "",
            "  ",
            "a\u{1b}[2J",
            "a\u{202e}b",
            "a\nb",
            &"é".repeat(101),
        ] {
            assert_eq!(name("name", bad).expect_err(bad).rule, FieldRule::Name);
        }
    }

    #[test]
    fn request_ids_are_bounded() {
        assert_eq!(request_id("").expect("none"), None);
        assert_eq!(request_id("a b").expect("fine"), Some("a b".into()));
        assert!(request_id(&"é".repeat(255)).is_ok());
        assert!(request_id(&"é".repeat(256)).is_err());
        assert!(request_id("a\n").is_err());
    }

    #[test]
    fn tries_are_counted_by_address_by_64_bits_and_by_local_user() {
        let of = |text: &str| {
            Peer::Tcp(text.parse().expect("an address"))
                .origin()
                .to_string()
        };
        assert_eq!(of("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(of("[::ffff:192.0.2.7]:2"), "192.0.2.7");
        assert_eq!(of("[2001:db8:1:2:3:4:5:6]:3"), "2001:db8:1:2::/64");
        assert_eq!(of("[2001:db8:1:2::1]:4"), "2001:db8:1:2::/64");
        let local = Peer::Unix {
            uid: 1000,
            gid: 1,
            pid: None,
        };
        assert_eq!(local.origin().to_string(), "uid 1000");
    }
}
