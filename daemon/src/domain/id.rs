//! One type for every kind of id, so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as a UUID, for the database.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// Somebody with an account.
    UserId;
    /// A team, which owns projects.
    TeamId;
    /// A signed-in client.
    SessionId;
    /// A long-lived credential.
    ApiTokenId;
    /// A code with which somebody may sign up.
    InviteId;
    /// One app.
    ProjectId;
    /// One prompt carried to an outcome.
    GenerationId;
    /// An immutable file tree.
    RevisionId;
    /// The container of a project.
    SandboxId;
    /// A daemon, kept in its data directory.
    DaemonId;
    /// One start of a daemon.
    BootId;
}
