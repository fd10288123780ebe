// SPDX-License-Identifier: MPL-2.0
//! Who asks: whether a request comes from this user, from a program that means this server, and
//! with the right token.
//!
//! The endpoint is on loopback, which every user of the machine can reach, and so can every web
//! page in a browser on it. The kernel knows whose socket the other end is; a `Host` of another
//! name means DNS rebinding, an `Origin` means a page, and a forwarded request comes from who
//! knows where.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, header};
use gstawscreds::session::Secret;
use procfs::net::{TcpNetEntry, TcpState};
use subtle::ConstantTimeEq;

/// Requests in a second that are answered for long, and at once.
const RATE_PER_SECOND: f64 = 100.0;
const BURST: f64 = 200.0;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }
}

/// The user whose socket is at the other end of the connection from `peer` to `local`; nobody
/// where the kernel does not say.
pub fn user_of(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let table = match peer {
        SocketAddr::V4(_) => procfs::net::tcp(),
        SocketAddr::V6(_) => procfs::net::tcp6(),
    };
    user_in(&table.ok()?, peer, local)
}

fn user_in(table: &[TcpNetEntry], peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let theirs = |entry: &&TcpNetEntry| {
        entry.local_address == peer
            && entry.remote_address == local
            // A socket that nobody has any more is said to be root's.
            && entry.state != TcpState::TimeWait
    };
    table.iter().find(theirs).map(|entry| entry.uid)
}

/// Refuses requests of other users: `user` is whose the other end is.
pub fn check_user(user: Option<u32>, own: u32) -> Result<(), Refusal> {
    match user {
        Some(user) if user == own => Ok(()),
        Some(user) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "OtherUser",
            format!("these credentials are for user {own} only, not for user {user}"),
        )),
        None => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "UnknownUser",
            "the system does not say whose request this is",
        )),
    }
}

/// Refuses what a browser or a proxy sends.
pub fn check_headers(headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    let refuse = |code, message| Err(Refusal::new(StatusCode::FORBIDDEN, code, message));
    if headers.contains_key(header::ORIGIN) {
        return refuse(
            "FromAPage",
            "a request with an Origin comes from a web page",
        );
    }
    let forwarded = ["forwarded", "x-forwarded-for", "via"];
    if forwarded.iter().any(|name| headers.contains_key(*name)) {
        return refuse("Forwarded", "a request that was passed on is not answered");
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    match (host, hosts.next()) {
        (Some(host), None) if is_ours(host, port) => Ok(()),
        _ => refuse(
            "ForeignHost",
            "the Host of a request must be this server's address",
        ),
    }
}

/// Whether a `Host` (RFC 9110, 7.2) is a name of loopback and our port.
fn is_ours(host: &str, port: u16) -> bool {
    let own_port = |rest: &str| match rest.strip_prefix(':') {
        Some(given) => given.parse() == Ok(port),
        None => rest.is_empty() && port == 80,
    };
    let host = host.to_ascii_lowercase();
    let names = ["127.0.0.1", "localhost", "[::1]"];
    names
        .iter()
        .filter_map(|name| host.strip_prefix(name))
        .any(own_port)
}

/// Whether a request brings this token: as SDKs send it, or as a bearer token. Takes the same
/// time for each wrong token of the right length.
pub fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return false;
    };
    let given = given.as_bytes();
    let given = given.strip_prefix(b"Bearer ").unwrap_or(given);
    given.ct_eq(token.expose().as_bytes()).into()
}

/// How many requests are answered: a client in a loop must not keep the others waiting.
pub struct Rate(Mutex<Bucket>);

struct Bucket {
    left: f64,
    at: Instant,
}

impl Rate {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Bucket {
            left: BURST,
            at: now,
        }))
    }

    /// Refuses what is too much.
    pub fn check(&self, now: Instant) -> Result<(), Refusal> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed: Duration = now.saturating_duration_since(bucket.at);
        bucket.left = (bucket.left + passed.as_secs_f64() * RATE_PER_SECOND).min(BURST);
        bucket.at = now;
        if bucket.left < 1.0 {
            let message = "too many requests; credentials are good until they expire";
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(Refusal::new(status, "TooManyRequests", message));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let named = lines.iter().map(|(name, value)| {
            let value = axum::http::HeaderValue::from_static(value);
            (axum::http::HeaderName::from_static(name), value)
        });
        let mut headers = HeaderMap::new();
        named.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn the_kernel_knows_whose_connection_it_is() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            let own = rustix::process::geteuid().as_raw();
            assert_eq!(user_of(peer, stream.local_addr().unwrap()), Some(own));
            // The other way round is the server's own end.
            drop(client);
            let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
            assert_eq!(user_of(nobody, stream.local_addr().unwrap()), None);
        }
    }

    #[test]
    fn another_user_and_nobody_are_refused() {
        assert_eq!(check_user(Some(1000), 1000), Ok(()));
        for user in [Some(0), Some(1001), None] {
            let refusal = check_user(user, 1000).unwrap_err();
            assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        }
    }

    #[test]
    fn only_a_name_of_loopback_with_our_port_is_our_host() {
        for host in [
            "127.0.0.1:4711",
            "localhost:4711",
            "LocalHost:4711",
            "[::1]:4711",
        ] {
            assert_eq!(
                check_headers(&headers(&[("host", host)]), 4711),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "evil.example:4711",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost.evil.example:4711",
            "127.0.0.1.evil.example:4711",
            "[::1]:4711x",
            "",
        ] {
            assert!(
                check_headers(&headers(&[("host", host)]), 4711).is_err(),
                "{host}"
            );
        }
        assert!(check_headers(&headers(&[]), 4711).is_err());
        let two = headers(&[("host", "127.0.0.1:4711"), ("host", "evil.example")]);
        assert!(check_headers(&two, 4711).is_err());
        assert_eq!(
            check_headers(&headers(&[("host", "127.0.0.1")]), 80),
            Ok(())
        );
    }

    #[test]
    fn a_page_and_a_proxy_are_refused_whatever_they_call_us() {
        for (name, value) in [
            ("origin", "http://127.0.0.1:4711"),
            ("origin", "null"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("via", "1.1 proxy"),
        ] {
            let given = headers(&[("host", "127.0.0.1:4711"), (name, value)]);
            assert!(check_headers(&given, 4711).is_err(), "{name}");
        }
    }

    #[test]
    fn a_token_must_be_whole() {
        let token = Secret::from("abcdef");
        assert!(has_token(&headers(&[("authorization", "abcdef")]), &token));
        assert!(has_token(
            &headers(&[("authorization", "Bearer abcdef")]),
            &token
        ));
        for wrong in ["", "abcde", "abcdefg", "Abcdef", "Basic abcdef"] {
            assert!(
                !has_token(&headers(&[("authorization", wrong)]), &token),
                "{wrong}"
            );
        }
        assert!(!has_token(&headers(&[]), &token));
    }

    #[test]
    fn a_client_in_a_loop_is_slowed_down_and_forgiven() {
        let start = Instant::now();
        let rate = Rate::new(start);
        let answered = (0..1000).filter(|_| rate.check(start).is_ok()).count();
        assert_eq!(answered, 200);
        let later = start + Duration::from_secs(1);
        let answered = (0..1000).filter(|_| rate.check(later).is_ok()).count();
        assert_eq!(answered, 100);
    }
}
