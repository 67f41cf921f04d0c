//! The one place that talks to the daemon, and the only one that names tonic.
//!
//! - [`address`] and `connect`: where the daemon is, and the channel to it.
//! - [`credentials`]: sessions kept on this machine.
//! - [`error`]: what can go wrong, sorted once.
//! - `calls`: one method per RPC.
//! - [`resume`] and [`backoff`]: streams that survive a break without a gap.
//! - [`link`]: the connection of the full-screen client, with all it follows.
//!
//! It prints nothing, draws nothing, and decides nothing about what an answer
//! means to people. Text in answers is as the daemon sent it; whoever shows it
//! cleans it.

pub mod address;
pub mod backoff;
mod calls;
mod connect;
pub mod credentials;
pub mod error;
pub mod link;
pub mod logs;
pub mod resume;
pub mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kiln_proto::v1::auth_service_client::AuthServiceClient;
use kiln_proto::v1::{Session, SignInLocalRequest, User};
use secrecy::{ExposeSecret, SecretString};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

pub use self::address::Address;
use self::credentials::Entry;
pub use self::credentials::Store;
pub use self::error::Error;

/// Until a call that is no stream is answered.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of one message that is taken.
const DECODE_LIMIT: usize = 4 << 20;

/// What a client needs to know before it connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the daemon is.
    pub address: Address,
    /// A credential from outside; the store is then left alone.
    pub token: Option<SecretString>,
    /// PEM of certificate authorities to trust in place of the system's.
    pub authority: Option<Vec<u8>>,
    /// Where sessions are kept.
    pub store: Store,
}

/// A connection to a daemon, with an identity. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    channel: Channel,
    options: Options,
    /// The credential in use. Written by whoever signs in, read by every call;
    /// the lock is held across a sign-in, so that ten calls sign in once.
    held: tokio::sync::Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    header: MetadataValue<Ascii>,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From the environment or a file: never renewed here.
    Given,
    /// Signed in with a password: never renewed here.
    Password,
    /// Given by the daemon to its own user: another can be had any time.
    Local,
}

impl Client {
    /// Connects, without signing in yet.
    ///
    /// # Errors
    /// If kept credentials cannot be used, or the daemon cannot be reached.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        // First what is wrong on this machine, then what is wrong elsewhere.
        let held = match &options.token {
            Some(token) => Some(hold(token, Source::Given)?),
            None => options
                .store
                .load(&options.address)?
                .map(|entry| held_entry(&entry))
                .transpose()?,
        };
        let channel = connect::connect(&options.address, options.authority.as_deref()).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                channel,
                options,
                held: tokio::sync::Mutex::new(held),
            }),
        })
    }

    /// Where the daemon is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.inner.options.address
    }

    /// Signs in as the user who runs the daemon; unix socket only.
    ///
    /// # Errors
    /// `NOT_LOCAL_OWNER` where somebody else runs it.
    pub async fn sign_in_local(&self) -> Result<User, Error> {
        let mut held = self.inner.held.lock().await;
        let (fresh, user) = self.fetch_local().await?;
        *held = Some(fresh);
        Ok(user)
    }

    /// Keeps a session that a password gave, and uses it from now on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn keep_session(
        &self,
        session: Option<Session>,
        user: Option<&User>,
    ) -> Result<(), Error> {
        let session = session.ok_or_else(|| Error::Protocol("no session".to_owned()))?;
        let entry = Entry {
            token: session.token.into(),
            user: user.map_or_else(String::new, |user| user.email.clone()),
            local: false,
        };
        let fresh = held_entry(&entry)?;
        self.inner.options.store.save(self.address(), &entry)?;
        *self.inner.held.lock().await = Some(fresh);
        Ok(())
    }

    /// Forgets the kept session.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn forget_session(&self) -> Result<(), Error> {
        self.inner.options.store.remove(self.address())?;
        *self.inner.held.lock().await = None;
        Ok(())
    }

    /// Repeats a call that is safe to repeat until it is answered, as long as
    /// `patience` lasts; waits in between grow from 0.25 s to 5 s.
    ///
    /// # Errors
    /// The first error that trying again cannot mend, or the last one.
    pub async fn persist<T, F, Fut>(&self, patience: Duration, call: F) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let began = tokio::time::Instant::now();
        let mut attempt = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = backoff::delay(attempt, rand::random())
                .max(error.retry_after().unwrap_or_default());
            if !error.is_retryable() || began.elapsed() + wait > patience {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// A call that needs no credential.
    async fn open_call<Q, R, F, Fut>(&self, request: Q, call: F) -> Result<R, Error>
    where
        F: FnOnce(Channel, tonic::Request<Q>) -> Fut,
        Fut: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        let mut request = tonic::Request::new(request);
        request.set_timeout(CALL_TIMEOUT);
        let answer = self
            .in_time(call(self.inner.channel.clone(), request))
            .await?;
        Ok(answer.into_inner())
    }

    /// A call with a credential and one answer.
    async fn unary<Q, R, F, Fut>(&self, request: Q, call: F) -> Result<R, Error>
    where
        Q: Clone,
        F: Fn(Channel, tonic::Request<Q>) -> Fut,
        Fut: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        let answer = self
            .with_credential(|header| {
                let mut request = tonic::Request::new(request.clone());
                request.set_timeout(CALL_TIMEOUT);
                request.metadata_mut().insert("authorization", header);
                call(self.inner.channel.clone(), request)
            })
            .await?;
        Ok(answer.into_inner())
    }

    /// A call with a credential and many answers. The limit of time holds until
    /// the stream opens.
    async fn streaming<Q, R, F, Fut>(
        &self,
        request: Q,
        call: F,
    ) -> Result<impl Stream<Item = Result<R, Error>> + Send + Unpin + use<Q, R, F, Fut>, Error>
    where
        Q: Clone,
        R: Send + 'static,
        F: Fn(Channel, tonic::Request<Q>) -> Fut,
        Fut: Future<Output = Result<tonic::Response<tonic::Streaming<R>>, tonic::Status>>,
    {
        let answer = self
            .with_credential(|header| {
                let mut request = tonic::Request::new(request.clone());
                request.metadata_mut().insert("authorization", header);
                call(self.inner.channel.clone(), request)
            })
            .await?;
        let address = self.address().clone();
        Ok(answer
            .into_inner()
            .map(move |item| item.map_err(|status| Error::from_status(&address, &status))))
    }

    /// Adds the credential, and where the daemon wants a newer one than it gave
    /// to its own user, gets that and tries once more.
    async fn with_credential<R, F, Fut>(&self, call: F) -> Result<R, Error>
    where
        F: Fn(MetadataValue<Ascii>) -> Fut,
        Fut: Future<Output = Result<R, tonic::Status>>,
    {
        let used = self.credential().await?;
        match self.in_time(call(used.header.clone())).await {
            Err(error) if used.source == Source::Local && error.wants_sign_in() => {
                let fresh = self.renew(&used).await?;
                self.in_time(call(fresh.header)).await
            }
            answer => answer,
        }
    }

    async fn in_time<R>(
        &self,
        call: impl Future<Output = Result<R, tonic::Status>>,
    ) -> Result<R, Error> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(Error::from_status(self.address(), &status)),
            Err(_) => Err(Error::timed_out(self.address(), CALL_TIMEOUT)),
        }
    }

    async fn credential(&self) -> Result<Held, Error> {
        let mut held = self.inner.held.lock().await;
        if let Some(held) = held.as_ref() {
            return Ok(held.clone());
        }
        if !self.address().is_unix() {
            return Err(Error::NotSignedIn {
                address: self.address().clone(),
                why: "there is no session for this server".to_owned(),
                reason: "AUTH_REQUIRED".to_owned(),
            });
        }
        let (fresh, _) = self.fetch_local().await?;
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    async fn renew(&self, refused: &Held) -> Result<Held, Error> {
        let mut held = self.inner.held.lock().await;
        // Somebody may have been faster: another task, or another process.
        if let Some(newer) = held.as_ref().filter(|held| held.header != refused.header) {
            return Ok(newer.clone());
        }
        if let Some(entry) = self.inner.options.store.load(self.address())? {
            let newer = held_entry(&entry)?;
            if newer.header != refused.header {
                *held = Some(newer.clone());
                return Ok(newer);
            }
        }
        let (fresh, _) = self.fetch_local().await?;
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    async fn fetch_local(&self) -> Result<(Held, User), Error> {
        let answer = self
            .open_call(SignInLocalRequest {}, |channel, request| async move {
                AuthServiceClient::new(channel).sign_in_local(request).await
            })
            .await?;
        let (Some(session), Some(user)) = (answer.session, answer.user) else {
            return Err(Error::Protocol("no session".to_owned()));
        };
        let entry = Entry {
            token: session.token.into(),
            user: user.email.clone(),
            local: true,
        };
        let fresh = held_entry(&entry)?;
        self.inner.options.store.save(self.address(), &entry)?;
        Ok((fresh, user))
    }
}

fn held_entry(entry: &Entry) -> Result<Held, Error> {
    let source = if entry.local {
        Source::Local
    } else {
        Source::Password
    };
    hold(&entry.token, source)
}

fn hold(token: &SecretString, source: Source) -> Result<Held, Error> {
    let mut header = MetadataValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| Error::Protocol("a session token that cannot be sent".to_owned()))?;
    header.set_sensitive(true);
    Ok(Held { header, source })
}
