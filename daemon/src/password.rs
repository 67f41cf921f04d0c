//! Passwords: what may be one, and argon2id off the async threads. Two hashes
//! run at once and sixteen wait, two seconds at most; the rest is refused, so
//! that nobody can fill memory or both cores by guessing. It neither knows
//! accounts nor prints a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use crate::domain::error::{Error, FieldRule, Result, Violation};

/// Characters of a password at least.
pub const MIN_CHARS: usize = 12;
/// Characters of a password at most.
pub const MAX_CHARS: usize = 128;

/// Hashes that run at once.
const PERMITS: usize = 2;
/// Hashes that wait for those.
const QUEUE: usize = 16;
/// How long one waits.
const WAIT: Duration = Duration::from_secs(2);

/// What is verified where there is no account or no password, so that it takes
/// as long as a wrong password. Its salt and output are random bytes.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$fMowCIVYW/OvUqHhQLq4hg$cvY/qhFwmm+jYS5QTOJLNLAcnFyGdQDNSU3NaEcYF/8";

/// Characters of a password that are estimated at once: the estimator's time
/// grows fast with the length of hostile input.
const ESTIMATED_CHARS: usize = 16;

/// Hashes and verifies passwords. One for the process.
#[derive(Clone, Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    runs: Arc<AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(PERMITS)),
            waiting: Arc::default(),
            runs: Arc::default(),
        }
    }
}

/// Whether a password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was not.
    Wrong,
    /// It was, and its hash has the parameters of today.
    Right,
    /// It was, but it was hashed with other parameters: hash it again.
    RightButOld,
}

/// A password that keeps the rules, in normal form. It prints nothing.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Passwords {
    /// Whether `text` may become the password of an account: 12 to 128
    /// characters of any kind, in Unicode normal form C, not a common one and
    /// not made from the e-mail. It is never shortened.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where too many wait. The inner one is what is wrong
    /// with the password.
    pub async fn check(&self, text: &str, email: &str) -> Result<Result<Password, Violation>> {
        let normal = match normalise(text) {
            Ok(normal) => normal,
            Err(violation) => return Ok(Err(violation)),
        };
        let email = email.to_owned();
        self.run(move || {
            if is_common(normal.expose_secret(), &email) {
                return Err(violation(
                    FieldRule::PasswordCommon,
                    "is among the first that somebody would try; use several words",
                ));
            }
            Ok(Password(normal))
        })
        .await
    }

    /// The PHC string of a password, with a salt of its own.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where too many wait.
    pub async fn hash(&self, password: &Password) -> Result<String> {
        let password = password.0.clone();
        let runs = Arc::clone(&self.runs);
        self.run(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            argon2()
                .hash_password(password.expose_secret().as_bytes())
                .map(|hash| hash.to_string())
        })
        .await?
        .map_err(|error| Error::internal(format!("hashing a password: {error}")))
    }

    /// Whether `text` is the password that `phc` was made from. Without `phc` it
    /// is wrong, and takes as long to be so.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where too many wait.
    pub async fn verify(&self, text: &str, phc: Option<&str>) -> Result<Verdict> {
        // What cannot be a password costs the same as a wrong one.
        let candidate = normalise(text).ok();
        let known = phc.is_some() && candidate.is_some();
        let phc = phc.filter(|_| known).unwrap_or(NOBODY).to_owned();
        let runs = Arc::clone(&self.runs);
        self.run(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            let candidate = candidate.unwrap_or_else(|| "nobody".into());
            let hash = PasswordHash::new(&phc)
                .map_err(|error| Error::internal(format!("reading a password hash: {error}")))?;
            let right = argon2()
                .verify_password(candidate.expose_secret().as_bytes(), &hash)
                .is_ok();
            Ok(match (right && known, is_current(&hash)) {
                (false, _) => Verdict::Wrong,
                (true, true) => Verdict::Right,
                (true, false) => Verdict::RightButOld,
            })
        })
        .await?
    }

    /// How many hashes were computed since the start.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.permit().await?;
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            // Given back by the thread, not by a caller who may be gone by then.
            let _permit = permit;
            span.in_scope(work)
        })
        .await
        .map_err(Error::internal)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting).ok_or(Error::Overloaded)?;
        match tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(Error::internal(closed)),
            Err(_elapsed) => Err(Error::Overloaded),
        }
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |places| {
                (places < QUEUE).then_some(places + 1)
            })
            .ok()
            .map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The parameters of today: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, Some(32)).expect("these parameters are within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn is_current(hash: &PasswordHash) -> bool {
    let today = argon2();
    hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(hash).is_ok_and(|params| {
            let today = today.params();
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (today.m_cost(), today.t_cost(), today.p_cost())
        })
        && hash.hash.is_some_and(|output| output.len() == 32)
}

/// Normal form C, and the bounds on length.
fn normalise(text: &str) -> Result<SecretString, Violation> {
    let too_long = || {
        violation(
            FieldRule::PasswordTooLong,
            "must have at most 128 characters",
        )
    };
    // Composing never makes fewer than a third of the characters of what people
    // type; this only bounds the work on what nobody types.
    if text.len() > 16 * MAX_CHARS {
        return Err(too_long());
    }
    let normal: String = text.nfc().collect();
    match normal.chars().count() {
        ..MIN_CHARS => Err(violation(
            FieldRule::PasswordTooShort,
            "must have at least 12 characters",
        )),
        MIN_CHARS..=MAX_CHARS => Ok(normal.into()),
        _ => Err(too_long()),
    }
}

/// Whether a password would fall to a million tries, as estimated from lists of
/// common passwords, names, words, dates, sequences and keyboard patterns.
/// Longer ones are taken piece by piece: one good piece is enough.
fn is_common(password: &str, email: &str) -> bool {
    if password.to_lowercase() == email {
        return true;
    }
    let chars: Vec<char> = password.chars().collect();
    let parts: Vec<&str> = email.split(['@', '.', '+', '-', '_']).collect();
    let known: Vec<&str> = [email, "kiln"].into_iter().chain(parts).collect();
    let log10: f64 = chars
        .chunks(ESTIMATED_CHARS)
        .map(|piece| {
            let piece: String = piece.iter().collect();
            zxcvbn::zxcvbn(&piece, &known).guesses_log10()
        })
        .fold(0.0, f64::max);
    log10 < 6.0
}

fn violation(rule: FieldRule, message: &str) -> Violation {
    Violation {
        field: "password",
        rule,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str, email: &str) -> Option<FieldRule> {
        match normalise(text) {
            Err(violation) => Some(violation.rule),
            Ok(normal) => {
                is_common(normal.expose_secret(), email).then_some(FieldRule::PasswordCommon)
            }
        }
    }

    async fn password(passwords: &Passwords, text: &str) -> Password {
        passwords
            .check(text, "ann@example.com")
            .await
            .expect("nobody waits")
            .expect("a good password")
    }

    #[test]
    fn length_is_counted_in_characters_of_normal_form_c() {
        let email = "ann@example.com";
        assert_eq!(
            rule("q9Zr!vL2p#x", email),
            Some(FieldRule::PasswordTooShort)
        );
        assert_eq!(rule("q9Zr!vL2p#xW", email), None);
        // Twelve characters, each written as a letter and an accent; eleven of them.
        assert_eq!(
            rule(&"e\u{301}".repeat(11), email),
            Some(FieldRule::PasswordTooShort)
        );
        let long: String = ('a'..='z').cycle().step_by(7).take(128).collect();
        assert_eq!(rule(&long, email), None);
        assert_eq!(
            rule(&format!("{long}x"), email),
            Some(FieldRule::PasswordTooLong)
        );
        assert_eq!(
            rule(&"x".repeat(1 << 20), email),
            Some(FieldRule::PasswordTooLong)
        );
        assert_eq!(rule("пять лошадей и печь", email), None);
    }

    #[test]
    fn common_passwords_and_the_address_are_refused() {
        for common in [
            "password1234",
            "Password123!",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "123456789012",
            "iloveyou1234",
            "passwordpasswordpassword",
            "ann@example.com",
            "ANN@EXAMPLE.COM",
        ] {
            assert_eq!(
                rule(common, "ann@example.com"),
                Some(FieldRule::PasswordCommon),
                "{common}"
            );
        }
        assert_eq!(rule("correct horse battery", "ann@example.com"), None);
        assert_eq!(
            rule("passwordpassword and two warm ovens", "ann@example.com"),
            None
        );
    }

    #[tokio::test]
    async fn a_hash_verifies_in_either_unicode_form_and_nothing_else_does() {
        let passwords = Passwords::default();
        let made = password(&passwords, "caf\u{e9} au lait 7").await;
        let phc = passwords.hash(&made).await.expect("hashed");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        for (text, verdict) in [
            ("caf\u{e9} au lait 7", Verdict::Right),
            ("cafe\u{301} au lait 7", Verdict::Right),
            ("caf\u{e9} au lait 8", Verdict::Wrong),
            ("", Verdict::Wrong),
            (&"x".repeat(4096), Verdict::Wrong),
        ] {
            let found = passwords.verify(text, Some(&phc)).await.expect("verified");
            assert_eq!(found, verdict, "{text:.20}");
        }
        assert_eq!(passwords.runs(), 6);
    }

    #[tokio::test]
    async fn nobody_has_a_password_and_the_stand_in_costs_the_same() {
        let passwords = Passwords::default();
        for text in ["q9Zr!vL2p#xW", "nobody", ""] {
            let verdict = passwords.verify(text, None).await.expect("verified");
            assert_eq!(verdict, Verdict::Wrong);
        }
        assert_eq!(passwords.runs(), 3);
        let nobody = PasswordHash::new(NOBODY).expect("a PHC string");
        assert!(
            is_current(&nobody),
            "other parameters would take other time"
        );
    }

    #[tokio::test]
    async fn other_parameters_are_noticed() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8_192, 1, 1, Some(32)).expect("within bounds"),
        );
        let phc = weak
            .hash_password(b"q9Zr!vL2p#xW")
            .expect("hashed")
            .to_string();
        let verdict = Passwords::default()
            .verify("q9Zr!vL2p#xW", Some(&phc))
            .await;
        assert_eq!(verdict.expect("verified"), Verdict::RightButOld);
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_sixteen_wait_and_none_for_more_than_two_seconds() {
        let passwords = Passwords::default();
        let held = Arc::clone(&passwords.permits)
            .acquire_many_owned(2)
            .await
            .expect("open");
        let waits = (0..17).map(async |_| {
            let started = tokio::time::Instant::now();
            let refused = passwords.permit().await;
            assert!(matches!(refused, Err(Error::Overloaded)), "{refused:?}");
            started.elapsed()
        });
        let waits = futures::future::join_all(waits).await;
        let mut expected = vec![WAIT; 16];
        expected.push(Duration::ZERO);
        assert_eq!(waits, expected);
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
        drop(held);
        assert!(passwords.permit().await.is_ok());
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", Password("q9Zr!vL2p#xW".into())).contains("q9Zr"));
    }
}
