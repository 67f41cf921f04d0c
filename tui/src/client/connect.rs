//! Makes the channel to a daemon: unix socket, loopback, or TLS, with the
//! client's limits. Says nothing over it.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Uri};

use super::address::Address;
use super::error::{Error, UnreachableKind};

/// Until the connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which the other side is asked whether it lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects, once. The channel reconnects by itself when it is used after a
/// break.
///
/// `authority` is a PEM file of certificate authorities to trust in place of the
/// system's; it matters to TLS only.
pub(super) async fn connect(address: &Address, authority: Option<&[u8]>) -> Result<Channel, Error> {
    let connected = match address {
        Address::Unix(path) => {
            let path = path.clone();
            let connector = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            });
            // The name goes into `:authority` and is not looked up.
            let endpoint = limits(Endpoint::from_static("http://localhost"));
            tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect_with_connector(connector)).await
        }
        Address::Plain { .. } => {
            let endpoint = limits(endpoint(address)?);
            tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await
        }
        Address::Tls { host, .. } => {
            let tls = ClientTlsConfig::new()
                .domain_name(host.trim_start_matches('[').trim_end_matches(']'));
            let tls = match authority {
                Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
                None => tls.with_native_roots(),
            };
            let endpoint = limits(endpoint(address)?)
                .tls_config(tls)
                .map_err(|error| Error::Setup(format!("cannot set up TLS: {error}")))?;
            tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await
        }
    };
    match connected {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(Error::from_connect(address, &error)),
        Err(_) => Err(Error::Unreachable {
            address: address.clone(),
            cause: format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
            kind: UnreachableKind::Broken,
        }),
    }
}

fn endpoint(address: &Address) -> Result<Endpoint, Error> {
    Endpoint::from_shared(address.to_string())
        .map_err(|error| Error::Setup(format!("cannot use the address {address}: {error}")))
}

fn limits(endpoint: Endpoint) -> Endpoint {
    let agent = concat!("kiln/", env!("CARGO_PKG_VERSION"));
    endpoint
        .user_agent(agent)
        .expect("a crate's name and version are ASCII")
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
}
