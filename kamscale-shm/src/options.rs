//! What a pool or a member may have beside what every selection needs, and the rules for it. Most have
//! none of it; those that do have a record of their own in the table ([`crate::encode`]).

use crate::limits;
use crate::reply_codes::ReplyCodes;
use crate::spec::is_uri;

/// What a member may have beside its URI, weight, priority and capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberOptions {
    /// The local socket that its requests leave by: `udp:10.0.0.1:5060`, or the name of one. Empty:
    /// Kamailio chooses.
    pub socket: String,
    /// What scripts may read of it: `key=value;key=value`.
    pub attributes: String,
    /// URI of the proxy before it: where its probes go, and what `ks_select_domain()` sets as `$du`.
    /// Empty: none.
    pub proxy: String,
    /// Whether it is probed, if its pool is. One that is not is taken for up.
    pub probe: bool,
    /// From of its probes; empty: that of its pool.
    pub probe_from: String,
    /// Socket that its probes leave by; empty: that of its pool, else its own.
    pub probe_socket: String,
}

impl Default for MemberOptions {
    fn default() -> Self {
        let empty = String::new;
        Self {
            socket: empty(),
            attributes: empty(),
            proxy: empty(),
            probe: true,
            probe_from: empty(),
            probe_socket: empty(),
        }
    }
}

/// What a pool may have beside its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolOptions {
    /// Seconds in which the weight of a member that has just come up grows to its whole; 0: at once.
    pub slow_start_s: u32,
    /// Whether a member that carries its capacity gets nothing more.
    pub respect_capacity: bool,
    /// The pool that takes what this one cannot; empty: none.
    pub overflow: String,
    /// If more than so many percent of it look down, answers to probes are not believed; `None`: as
    /// the module's parameter has it.
    pub panic_threshold: Option<u8>,
    /// How its members are probed.
    pub probe: ProbeOptions,
}

/// How the members of a pool are probed; what is `None` or empty is as the module's parameter has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeOptions {
    /// Between two probes of a member, in milliseconds; 0: its members are not probed.
    pub interval_ms: Option<u32>,
    /// How much longer or shorter an interval may be, in percent.
    pub jitter_percent: Option<u8>,
    /// How long an answer is awaited, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// So many probes in a row without a good answer: down.
    pub failures: Option<u32>,
    /// So many good answers in a row: admitted.
    pub successes: Option<u32>,
    /// The method of a probe.
    pub method: String,
    /// Its From.
    pub from: String,
    /// The socket that it leaves by.
    pub socket: String,
    /// Which answers are good ([`ReplyCodes`]).
    pub codes: String,
}

/// A value that cannot be: its key, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The key; of probing without the prefix that it has in some places.
    pub key: &'static str,
    /// What is wrong with its value, and the remedy.
    pub why: String,
}

type Checked = Result<(), OptionFault>;

/// What a local socket must be, in words.
pub const SOCKET_RULE: &str = "is no local socket; write udp:10.0.0.1:5060, or the name of one";
const URI_RULE: &str = "is no SIP URI; write sip:192.0.2.1:5060";
/// Longest time that any option may have: a day.
const DAY_S: u32 = 86_400;

fn text(key: &'static str, value: &str, holds: bool, rule: &str) -> Checked {
    let why = || format!("{value:?} {rule}");
    let holds = value.is_empty() || holds;
    holds
        .then_some(())
        .ok_or_else(|| OptionFault { key, why: why() })
}

fn number(key: &'static str, value: Option<u32>, from: u32, to: u32, unit: &str) -> Checked {
    match value.filter(|v| !(from..=to).contains(v)) {
        None => Ok(()),
        Some(v) => {
            let why = format!("{v} is not {from} to {to}{unit}");
            Err(OptionFault { key, why })
        }
    }
}

impl MemberOptions {
    /// Whether a member may have them.
    ///
    /// # Errors
    /// The first that it may not.
    pub fn check(&self) -> Checked {
        text("socket", &self.socket, is_socket(&self.socket), SOCKET_RULE)?;
        let rule = format!(
            "is not KEY=VALUE;KEY=VALUE of at most {} bytes, each key once and of A-Z a-z 0-9 _ . -",
            limits::MAX_ATTRIBUTES_BYTES
        );
        let attributes = &self.attributes;
        text("attributes", attributes, is_attributes(attributes), &rule)?;
        text("proxy", &self.proxy, is_uri(&self.proxy), URI_RULE)?;
        let from = &self.probe_from;
        text("probe_from", from, is_uri(from), URI_RULE)?;
        let socket = &self.probe_socket;
        text("probe_socket", socket, is_socket(socket), SOCKET_RULE)
    }
}

impl PoolOptions {
    /// Whether a pool may have them. That the pool `overflow` is there is a rule of the whole table.
    ///
    /// # Errors
    /// The first that it may not.
    pub fn check(&self) -> Checked {
        number(
            "slow_start_s",
            Some(self.slow_start_s),
            0,
            DAY_S,
            " seconds",
        )?;
        let threshold = self.panic_threshold.map(u32::from);
        number("panic_threshold", threshold, 0, 100, " percent")
    }
}

impl ProbeOptions {
    /// Whether members may be probed so.
    ///
    /// # Errors
    /// The first option that is impossible.
    pub fn check(&self) -> Checked {
        let interval = self.interval_ms.filter(|ms| *ms != 0);
        let is_day = " milliseconds (0: not at all)";
        number("interval_s", interval, 100, DAY_S * 1000, is_day)?;
        let jitter = self.jitter_percent.map(u32::from);
        number("jitter", jitter, 0, 100, " percent")?;
        number("timeout_s", self.timeout_ms, 50, 60_000, " milliseconds")?;
        number("failures", self.failures, 1, 1000, "")?;
        number("successes", self.successes, 1, 1000, "")?;
        text("method", &self.method, is_method(&self.method), METHOD_RULE)?;
        text("from", &self.from, is_uri(&self.from), URI_RULE)?;
        text("socket", &self.socket, is_socket(&self.socket), SOCKET_RULE)?;
        if self.codes.is_empty() {
            return Ok(());
        }
        let codes = ReplyCodes::parse(&self.codes);
        codes
            .map(drop)
            .map_err(|why| OptionFault { key: "codes", why })
    }
}

/// What a method of probes must be, in words.
pub const METHOD_RULE: &str = "begins a call or needs one; use another, as OPTIONS, INFO or NOTIFY";

/// Whether members may be probed by this method: one that begins no call and needs none.
#[must_use]
pub fn is_method(text: &str) -> bool {
    (1..=limits::MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase())
        && !["ACK", "CANCEL", "INVITE", "BYE", "PRACK"].contains(&text)
}

/// Whether a text may be a local socket, `[PROTOCOL:]ADDRESS[:PORT]`, or the name of one. Only a
/// Kamailio knows which it has.
#[must_use]
pub fn is_socket(text: &str) -> bool {
    (1..=limits::MAX_NAME_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-:[]".contains(&b))
}

/// Whether a text is a list of attributes.
#[must_use]
pub fn is_attributes(text: &str) -> bool {
    let keys = attributes(text.as_bytes()).map(|(key, _)| key);
    let pairs = text.split(';').filter(|part| !part.is_empty());
    let is_key = |key: &[u8]| std::str::from_utf8(key).is_ok_and(crate::spec::is_name);
    text.len() <= limits::MAX_ATTRIBUTES_BYTES
        && !text.bytes().any(|b| b.is_ascii_control())
        && pairs.count() == keys.clone().count()
        && keys.clone().all(is_key)
        && keys.clone().enumerate().all(|(i, key)| {
            let first = keys.clone().position(|other| other == key);
            first == Some(i)
        })
}

/// The attributes of a text, in its order.
pub fn attributes(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    text.split(|b| *b == b';').filter_map(|part| {
        let equals = part.iter().position(|b| *b == b'=')?;
        Some((&part[..equals], &part[equals + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut MemberOptions)) -> Checked {
        let mut options = MemberOptions::default();
        change(&mut options);
        options.check()
    }

    #[test]
    fn attributes_are_pairs_with_a_key_each_once() {
        for good in ["", "a=1", "site=fra;rate=", "site=fra mitte;b=c=d;"] {
            assert!(is_attributes(good), "{good:?}");
        }
        for bad in ["a", "a=1;b", "=1", "a=1;a=2", "a b=1", "a=1\nb"] {
            assert!(!is_attributes(bad), "{bad:?}");
        }
        assert!(!is_attributes(&format!(
            "a={}",
            "x".repeat(limits::MAX_ATTRIBUTES_BYTES)
        )));
        let found: Vec<_> = attributes(b"site=fra;b=c=d").collect();
        assert_eq!(found, [(&b"site"[..], &b"fra"[..]), (b"b", b"c=d")]);
    }

    #[test]
    fn what_cannot_be_names_its_key() {
        let key = |checked: Checked| checked.unwrap_err().key;
        assert_eq!(
            key(with(|o| o.socket = "udp 10.0.0.1".to_owned())),
            "socket"
        );
        assert_eq!(key(with(|o| o.proxy = "10.0.0.1".to_owned())), "proxy");
        assert_eq!(key(with(|o| o.probe_from = "me".to_owned())), "probe_from");
        assert!(with(|o| o.socket = "tls:[2001:db8::1]:5061".to_owned()).is_ok());
        let probe = |options: ProbeOptions| key(options.check());
        let default = ProbeOptions::default;
        assert!(default().check().is_ok());
        let (interval_ms, failures) = (Some(99), Some(0));
        assert_eq!(
            probe(ProbeOptions {
                interval_ms,
                ..default()
            }),
            "interval_s"
        );
        assert_eq!(
            probe(ProbeOptions {
                failures,
                ..default()
            }),
            "failures"
        );
        for (method, codes, wanted) in [("INVITE", "", "method"), ("INFO", "1xx", "codes")] {
            let (method, codes) = (method.to_owned(), codes.to_owned());
            assert_eq!(
                probe(ProbeOptions {
                    method,
                    codes,
                    ..default()
                }),
                wanted
            );
        }
    }
}
