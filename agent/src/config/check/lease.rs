//! The rules for the section `[lease]`.

use std::net::IpAddr;

use super::{At, Checked};
use crate::config::LeaseConfig;

/// Shorter, and one slow answer costs the lease: a third of it is all that etcd gets to answer.
const LEAST_TTL_S: f64 = 3.0;
/// Longer, and a pool has nobody who makes members for minutes.
const MOST_TTL_S: f64 = 300.0;

/// Checks a `[lease]` section.
pub(in crate::config) fn check_lease(lease: &LeaseConfig) -> Checked {
    let at = At(&["lease"]);
    at.need(
        "endpoints",
        !lease.endpoints.is_empty(),
        "empty; write the etcd servers, as [\"https://etcd1.example.net:2379\"]",
    )?;
    for endpoint in &lease.endpoints {
        check_endpoint(&at, endpoint, lease)?;
    }
    at.seconds("ttl_s", lease.ttl_s, LEAST_TTL_S, MOST_TTL_S)?;
    let prefix = lease.prefix.strip_prefix('/').unwrap_or_default();
    let words = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    at.need(
        "prefix",
        !prefix.is_empty() && !prefix.ends_with('/') && words(prefix),
        "must begin with /, name something and not end with /, as \"/kamscale\"",
    )?;
    at.need(
        "password_file",
        lease.user.is_some() == lease.password_file.is_some(),
        "user and password_file go together; write both or none",
    )?;
    at.need(
        "key_file",
        lease.certificate_file.is_some() == lease.key_file.is_some(),
        "certificate_file and key_file go together; write both or none",
    )
}

fn check_endpoint(at: &At<'_>, endpoint: &str, lease: &LeaseConfig) -> Checked {
    let address = reqwest::Url::parse(endpoint).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    let Some(address) = address else {
        let problem = format!("\"{endpoint}\" is no server; write it as https://HOST:2379");
        return Err(at.fault("endpoints", problem));
    };
    if address.scheme() == "https" {
        return Ok(());
    }
    let host = address.host_str().unwrap_or_default();
    let plain = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let here = host == "localhost" || plain.is_ok_and(|ip| ip.is_loopback());
    at.need(
        "user",
        lease.user.is_none() || here,
        format!("the password would go to {endpoint} unencrypted; use https://"),
    )?;
    let certificates = lease.ca_file.is_some() || lease.certificate_file.is_some();
    at.need(
        "endpoints",
        !certificates,
        format!("{endpoint} is not encrypted, so ca_file and certificate_file mean nothing; use https://"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<String> {
        let lease: LeaseConfig = toml::from_str(text).unwrap();
        let fault = check_lease(&lease).err()?;
        Some(format!("{}: {}", fault.path.join("."), fault.problem))
    }

    #[test]
    fn the_defaults_are_right() {
        let text =
            "endpoints = [\"https://etcd1.example.net:2379\", \"https://[2001:db8::1]:2379\"]";
        assert_eq!(problem(text), None);
        let lease: LeaseConfig = toml::from_str(text).unwrap();
        assert_eq!((lease.ttl_s, lease.prefix.as_str()), (10.0, "/kamscale"));
        assert_eq!(
            problem(
                "endpoints = [\"http://127.0.0.1:2379\"]\nuser = \"a\"\npassword_file = \"/p\""
            ),
            None
        );
    }

    #[test]
    fn every_mistake_is_named_with_its_key() {
        let one = "endpoints = [\"http://192.0.2.1:2379\"]\n";
        let cases = [
            ("endpoints = []", "lease.endpoints: empty"),
            (
                "endpoints = [\"etcd1:2379\"]",
                "lease.endpoints: \"etcd1:2379\" is no server",
            ),
            (
                "endpoints = [\"http://a/v3\"]",
                "lease.endpoints: \"http://a/v3\" is no server",
            ),
            (
                &format!("{one}ttl_s = 1.0"),
                "lease.ttl_s: 1 is not in 3 to 300",
            ),
            (&format!("{one}ttl_s = nan"), "lease.ttl_s: NaN is not in"),
            (
                &format!("{one}prefix = \"kamscale\""),
                "lease.prefix: must begin with /",
            ),
            (
                &format!("{one}prefix = \"/\""),
                "lease.prefix: must begin with /",
            ),
            (
                &format!("{one}user = \"a\""),
                "lease.user: the password would go",
            ),
            (
                &format!("{one}password_file = \"/p\""),
                "lease.password_file: user and password_file",
            ),
            (
                &format!("{one}ca_file = \"/ca\""),
                "lease.endpoints: http://192.0.2.1:2379 is not encrypted",
            ),
            (
                &format!("{one}key_file = \"/k\""),
                "lease.key_file: certificate_file and key_file",
            ),
        ];
        for (text, expected) in cases {
            let found = problem(text).unwrap_or_default();
            assert!(found.starts_with(expected), "{text}\n gave {found}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<LeaseConfig>("endpoints = []\nttl = 3").is_err());
    }
}
