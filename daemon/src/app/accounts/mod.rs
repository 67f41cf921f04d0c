//! Accounts: who somebody is, and how they prove it. It hands out every secret
//! once and keeps only hashes; it knows nothing of metadata or methods.

mod sign_in;
mod sign_up;
mod throttle;
mod tokens;

use std::sync::Arc;

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::config::SignUp;
use crate::domain::account::{Caller, Origin, Peer, User};
use crate::domain::credential::{SecretKind, Token};
use crate::domain::error::{Error, Result};
use crate::password::Passwords;
use crate::store::{accounts, credentials, teams, throttles};

pub use sign_up::{Bootstrap, SignUpForm};
pub use throttle::{Throttles, WindowLimit};
pub use tokens::{NewApiToken, NewInvite};

pub use crate::store::throttles::Streak;

/// How accounts behave on this daemon.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// The user id of the daemon's process: over the unix socket, this user is
    /// the local owner.
    pub local_uid: u32,
    /// What to call the local owner.
    pub local_name: String,
    /// Limits on tries.
    pub throttles: Throttles,
}

impl Settings {
    /// The settings of this process: its user is the local owner.
    #[must_use]
    pub fn of_this_process(sign_up: SignUp) -> Self {
        let uid = nix::unistd::geteuid();
        let local_name = nix::unistd::User::from_uid(uid)
            .ok()
            .flatten()
            .and_then(|user| crate::domain::account::name("display_name", &user.name).ok())
            .unwrap_or_else(|| "owner".into());
        Self {
            sign_up,
            local_uid: uid.as_raw(),
            local_name,
            throttles: Throttles::default(),
        }
    }
}

/// The use cases of accounts. Cheap to clone; all clones share one queue of
/// password hashes.
#[derive(Clone, Debug)]
pub struct Accounts {
    pool: PgPool,
    passwords: Passwords,
    settings: Arc<Settings>,
}

/// A session that was just started. The secret is shown this once.
#[derive(Debug)]
pub struct StartedSession {
    /// The secret.
    pub token: Token,
    /// When it ends, unless it is used.
    pub expires_at: OffsetDateTime,
    /// Whose it is.
    pub user: User,
}

impl Accounts {
    /// Accounts in a database.
    #[must_use]
    pub fn new(pool: PgPool, passwords: Passwords, settings: Settings) -> Self {
        Self {
            pool,
            passwords,
            settings: Arc::new(settings),
        }
    }

    /// Who presents a credential. Asked anew for every call, so that a revoked
    /// one ends at once.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] for what is no credential (told without asking the
    /// database), [`Error::SessionExpired`] for one that is over or never was,
    /// [`Error::Throttled`] where an origin presents too many of those.
    pub async fn authenticate(&self, presented: &str, origin: Option<Origin>) -> Result<Caller> {
        let token = Token::parse(presented).ok_or(Error::TokenInvalid)?;
        let mut db = self.pool.acquire().await.map_err(database)?;
        let caller = match token.kind() {
            SecretKind::Session => credentials::session(&mut db, &token.hash()).await,
            SecretKind::ApiToken => credentials::api_token(&mut db, &token.hash()).await,
            SecretKind::Invite => return Err(Error::TokenInvalid),
        }
        .map_err(database)?;
        drop(db);
        match (caller, origin) {
            (Some(caller), _) => Ok(caller),
            (None, Some(origin)) => {
                self.count_bad_credential(origin).await?;
                Err(Error::SessionExpired)
            }
            (None, None) => Err(Error::SessionExpired),
        }
    }

    /// Whether the credential of an open stream still lasts. Streams ask at least
    /// every five seconds.
    ///
    /// # Errors
    /// [`Error::SessionExpired`] where it does not.
    pub async fn recheck(&self, caller: &Caller) -> Result<()> {
        if credentials::lasts(&self.pool, &caller.credential)
            .await
            .map_err(database)?
        {
            Ok(())
        } else {
            Err(Error::SessionExpired)
        }
    }

    /// The account of a caller.
    ///
    /// # Errors
    /// [`Error::SessionExpired`] where it was deleted meanwhile.
    pub async fn current_user(&self, caller: &Caller) -> Result<User> {
        accounts::get(&self.pool, caller.user_id)
            .await
            .map_err(database)?
            .ok_or(Error::SessionExpired)
    }

    /// Drops what has ended: sessions, tokens, invites, request ids, counters.
    /// Meant to be called every hour or so. Says how many rows went.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn prune(&self) -> Result<u64> {
        let mut db = self.pool.acquire().await.map_err(database)?;
        let credentials = credentials::prune(&mut db).await.map_err(database)?;
        let invites = teams::prune_invites(&mut *db).await.map_err(database)?;
        let throttles = throttles::prune(&mut *db).await.map_err(database)?;
        Ok(credentials + invites + throttles)
    }

    /// Whether a peer is the user who runs the daemon, on its unix socket.
    fn is_local_owner(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix { uid, .. } => uid == self.settings.local_uid,
            Peer::Tcp(_) => false,
        }
    }
}

/// What a failure of the database means to a caller.
fn database(error: sqlx::Error) -> Error {
    const STATEMENT_TIMEOUT: &str = "57014";
    const LOCK_TIMEOUT: &str = "55P03";
    const DISK_FULL: &str = "53100";
    const TOO_MANY_CONNECTIONS: &str = "53300";
    const SERIALIZATION_FAILURE: &str = "40001";
    const DEADLOCK: &str = "40P01";
    match &error {
        sqlx::Error::PoolTimedOut => Error::DbTimeout,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => Error::DbUnavailable,
        sqlx::Error::Database(refused) => match refused.code().as_deref() {
            Some(STATEMENT_TIMEOUT | LOCK_TIMEOUT) => Error::DbTimeout,
            Some(DISK_FULL) => Error::StorageFull,
            Some(SERIALIZATION_FAILURE | DEADLOCK) => Error::Conflict,
            Some(TOO_MANY_CONNECTIONS) => Error::DbUnavailable,
            // 57P01 to 57P03: going down or coming up; 08: connection exceptions.
            Some(code) if code.starts_with("57P") || code.starts_with("08") => Error::DbUnavailable,
            Some(_) | None => Error::internal(error),
        },
        _ => Error::internal(error),
    }
}
