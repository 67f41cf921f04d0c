//! Accounts, teams, and who may do what.

use time::OffsetDateTime;

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
