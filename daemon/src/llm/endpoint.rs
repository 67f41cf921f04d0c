//! One API that speaks the protocol: its address, its key, its HTTP client.
//!
//! The key goes into one header of requests to the base URL and nowhere else:
//! redirects are not followed, and neither errors nor debug output hold it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What OpenRouter shows as the origin of a call.
const REFERER: &str = "https://kiln.localhost";
const TITLE: &str = "Kiln";

/// Why the model edge cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The base URL is not one.
    #[error("model.base_url must be http:// or https://, with a host and without user or query")]
    BaseUrl,
    /// The key has characters that a header cannot hold.
    #[error("the key of the model provider has characters that no key has")]
    Key,
    /// No HTTP client can be built, mostly for want of root certificates.
    #[error("cannot set up https (are there root certificates, package ca-certificates?)")]
    Client(#[source] reqwest::Error),
}

/// What a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Fallback models, and usage with its cost.
    OpenRouter,
    /// What every compatible server understands.
    Plain,
}

/// One API.
#[derive(Clone)]
pub struct Endpoint {
    base_url: String,
    api_key: Option<SecretString>,
    dialect: Dialect,
    http: Client,
}

/// Without key and client.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base_url", &self.base_url)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An API at `base_url`.
    ///
    /// # Errors
    ///
    /// [`EdgeError`], when one of the parts is of no use.
    pub fn new(
        base_url: &str,
        api_key: Option<SecretString>,
        dialect: Dialect,
    ) -> Result<Self, EdgeError> {
        let url = Url::parse(base_url).map_err(|_| EdgeError::BaseUrl)?;
        let plain_text = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(EdgeError::BaseUrl),
        };
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials || !url.has_host() || url.query().is_some() || url.fragment().is_some() {
            return Err(EdgeError::BaseUrl);
        }
        if let Some(key) = &api_key {
            HeaderValue::from_str(key.expose_secret()).map_err(|_| EdgeError::Key)?;
        }
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key,
            dialect,
            http: client(&url, plain_text)?,
        })
    }

    /// Whether the address is one of OpenRouter's own.
    #[must_use]
    pub fn is_openrouter(base_url: &str) -> bool {
        Url::parse(base_url).is_ok_and(|url| {
            url.host_str()
                .is_some_and(|host| host == "openrouter.ai" || host.ends_with(".openrouter.ai"))
        })
    }

    /// What the server understands.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Its address.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether there is a key for it.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.api_key.is_some()
    }

    pub(super) fn post(&self, path: &str, json: Bytes) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.base_url));
        self.authorized(request)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .body(json)
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        let request = self.http.get(format!("{}{path}", self.base_url));
        self.authorized(request).header(ACCEPT, "application/json")
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }
}

fn client(url: &Url, plain_text: bool) -> Result<Client, EdgeError> {
    // Building a client panics without one. It fails where the program has
    // chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert("http-referer", HeaderValue::from_static(REFERER));
    headers.insert("x-title", HeaderValue::from_static(TITLE));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let mut builder = Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .default_headers(headers);
    if plain_text {
        // Neither reads root certificates nor fails where there are none.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(url) {
        // A proxy of the environment is for what lies beyond this machine.
        builder = builder.no_proxy();
    }
    if url.host_str() == Some("localhost") {
        // Whatever a name server says.
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let addresses = loopback.map(|ip: IpAddr| SocketAddr::new(ip, 0));
        builder = builder.resolve_to_addrs("localhost", &addresses);
    }
    builder.build().map_err(EdgeError::Client)
}

/// Whether the host is this machine, by its name or address alone.
pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The body of `response`; `None` if it breaks off or is over `limit` bytes.
pub(super) async fn read_bounded(mut response: Response, limit: usize) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}
