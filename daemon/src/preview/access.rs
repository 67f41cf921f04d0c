//! Who may ask. The listener is on loopback, but so is every web page that the
//! user's browser has open: it must not get in under another name (DNS
//! rebinding), nor read an app across origins.

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{HeaderValue, Method, StatusCode, Uri};

use super::headers;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no host name, or more than one.
    NoHost,
    /// It asks for a host that is not this one.
    OtherHost,
    /// A page of another site asks.
    OtherSite,
    /// It wants a tunnel to somewhere.
    Connect,
}

impl Refusal {
    /// The status that says so.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherSite => StatusCode::FORBIDDEN,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The sentence that says so.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::NoHost => "a request needs one Host header\n",
            Self::OtherHost => {
                "this is a preview on your own machine: open it as 127.0.0.1 or localhost\n"
            }
            Self::OtherSite => "a page of another site may not read this preview\n",
            Self::Connect => "this is not a proxy\n",
        }
    }
}

/// Lets a request to the listener on `port` pass, or says why not.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    port: u16,
) -> Result<(), Refusal> {
    if method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refusal::NoHost);
    };
    let host_is_ours = host.to_str().is_ok_and(|host| is_ours(host, port));
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if !host_is_ours || authority.is_some_and(|authority| !is_ours(authority, port)) {
        return Err(Refusal::OtherHost);
    }
    // A link or a frame may lead here; a script, a fetch or a socket may not.
    // Other ports of this machine are the same site, and other apps all the same.
    let is_foreign =
        is(headers, "sec-fetch-site", "cross-site") || is(headers, "sec-fetch-site", "same-site");
    if is_foreign && !is(headers, "sec-fetch-mode", "navigate") {
        return Err(Refusal::OtherSite);
    }
    // Who says where it comes from says so in any case; sockets know no same-origin
    // rule but the one that servers keep.
    if let Some(origin) = headers.get(ORIGIN)
        && !is_our_origin(origin, port)
        && (headers::is_websocket(headers) || !is(headers, "sec-fetch-mode", "navigate"))
    {
        return Err(Refusal::OtherSite);
    }
    Ok(())
}

fn is_ours(authority: &str, port: u16) -> bool {
    let Some((name, given)) = authority.rsplit_once(':') else {
        return false;
    };
    let name_is_ours =
        name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost");
    name_is_ours && given.bytes().all(|byte| byte.is_ascii_digit()) && given.parse() == Ok(port)
}

fn is_our_origin(origin: &HeaderValue, port: u16) -> bool {
    origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("http://"))
        .is_some_and(|authority| is_ours(authority, port))
}

fn is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|given| given == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(uri: &str, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        check(&Method::GET, &uri.parse().unwrap(), &map, 4100)
    }

    #[test]
    fn only_our_own_names_and_port_are_answered() {
        for host in [
            "127.0.0.1:4100",
            "localhost:4100",
            "LocalHost:4100",
            "[::1]:4100",
        ] {
            assert_eq!(check_with("/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example:4100",
            "127.0.0.1",
            "127.0.0.1:4101",
            "localhost:+4100",
            "localhost.evil.example:4100",
            "evil.localhost:4100",
            "127.0.0.1:4100@evil.example",
            "::1:4100",
            "0.0.0.0:4100",
            "",
        ] {
            assert_eq!(
                check_with("/", &[("host", host)]),
                Err(Refusal::OtherHost),
                "{host}"
            );
        }
        assert_eq!(check_with("/", &[]), Err(Refusal::NoHost));
        assert_eq!(
            check_with(
                "/",
                &[("host", "localhost:4100"), ("host", "localhost:4100")]
            ),
            Err(Refusal::NoHost)
        );
        let ours = [("host", "localhost:4100")];
        assert_eq!(check_with("http://localhost:4100/x", &ours), Ok(()));
        assert_eq!(
            check_with("http://evil.example/x", &ours),
            Err(Refusal::OtherHost)
        );
        let connect = check(
            &Method::CONNECT,
            &"localhost:4100".parse().unwrap(),
            &HeaderMap::new(),
            4100,
        );
        assert_eq!(connect, Err(Refusal::Connect));
    }

    #[test]
    fn another_site_may_link_here_and_nothing_else() {
        // Other ports of this machine are the same site: previews of other projects.
        for site in ["cross-site", "same-site"] {
            let from = |mode: &'static str| {
                check_with(
                    "/src/main.tsx",
                    &[
                        ("host", "127.0.0.1:4100"),
                        ("sec-fetch-site", site),
                        ("sec-fetch-mode", mode),
                    ],
                )
            };
            assert_eq!(from("navigate"), Ok(()));
            for mode in ["no-cors", "cors", "websocket"] {
                assert_eq!(from(mode), Err(Refusal::OtherSite), "{site} {mode}");
            }
        }
    }

    #[test]
    fn a_page_of_another_port_may_not_read_an_app() {
        let from = |origin: &'static str| {
            let headers = [("host", "127.0.0.1:4100"), ("origin", origin)];
            check_with("/src/App.tsx", &headers)
        };
        assert_eq!(from("http://127.0.0.1:4100"), Ok(()));
        assert_eq!(from("http://localhost:4100"), Ok(()));
        for origin in ["http://127.0.0.1:4101", "http://evil.example", "null"] {
            assert_eq!(from(origin), Err(Refusal::OtherSite), "{origin}");
        }
    }

    #[test]
    fn a_socket_is_for_our_own_pages() {
        let from = |origin: &'static str| {
            check_with(
                "/",
                &[
                    ("host", "127.0.0.1:4100"),
                    ("connection", "Upgrade"),
                    ("upgrade", "websocket"),
                    ("origin", origin),
                ],
            )
        };
        assert_eq!(from("http://127.0.0.1:4100"), Ok(()));
        assert_eq!(from("http://localhost:4100"), Ok(()));
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:4101",
            "https://127.0.0.1:4100",
            "null",
        ] {
            assert_eq!(from(origin), Err(Refusal::OtherSite), "{origin}");
        }
    }
}
