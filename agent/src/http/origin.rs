//! Who may ask over TCP: programs of this host, and pages that this agent served. A browser on this host
//! (or behind a tunnel to it) runs pages of others, too; neither a form that they send (another `Origin`)
//! nor a name of theirs that suddenly means a loopback address (another `Host`) may command the agent.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::api::error;

/// Lets a request pass, or answers 403.
pub(super) async fn check(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        None => next.run(request).await,
        Some(why) => error(StatusCode::FORBIDDEN, "forbidden", why),
    }
}

/// Why a request with these headers is a foreign one, if so.
fn foreign(headers: &HeaderMap) -> Option<String> {
    let text = |name| Some(headers.get(name)?.to_str().unwrap_or("?"));
    // HTTP/1.0 knows no Host; no browser speaks it.
    let host = text(header::HOST)?;
    if !is_loopback(host) {
        return Some(format!(
            "Host {host} is not this host; ask localhost, or let the proxy in front set Host: localhost"
        ));
    }
    let origin = text(header::ORIGIN)?;
    let own = ["http://", "https://"].map(|scheme| origin.strip_prefix(scheme) == Some(host));
    (!own.contains(&true)).then(|| format!("a page of {origin} may not ask this agent"))
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_foreign(headers: &[(&'static str, &str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| {
            let name = header::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        foreign(&pairs.collect()).is_some()
    }

    #[test]
    fn pages_and_names_of_others_are_refused_and_programs_of_this_host_are_not() {
        for own in [
            "localhost:9130",
            "127.0.0.1:9130",
            "[::1]:9130",
            "LOCALHOST",
        ] {
            assert!(!is_foreign(&[("host", own)]), "{own}");
        }
        assert!(!is_foreign(&[]));
        let page = "http://127.0.0.1:9130";
        assert!(!is_foreign(&[("host", "127.0.0.1:9130"), ("origin", page)]));
        for other in [
            "evil.example",
            "10.0.0.1:9130",
            "127.0.0.1.evil.example",
            "",
            "a b",
        ] {
            assert!(is_foreign(&[("host", other)]), "{other}");
        }
        for other in ["http://evil.example", "null", "http://127.0.0.1:80"] {
            assert!(
                is_foreign(&[("host", "127.0.0.1:9130"), ("origin", other)]),
                "{other}"
            );
        }
    }
}
