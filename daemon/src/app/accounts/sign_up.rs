//! Making an account: with an invite, with the code of a new server, or without
//! either where the server is open. The invite is looked at first, so that
//! nobody learns anything without one.

use super::sign_in::start_session;
use super::{Accounts, StartedSession, database};
use crate::config::SignUp;
use crate::domain::account::{self, AuditAction, Email, Peer};
use crate::domain::credential::{SecretKind, Token};
use crate::domain::error::{Error, Result};
use crate::domain::id::InviteId;
use crate::fresh;
use crate::password::Password;
use crate::store::accounts::{self, NewUser, Standing};
use crate::store::audit;
use crate::store::teams::{self, InviteGrant};

/// Days that the code for the first owner can be used.
const BOOTSTRAP_DAYS: i32 = 30;

/// What somebody gives to make an account, as it came.
#[derive(Clone, Copy)]
pub struct SignUpForm<'a> {
    /// The e-mail.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// What to call them; the first part of the e-mail where empty.
    pub display_name: &'a str,
    /// The invite, or the code of a new server; empty for neither.
    pub invite: &'a str,
}

/// The one-time code with which the first owner of a server signs up.
#[derive(Debug)]
pub enum Bootstrap {
    /// Somebody owns the server: no code is needed, and none works.
    NotNeeded,
    /// The code that was kept still works.
    Kept,
    /// A new one, to be written to the log and to a file of mode 0600.
    New(Token),
}

impl Accounts {
    /// Makes an account and signs it in.
    ///
    /// # Errors
    /// In this order: [`Error::SignUpClosed`], [`Error::InviteInvalid`], all
    /// violations at once, [`Error::Throttled`], [`Error::EmailTaken`];
    /// [`Error::Overloaded`] at any time.
    pub async fn sign_up(&self, form: SignUpForm<'_>, peer: Peer) -> Result<StartedSession> {
        let invite = self.read_invite(form.invite).await?;
        self.count_sign_up_form(peer.origin()).await?;
        let (email, display_name, password) = self.read_form(form).await?;
        self.count_sign_up(peer.origin()).await?;
        // Before the e-mail is looked for: one that is taken costs the same.
        let phc = self.passwords.hash(&password).await?;

        let grant = invite.as_ref().map(|(_, grant)| *grant);
        let mut tx = self.pool.begin().await.map_err(database)?;
        if grant == Some(InviteGrant::Bootstrap) {
            teams::lock_bootstrap(&mut tx).await.map_err(database)?;
            if accounts::has_owner(&mut *tx).await.map_err(database)? {
                return Err(Error::InviteInvalid);
            }
        }
        let user = NewUser {
            id: fresh::id(),
            team_id: fresh::id(),
            email: Some(email.as_str()),
            display_name: &display_name,
            password_hash: Some(&phc),
            standing: match grant {
                Some(InviteGrant::Bootstrap) => Standing::Owner,
                Some(InviteGrant::Account | InviteGrant::Member(..)) | None => Standing::Member,
            },
        };
        if !accounts::insert(&mut tx, user).await.map_err(database)? {
            return Err(Error::EmailTaken);
        }
        if let Some((code, grant)) = &invite {
            if !teams::use_invite(&mut tx, &code.hash(), user.id)
                .await
                .map_err(database)?
            {
                return Err(Error::InviteInvalid);
            }
            if let InviteGrant::Member(team_id, role) = grant {
                teams::add_member(&mut *tx, *team_id, user.id, *role)
                    .await
                    .map_err(database)?;
            }
        }
        let origin = peer.origin().to_string();
        audit::record(&mut *tx, Some(user.id), AuditAction::SignedUp, &origin)
            .await
            .map_err(database)?;
        let session = start_session(&mut tx, user.id, &origin).await?;
        tx.commit().await.map_err(database)?;
        Ok(session)
    }

    /// Sees to it that a server without owner has a code for the first one.
    /// `kept` is the code that an earlier start wrote down, if it is still there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ensure_bootstrap_code(&self, kept: Option<&str>) -> Result<Bootstrap> {
        if accounts::has_owner(&self.pool).await.map_err(database)? {
            return Ok(Bootstrap::NotNeeded);
        }
        if let Some(code) = kept.and_then(|kept| Token::parse(kept.trim())) {
            let grant = teams::usable_invite(&self.pool, &code.hash())
                .await
                .map_err(database)?;
            if grant == Some(InviteGrant::Bootstrap) {
                return Ok(Bootstrap::Kept);
            }
        }
        let code = Token::from_entropy(SecretKind::Invite, fresh::secret());
        let id: InviteId = fresh::id();
        let mut tx = self.pool.begin().await.map_err(database)?;
        teams::insert_invite(&mut *tx, id, &code.hash(), None, None, BOOTSTRAP_DAYS)
            .await
            .map_err(database)?;
        audit::record(
            &mut *tx,
            None,
            AuditAction::BootstrapCodeCreated,
            &id.to_string(),
        )
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(Bootstrap::New(code))
    }

    /// Which invite was given, and whether this server takes new accounts that
    /// way. The code for the first owner works in every mode.
    async fn read_invite(&self, text: &str) -> Result<Option<(Token, InviteGrant)>> {
        let invite = match Token::parse(text.trim()) {
            Some(code) if code.kind() == SecretKind::Invite => {
                teams::usable_invite(&self.pool, &code.hash())
                    .await
                    .map_err(database)?
                    .map(|grant| (code, grant))
            }
            Some(_) | None => None,
        };
        match (self.settings.sign_up, invite) {
            (_, Some((code, InviteGrant::Bootstrap))) => Ok(Some((code, InviteGrant::Bootstrap))),
            (SignUp::Closed, _) => Err(Error::SignUpClosed),
            (SignUp::Invite | SignUp::Open, Some(invite)) => Ok(Some(invite)),
            // An invite that does not work is worth a word even where none is needed.
            (SignUp::Open, None) if text.is_empty() => Ok(None),
            (SignUp::Invite | SignUp::Open, None) => Err(Error::InviteInvalid),
        }
    }

    async fn read_form(&self, form: SignUpForm<'_>) -> Result<(Email, String, Password)> {
        let email = Email::parse(form.email);
        let known = email.as_ref().map_or("", Email::as_str);
        let password = self.passwords.check(form.password, known).await?;
        let display_name = match (form.display_name, &email) {
            ("", Ok(email)) => account::name("display_name", email.local_part())
                .or_else(|_| account::name("display_name", "somebody")),
            // The e-mail is wrong, which is said already.
            ("", Err(_)) => Ok(String::new()),
            (given, _) => account::name("display_name", given),
        };
        match (email, password, display_name) {
            (Ok(email), Ok(password), Ok(display_name)) => Ok((email, display_name, password)),
            (email, password, display_name) => Err(Error::Invalid(
                [email.err(), password.err(), display_name.err()]
                    .into_iter()
                    .flatten()
                    .collect(),
            )),
        }
    }
}
