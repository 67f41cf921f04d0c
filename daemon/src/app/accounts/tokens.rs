//! API tokens and invites: secrets that are shown once. A repeat of the call
//! that made one is refused, since nobody has the answer any more.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Accounts, database};
use crate::domain::account::{ApiToken, AuditAction, Caller, Credential, Scope, TeamRole};
use crate::domain::credential::{SecretKind, Token};
use crate::domain::error::{Error, Result};
use crate::domain::id::{ApiTokenId, InviteId, TeamId};
use crate::fresh;
use crate::store::credentials::{self, Revoked};
use crate::store::{audit, teams};

/// Tokens of one user that last, at most.
const API_TOKENS: u32 = 20;

/// An API token to be made.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its name, valid.
    pub name: String,
    /// What it may do; not empty.
    pub scopes: Vec<Scope>,
    /// Days until it ends: 1 to 365.
    pub valid_days: i32,
    /// Makes a retry safe.
    pub request_id: Option<String>,
}

/// An invite to be made.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// The team to join; `None` for the caller's own.
    pub team_id: Option<TeamId>,
    /// The role there.
    pub role: TeamRole,
    /// Days until it ends: 1 to 30.
    pub valid_days: i32,
    /// Makes a retry safe.
    pub request_id: Option<String>,
}

impl Accounts {
    /// Makes an API token.
    ///
    /// # Errors
    /// [`Error::SessionRequired`] for an API token, [`Error::FreshSignInRequired`]
    /// for a session of more than ten minutes ago, [`Error::RequestIdReused`],
    /// [`Error::LimitReached`].
    pub async fn create_api_token(
        &self,
        caller: &Caller,
        new: NewApiToken,
    ) -> Result<(Token, ApiToken)> {
        let Credential::Session { id: session_id, .. } = caller.credential else {
            return Err(Error::SessionRequired);
        };
        let token = Token::from_entropy(SecretKind::ApiToken, fresh::secret());
        let mut tx = self.pool.begin().await.map_err(database)?;
        match credentials::session_is_fresh(&mut *tx, session_id)
            .await
            .map_err(database)?
        {
            Some(true) => {}
            Some(false) => return Err(Error::FreshSignInRequired),
            None => return Err(Error::SessionExpired),
        }
        let payload = format!("{:?}", (&new.name, &new.scopes, new.valid_days));
        claim(
            &mut tx,
            caller,
            new.request_id.as_deref(),
            "CreateApiToken",
            &payload,
        )
        .await?;
        let row = credentials::NewApiToken {
            id: fresh::id(),
            user_id: caller.user_id,
            name: &new.name,
            token_hash: &token.hash(),
            scopes: &new.scopes,
            valid_days: new.valid_days,
        };
        let made = credentials::insert_api_token(&mut tx, row, i64::from(API_TOKENS))
            .await
            .map_err(database)?
            .ok_or(Error::LimitReached { limit: API_TOKENS })?;
        let id = made.id.to_string();
        audit::record(
            &mut *tx,
            Some(caller.user_id),
            AuditAction::ApiTokenCreated,
            &id,
        )
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok((token, made))
    }

    /// The tokens of a caller, newest first, after a position.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_api_tokens(
        &self,
        caller: &Caller,
        after: Option<(OffsetDateTime, Uuid)>,
        limit: i64,
    ) -> Result<Vec<ApiToken>> {
        credentials::api_tokens(&self.pool, caller.user_id, after, limit)
            .await
            .map_err(database)
    }

    /// Ends an API token of the caller. Twice is no error.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is none of theirs.
    pub async fn revoke_api_token(&self, caller: &Caller, id: ApiTokenId) -> Result<()> {
        let mut tx = self.pool.begin().await.map_err(database)?;
        match credentials::revoke_api_token(&mut tx, caller.user_id, id)
            .await
            .map_err(database)?
        {
            Revoked::Unknown => return Err(Error::NotFound),
            Revoked::Before => {}
            Revoked::Now => {
                let id = id.to_string();
                audit::record(
                    &mut *tx,
                    Some(caller.user_id),
                    AuditAction::ApiTokenRevoked,
                    &id,
                )
                .await
                .map_err(database)?;
            }
        }
        tx.commit().await.map_err(database)
    }

    /// Makes an invite. One to a personal team gives an account and nothing else.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a team that the caller is not in,
    /// [`Error::RoleRequired`] for one that they do not own,
    /// [`Error::RequestIdReused`].
    pub async fn create_invite(
        &self,
        caller: &Caller,
        new: NewInvite,
    ) -> Result<(Token, OffsetDateTime)> {
        let code = Token::from_entropy(SecretKind::Invite, fresh::secret());
        let mut tx = self.pool.begin().await.map_err(database)?;
        let team_id = match new.team_id {
            Some(team_id) => team_id,
            None => teams::personal_team(&mut *tx, caller.user_id)
                .await
                .map_err(database)?,
        };
        match teams::role_of(&mut *tx, team_id, caller.user_id)
            .await
            .map_err(database)?
        {
            Some(TeamRole::Owner) => {}
            Some(TeamRole::Viewer | TeamRole::Editor) => return Err(Error::RoleRequired),
            None => return Err(Error::NotFound),
        }
        let payload = format!("{:?}", (team_id, new.role, new.valid_days));
        claim(
            &mut tx,
            caller,
            new.request_id.as_deref(),
            "CreateInvite",
            &payload,
        )
        .await?;
        let id: InviteId = fresh::id();
        let expires_at = teams::insert_invite(
            &mut *tx,
            id,
            &code.hash(),
            Some((team_id, new.role)),
            Some(caller.user_id),
            new.valid_days,
        )
        .await
        .map_err(database)?;
        let id = id.to_string();
        audit::record(
            &mut *tx,
            Some(caller.user_id),
            AuditAction::InviteCreated,
            &id,
        )
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok((code, expires_at))
    }
}

/// Takes the request id, if there is one, in the transaction of `db`.
async fn claim(
    db: &mut PgConnection,
    caller: &Caller,
    request_id: Option<&str>,
    method: &str,
    payload: &str,
) -> Result<()> {
    let Some(request_id) = request_id else {
        return Ok(());
    };
    let payload = Sha256::digest(payload.as_bytes());
    let taken = credentials::claim_request_id(db, caller.user_id, request_id, method, &payload)
        .await
        .map_err(database)?;
    if taken {
        Ok(())
    } else {
        Err(Error::RequestIdReused)
    }
}
