//! Signing in and out. A wrong password, an unknown e-mail, an account without
//! password and one that was switched off cannot be told apart.

use sqlx::PgConnection;

use super::{Accounts, StartedSession, database};
use crate::domain::account::{AuditAction, Caller, Credential, Email, Peer};
use crate::domain::credential::{SecretKind, Token};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::fresh;
use crate::password::Verdict;
use crate::store::accounts::{self, NewUser, SignInRow, Standing};
use crate::store::{audit, credentials};

impl Accounts {
    /// Signs in the user who runs the daemon, over its unix socket. The account
    /// is made the first time.
    ///
    /// # Errors
    /// [`Error::NotLocalOwner`] for everybody else.
    pub async fn sign_in_local(&self, peer: Peer) -> Result<StartedSession> {
        if !self.is_local_owner(peer) {
            return Err(Error::NotLocalOwner);
        }
        let mut tx = self.pool.begin().await.map_err(database)?;
        let mut owner = accounts::local_owner(&mut *tx).await.map_err(database)?;
        if owner.is_none() {
            let user = NewUser {
                id: fresh::id(),
                team_id: fresh::id(),
                email: None,
                display_name: &self.settings.local_name,
                password_hash: None,
                standing: Standing::LocalOwner,
            };
            if accounts::insert(&mut tx, user).await.map_err(database)? {
                audit::record(
                    &mut *tx,
                    Some(user.id),
                    AuditAction::SignedUp,
                    "local owner",
                )
                .await
                .map_err(database)?;
            }
            // Ours, or that of a call at the same moment, which was waited for.
            owner = accounts::local_owner(&mut *tx).await.map_err(database)?;
        }
        let (user_id, disabled) = owner.ok_or(Error::Conflict)?;
        if disabled {
            return Err(Error::NotLocalOwner);
        }
        let session = start_session(&mut tx, user_id, &peer.origin().to_string()).await?;
        tx.commit().await.map_err(database)?;
        Ok(session)
    }

    /// Signs in by e-mail and password. Counted before the password is looked at.
    ///
    /// # Errors
    /// [`Error::BadCredentials`], [`Error::Throttled`], [`Error::Overloaded`],
    /// [`Error::Invalid`] for what is no address.
    pub async fn sign_in(&self, email: &str, password: &str, peer: Peer) -> Result<StartedSession> {
        let email = Email::parse(email).map_err(|violation| Error::Invalid(vec![violation]))?;
        let origin = peer.origin();
        self.count_sign_in(origin, &email).await?;
        let account = accounts::find_by_email(&self.pool, email.as_str())
            .await
            .map_err(database)?;
        let phc = account
            .as_ref()
            .and_then(|account| account.password_hash.as_deref());
        let verdict = self.passwords.verify(password, phc).await?;
        let user_id = match (verdict, &account) {
            (Verdict::Right | Verdict::RightButOld, Some(account)) if !account.disabled => {
                account.user_id
            }
            _ => {
                let user_id = account.map(|account| account.user_id);
                audit::record(
                    &self.pool,
                    user_id,
                    AuditAction::SignInFailed,
                    &origin.to_string(),
                )
                .await
                .map_err(database)?;
                return Err(Error::BadCredentials);
            }
        };
        self.forget_failures(&email).await?;
        if let (Verdict::RightButOld, Some(account)) = (verdict, &account) {
            self.rehash(account, password, &email).await?;
        }
        let mut tx = self.pool.begin().await.map_err(database)?;
        let session = start_session(&mut tx, user_id, &origin.to_string()).await?;
        tx.commit().await.map_err(database)?;
        Ok(session)
    }

    /// Ends the session of a caller.
    ///
    /// # Errors
    /// [`Error::SessionRequired`] for an API token.
    pub async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let Credential::Session { id, .. } = caller.credential else {
            return Err(Error::SessionRequired);
        };
        let mut tx = self.pool.begin().await.map_err(database)?;
        if credentials::delete_session(&mut *tx, id)
            .await
            .map_err(database)?
        {
            audit::record(&mut *tx, Some(caller.user_id), AuditAction::SignedOut, "")
                .await
                .map_err(database)?;
        }
        tx.commit().await.map_err(database)
    }

    /// Gives a password that was hashed with other parameters those of today. A
    /// full queue is no reason to refuse a sign-in that was right.
    async fn rehash(&self, account: &SignInRow, password: &str, email: &Email) -> Result<()> {
        let Some(from) = account.password_hash.as_deref() else {
            return Ok(());
        };
        // A password that would be refused today keeps its hash.
        let Ok(Ok(password)) = self.passwords.check(password, email.as_str()).await else {
            return Ok(());
        };
        let Ok(to) = self.passwords.hash(&password).await else {
            return Ok(());
        };
        accounts::rehash(&self.pool, account.user_id, from, &to)
            .await
            .map_err(database)
    }
}

/// Starts a session, in the transaction of `db`.
pub(super) async fn start_session(
    db: &mut PgConnection,
    user_id: UserId,
    origin: &str,
) -> Result<StartedSession> {
    let token = Token::from_entropy(SecretKind::Session, fresh::secret());
    let expires_at = credentials::insert_session(&mut *db, fresh::id(), user_id, &token.hash())
        .await
        .map_err(database)?;
    audit::record(&mut *db, Some(user_id), AuditAction::SignedIn, origin)
        .await
        .map_err(database)?;
    let user = accounts::get(&mut *db, user_id)
        .await
        .map_err(database)?
        .ok_or(Error::Conflict)?;
    Ok(StartedSession {
        token,
        expires_at,
        user,
    })
}
