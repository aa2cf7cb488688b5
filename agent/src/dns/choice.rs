//! Choice: which of several destinations of a name a member is. A member is one destination: its calls,
//! its health and its room keys are those of one server.

use kamscale_shm::hash::mix;
use kamscale_shm::xxh3;

use super::{Destination, Target};

/// The URI of the destination that a member takes, of those that its name leads to.
///
/// Only the lowest priority counts. Where it is now (`current`) it stays, as long as the name leads there.
/// Else it takes one that no other member of its pool has (`is_taken`), by weight: the choice
/// follows from its identity, so that whoever makes it again makes the same one.
pub fn choose(
    target: &Target<'_>,
    destinations: &[Destination],
    member: u64,
    current: Option<&str>,
    is_taken: impl Fn(&str) -> bool,
) -> Option<String> {
    let lowest = destinations.iter().map(|d| d.priority).min()?;
    let best = destinations.iter().filter(|d| d.priority == lowest);
    let uris: Vec<(String, f64)> = best
        .map(|destination| (target.at(destination), f64::from(destination.weight)))
        .collect();
    if let Some(current) = current
        && uris.iter().any(|(uri, _)| uri == current)
    {
        return Some(current.to_owned());
    }
    let draw = |(uri, weight): &(String, f64)| draw(member, uri, *weight);
    let free = uris.iter().filter(|(uri, _)| !is_taken(uri));
    let best = free.min_by(|a, b| draw(a).total_cmp(&draw(b)));
    let best = best.or_else(|| uris.iter().min_by(|a, b| draw(a).total_cmp(&draw(b))));
    best.map(|(uri, _)| uri.clone())
}

/// The smallest of these is each one's with a probability in proportion to its weight (weighted rendezvous).
fn draw(member: u64, uri: &str, weight: f64) -> f64 {
    // RFC 2782: weight 0 has a very small chance beside others, and an equal one among its like.
    const LEAST: f64 = 0.01;
    let hash = mix(member ^ xxh3(uri.as_bytes()));
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 random bits are more than enough"
    )]
    let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / weight.max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Transport;

    fn destination(last: u8, priority: u16, weight: u16) -> Destination {
        Destination {
            ip: [10, 0, 0, last].into(),
            port: 5060,
            transport: Transport::Udp,
            priority,
            weight,
        }
    }

    fn target() -> Target<'static> {
        Target::parse("sip:conf.example.net").unwrap()
    }

    #[test]
    fn a_member_stays_where_it_is_while_its_name_leads_there_at_the_lowest_priority() {
        let here = "sip:10.0.0.1:5060";
        let choose = |all: &[Destination]| choose(&target(), all, 7, Some(here), |_| false);
        let stays = [destination(2, 1, 60), destination(1, 1, 1)];
        assert_eq!(choose(&stays).as_deref(), Some(here));
        let better = [destination(1, 2, 60), destination(2, 1, 1)];
        assert_eq!(choose(&better).as_deref(), Some("sip:10.0.0.2:5060"));
        assert_eq!(choose(&[]), None);
    }

    #[test]
    fn members_of_one_name_take_different_destinations_as_far_as_there_are() {
        let all = [destination(1, 0, 0), destination(2, 0, 0)];
        let mut taken: Vec<String> = Vec::new();
        for member in 0..3 {
            let is_taken = |uri: &str| taken.iter().any(|t| t == uri);
            let uri = choose(&target(), &all, member, None, is_taken).unwrap();
            assert_eq!(taken.contains(&uri), member == 2, "{uri} after {taken:?}");
            taken.push(uri);
        }
    }

    #[test]
    fn weights_are_shares_and_zero_is_almost_none() {
        let all = [
            destination(1, 0, 30),
            destination(2, 0, 10),
            destination(3, 0, 0),
        ];
        let mut counts = [0_u32; 3];
        for member in 0..4_000_u64 {
            let uri = choose(&target(), &all, mix(member), None, |_| false).unwrap();
            let at = all.iter().position(|d| target().at(d) == uri).unwrap();
            counts[at] += 1;
        }
        assert!((2_800..3_200).contains(&counts[0]), "{counts:?}");
        assert!((800..1_200).contains(&counts[1]), "{counts:?}");
        assert!(counts[2] < 20, "{counts:?}");
    }
}
