//! Command templates: `{name} {pool} {address} {port}` in the words of a command.

use super::Order;

const PLACEHOLDERS: [&str; 4] = ["name", "pool", "address", "port"];

/// The first placeholder that no template knows. Braces around anything but a word (as in shell
/// code or JSON) are left alone.
pub fn unknown_placeholder(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        let Some(close) = rest.find('}') else { break };
        let word = &rest[..close];
        let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        if is_word && !PLACEHOLDERS.contains(&word) {
            return Some(word.to_owned());
        }
    }
    None
}

/// Fills one word of a template. An IPv6 address is put into brackets in URIs.
pub(super) fn fill(text: &str, order: &Order, port: u16, in_uri: bool) -> String {
    let address = match order.address {
        Some(std::net::IpAddr::V6(address)) if in_uri => format!("[{address}]"),
        Some(address) => address.to_string(),
        None => String::new(),
    };
    text.replace("{name}", &order.name)
        .replace("{pool}", &order.pool)
        .replace("{address}", &address)
        .replace("{port}", &port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(address: &str) -> Order {
        let address = Some(address.parse().unwrap());
        Order {
            pool: "conference".into(),
            name: "conference-1".into(),
            address,
            unit: None,
        }
    }

    #[test]
    fn every_placeholder_is_filled() {
        let filled = fill(
            "{name}/{pool}/{address}:{port}",
            &order("127.0.1.1"),
            5060,
            false,
        );
        assert_eq!(filled, "conference-1/conference/127.0.1.1:5060");
        assert_eq!(
            fill("sip:{address}", &order("::1"), 5060, true),
            "sip:[::1]"
        );
    }

    #[test]
    fn only_unknown_words_are_reported() {
        assert_eq!(unknown_placeholder("{name} {host}"), Some("host".into()));
        assert_eq!(unknown_placeholder("f() { echo $x; }; {}"), None);
    }
}
