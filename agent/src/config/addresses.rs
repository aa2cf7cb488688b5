//! The addresses that local members may take: one range or a list.

use std::net::IpAddr;

use serde::Deserialize;

/// A range is not walked beyond this many addresses, so that a typing error costs nothing.
const MAX_RANGE: u128 = 65_536;

/// Addresses as written in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Addresses {
    /// `127.0.1.1-127.0.1.254`, or one address.
    Range(String),
    /// Addresses one by one.
    List(Vec<IpAddr>),
}

impl Addresses {
    /// All addresses, in the order in which they are taken.
    pub fn all(&self) -> Result<Vec<IpAddr>, String> {
        let text = match self {
            Addresses::List(list) => return Ok(list.clone()),
            Addresses::Range(text) => text,
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |part: &str| {
            part.trim().parse::<IpAddr>().map_err(|_| {
                format!("\"{part}\" is no IP address; write 127.0.1.1-127.0.1.254 or a list")
            })
        };
        match (parse(first)?, parse(last)?) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let (first, last) = (u32::from(first), u32::from(last));
                bounded(text, u128::from(first), u128::from(last))?;
                Ok((first..=last).map(|bits| IpAddr::V4(bits.into())).collect())
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let (first, last) = (u128::from(first), u128::from(last));
                bounded(text, first, last)?;
                Ok((first..=last).map(|bits| IpAddr::V6(bits.into())).collect())
            }
            _ => Err(format!("\"{text}\" mixes IPv4 and IPv6; write two lists")),
        }
    }
}

fn bounded(text: &str, first: u128, last: u128) -> Result<(), String> {
    if first > last {
        return Err(format!("\"{text}\" ends before it starts; swap the two"));
    }
    if last - first >= MAX_RANGE {
        return Err(format!(
            "\"{text}\" has more than {MAX_RANGE} addresses; write a smaller range"
        ));
    }
    Ok(())
}
