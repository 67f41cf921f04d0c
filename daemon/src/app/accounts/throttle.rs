//! Limits on tries: which there are, and in which order they are counted. All
//! are counted before the work that they protect.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Accounts, Streak, database};
use crate::domain::account::{Email, Origin};
use crate::domain::error::{Error, Result};
use crate::store::throttles;

/// So many in a fixed window of time.
#[derive(Clone, Copy, Debug)]
pub struct WindowLimit {
    /// How many.
    pub hits: i32,
    /// In which time.
    pub window: Duration,
}

impl WindowLimit {
    /// So many in so many seconds.
    #[must_use]
    pub const fn new(hits: i32, seconds: u64) -> Self {
        Self {
            hits,
            window: Duration::from_secs(seconds),
        }
    }
}

/// Limits on tries. The defaults are those of the security design.
#[derive(Clone, Debug)]
pub struct Throttles {
    /// Wrong passwords of one account in a row.
    pub sign_in_account: Streak,
    /// Sign-ins from one origin.
    pub sign_in_origin: WindowLimit,
    /// Sign-ins of everybody.
    pub sign_in_global: WindowLimit,
    /// Forms for a sign-up from one origin, good or not: reading one costs time.
    pub sign_up_form_origin: WindowLimit,
    /// Sign-ups from one origin, in the short run.
    pub sign_up_origin: WindowLimit,
    /// Sign-ups from one origin, in the long run.
    pub sign_up_origin_day: WindowLimit,
    /// Credentials from one origin that are none.
    pub bad_credential_origin: WindowLimit,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            sign_in_account: Streak {
                free: 5,
                window: Duration::from_mins(15),
                first_delay: Duration::from_mins(1),
                longest_delay: Duration::from_mins(15),
            },
            sign_in_origin: WindowLimit::new(20, 15 * 60),
            sign_in_global: WindowLimit::new(50, 1),
            sign_up_form_origin: WindowLimit::new(30, 15 * 60),
            sign_up_origin: WindowLimit::new(3, 60 * 60),
            sign_up_origin_day: WindowLimit::new(30, 24 * 60 * 60),
            bad_credential_origin: WindowLimit::new(60, 60),
        }
    }
}

const SIGN_IN_ACCOUNT: &str = "sign_in_account";

impl Accounts {
    /// Counts a sign-in. The origin comes first, so that one who is over the
    /// limit can neither lock an account nor use up what everybody shares; the
    /// account comes last, so that only tries that are made count against it.
    pub(super) async fn count_sign_in(&self, origin: Origin, email: &Email) -> Result<()> {
        let limits = &self.settings.throttles;
        let origin = key(&origin.to_string());
        self.count("sign_in_origin", &origin, limits.sign_in_origin)
            .await?;
        self.count("sign_in_global", &key(""), limits.sign_in_global)
            .await?;
        let account = key(email.as_str());
        let streak = limits.sign_in_account;
        let wait = throttles::hit_streak(&self.pool, SIGN_IN_ACCOUNT, &account, streak)
            .await
            .map_err(database)?;
        refuse(wait)
    }

    /// A right password: the account starts afresh, its origin does not.
    pub(super) async fn forget_failures(&self, email: &Email) -> Result<()> {
        throttles::reset(&self.pool, SIGN_IN_ACCOUNT, &key(email.as_str()))
            .await
            .map_err(database)
    }

    /// Counts a form for a sign-up, before it is read.
    pub(super) async fn count_sign_up_form(&self, origin: Origin) -> Result<()> {
        let limit = self.settings.throttles.sign_up_form_origin;
        self.count("sign_up_form_origin", &key(&origin.to_string()), limit)
            .await
    }

    /// Counts a sign-up.
    pub(super) async fn count_sign_up(&self, origin: Origin) -> Result<()> {
        let limits = &self.settings.throttles;
        let origin = key(&origin.to_string());
        self.count("sign_up_origin", &origin, limits.sign_up_origin)
            .await?;
        self.count("sign_up_origin_day", &origin, limits.sign_up_origin_day)
            .await
    }

    /// Counts a credential that is none.
    pub(super) async fn count_bad_credential(&self, origin: Origin) -> Result<()> {
        let limit = self.settings.throttles.bad_credential_origin;
        self.count("bad_credential_origin", &key(&origin.to_string()), limit)
            .await
    }

    async fn count(&self, bucket: &str, key: &[u8], limit: WindowLimit) -> Result<()> {
        let wait = throttles::hit_window(&self.pool, bucket, key, limit.window, limit.hits)
            .await
            .map_err(database)?;
        refuse(wait)
    }
}

fn refuse(wait: Option<Duration>) -> Result<()> {
    match wait {
        Some(retry_after) => Err(Error::Throttled { retry_after }),
        None => Ok(()),
    }
}

fn key(of: &str) -> [u8; 32] {
    Sha256::digest(of.as_bytes()).into()
}
