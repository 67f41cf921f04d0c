//! Who may call what. Every call passes here before any handler: it is refused
//! unless its method is listed, and, but for the listed few, unless it carries
//! exactly one credential that proves who is calling and allows the method.
//! Identity is never read from a message.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::methods::{self, Access};
use super::peer::ConnectionInfo;
use super::status::Refusal;
use crate::app::accounts::Accounts;
use crate::domain::account::{Caller, Credential};
use crate::domain::error::Error;

/// Puts [`AuthGate`] in front of the services.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    accounts: Accounts,
}

impl AuthLayer {
    /// A layer that asks `accounts` who is calling.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthGate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthGate {
            accounts: self.accounts.clone(),
            inner,
        }
    }
}

/// Refuses calls, or passes them on with their [`Caller`] as an extension.
#[derive(Clone, Debug)]
pub struct AuthGate<S> {
    accounts: Accounts,
    inner: S,
}

impl<S> Service<Request<Body>> for AuthGate<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let accounts = self.accounts.clone();
        let (mut head, body) = request.into_parts();
        Box::pin(async move {
            match admit(&accounts, &head).await {
                Ok(Some(caller)) => {
                    head.extensions.insert(caller);
                }
                Ok(None) => {}
                Err(status) => return Ok(status.into_http()),
            }
            // Nothing behind this needs the secret, so nothing can log it.
            head.headers.remove(AUTHORIZATION);
            inner.call(Request::from_parts(head, body)).await
        })
    }
}

/// The caller of a request.
///
/// # Errors
/// AUTH_REQUIRED where the request did not pass [`AuthLayer`], or where its
/// method is open to everybody.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Error::AuthRequired.into())
}

/// Whether a call may go on, and who makes it; `None` where nobody was asked.
async fn admit(accounts: &Accounts, head: &Parts) -> Result<Option<Caller>, Status> {
    // Only browsers send this, and no page of one has any business here.
    if head.headers.contains_key(ORIGIN) {
        return Err(Error::OriginRefused.into());
    }
    let access = methods::access(head.uri.path()).ok_or(Refusal::MethodUnknown)?;
    if access == Access::Public {
        return Ok(None);
    }
    let presented = bearer(&head.headers)?;
    let origin = head
        .extensions
        .get::<ConnectionInfo>()
        .map(|connection| connection.peer.origin());
    let caller = accounts.authenticate(presented, origin).await?;
    match (access, &caller.credential) {
        (Access::Session, Credential::ApiToken { .. }) => Err(Error::SessionRequired.into()),
        (Access::Scope(scope), _) if !caller.allows(scope) => {
            Err(Error::ScopeRequired(scope).into())
        }
        (Access::Public | Access::Session | Access::Scope(_), _) => Ok(Some(caller)),
    }
}

/// The one credential of a call.
fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let only = values.next().ok_or(Error::AuthRequired)?;
    if values.next().is_some() {
        return Err(Error::TokenInvalid);
    }
    let (scheme, token) = only
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(Error::TokenInvalid)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token)
    } else {
        Err(Error::TokenInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static [u8]]) -> Result<String, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = http::HeaderValue::from_bytes(value).expect("a header value");
            headers.append(AUTHORIZATION, value);
        }
        bearer(&headers).map(ToOwned::to_owned)
    }

    #[test]
    fn there_is_exactly_one_bearer() {
        assert_eq!(read(&[b"Bearer x"]).expect("one"), "x");
        assert_eq!(read(&[b"bearer x"]).expect("one"), "x");
        assert!(matches!(read(&[]), Err(Error::AuthRequired)));
        for bad in [
            &[&b"Bearer x"[..], b"Bearer x"][..],
            &[b"Bearer"],
            &[b"x"],
            &[b""],
            &[b"Basic eDp4"],
            &[b"Bearer \xff"],
        ] {
            assert!(matches!(read(bad), Err(Error::TokenInvalid)), "{bad:?}");
        }
    }
}
