//! From the state to the table that Kamailio routes by.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kamscale_shm::{DesiredState, MemberOptions, MemberSpec, PoolSpec, TableSpec};

use super::{Member, Members, Stage, State};
use crate::config::PoolConfig;
use crate::dns::Target;

/// The attribute that has the host name of a member.
const HOST: &str = "host";

/// The table of all configured pools. Members that are being stopped are in it no more.
pub fn table(state: &State, pools: &BTreeMap<String, PoolConfig>) -> TableSpec {
    let pools = pools.iter().map(|(name, config)| PoolSpec {
        name: name.clone(),
        hash_bits: config.hash_bits,
        options: config.options(),
        members: listed(state, name)
            .map(|(name, state, member, uri)| MemberSpec {
                name: name.clone(),
                uri: uri.to_owned(),
                state,
                weight: member.weight,
                priority: member.priority,
                capacity: member.capacity_calls,
                options: options_of(member).into_owned(),
            })
            .collect(),
    });
    TableSpec {
        pools: pools.collect(),
    }
}

/// Whether [`table`] would be this one; every round asks, and nothing is copied for the answer.
pub fn is_table(spec: &TableSpec, state: &State, pools: &BTreeMap<String, PoolConfig>) -> bool {
    let same_pool = |(spec, (name, config)): (&PoolSpec, (&String, &PoolConfig))| {
        let members = listed(state, name).map(|(name, state, member, uri)| {
            let numbers = (member.weight, member.priority, member.capacity_calls);
            let options = options_of(member);
            ((name.as_str(), uri, options), state, numbers)
        });
        let specified = spec.members.iter().map(|spec| {
            let numbers = (spec.weight, spec.priority, spec.capacity);
            let options = Cow::Borrowed(&spec.options);
            let texts = (spec.name.as_str(), spec.uri.as_str(), options);
            (texts, spec.state, numbers)
        });
        spec.name == *name
            && spec.hash_bits == config.hash_bits
            && spec.options == config.options()
            && specified.eq(members)
    };
    spec.pools.len() == pools.len() && spec.pools.iter().zip(pools).all(same_pool)
}

/// Of which members a table was made: as long as nobody touched one, it is their table still.
#[derive(Debug)]
pub struct Tabled(Vec<Members>);

impl Tabled {
    /// The members as they are.
    pub fn now(state: &State) -> Tabled {
        let pools = state.pools.values();
        Tabled(pools.map(|pool| pool.members.clone()).collect())
    }

    /// Whether all are the same still. Pools themselves come and go by another configuration only.
    pub fn is_same(&self, state: &State) -> bool {
        let mut pairs = self.0.iter().zip(state.pools.values());
        self.0.len() == state.pools.len() && pairs.all(|(then, now)| then.is_same(&now.members))
    }
}

/// The options with which a member stands in the table: those of it whose URI has a host name say that
/// name to scripts and operators, as its URI there has an address.
fn options_of(member: &Member) -> Cow<'_, MemberOptions> {
    let options = &member.options;
    let target = member.located.as_ref().and(Target::parse(&member.uri).ok());
    let Some(Target { name, .. }) = target else {
        return Cow::Borrowed(options);
    };
    let attributes = match options.attributes.as_str() {
        "" => format!("{HOST}={name}"),
        own => format!("{own};{HOST}={name}"),
    };
    let named = MemberOptions {
        attributes,
        ..options.clone()
    };
    // Where there is no room for it, or an own one, it is left out.
    if named.check().is_ok() {
        Cow::Owned(named)
    } else {
        Cow::Borrowed(options)
    }
}

/// The members of a pool that stand in the table, with the state and the URI with which they do.
fn listed<'s>(
    state: &'s State,
    pool: &str,
) -> impl Iterator<Item = (&'s String, DesiredState, &'s Member, &'s str)> {
    let members = state.pools.get(pool).into_iter();
    let members = members.flat_map(|pool| &pool.members);
    members.filter_map(|(name, member)| {
        let state = match member.stage {
            Stage::Booting => DesiredState::Joining,
            Stage::Active => DesiredState::Active,
            Stage::Draining | Stage::Leaving | Stage::Held => DesiredState::Draining,
            Stage::Stopping => return None,
        };
        // Until its address is known nobody can send there.
        Some((name, state, member, member.destination()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::member;

    #[test]
    fn a_table_is_known_again_until_anything_of_it_changes() {
        let mut state = State::new("default");
        let pool = state.pools.entry("ccp".into()).or_default();
        for (name, stage) in [
            ("a", Stage::Active),
            ("b", Stage::Booting),
            ("c", Stage::Stopping),
        ] {
            pool.members.insert(name.into(), member(stage));
        }
        let pools = BTreeMap::from([
            ("ccp".to_owned(), PoolConfig::default()),
            ("queue".to_owned(), PoolConfig::default()),
        ]);
        let spec = table(&state, &pools);
        assert!(is_table(&spec, &state, &pools));
        let changes: [fn(&mut Member); 9] = [
            |m| m.uri = "sip:127.0.0.2".into(),
            |m| m.uri = "sip:conf.example.net".into(),
            |m| m.located = Some("sip:127.0.0.3".into()),
            |m| m.uri = String::new(),
            |m| m.weight = 1,
            |m| m.priority = 1,
            |m| m.capacity_calls = 1,
            |m| m.options.attributes = "site=fra".into(),
            |m| m.stage = Stage::Stopping,
        ];
        for change in changes {
            let mut state = state.clone();
            state.member_mut("ccp", "a").map(change).unwrap();
            assert!(!is_table(&spec, &state, &pools));
        }
        let mut fewer = pools.clone();
        fewer.remove("queue");
        assert!(!is_table(&spec, &state, &fewer));
        let changes: [fn(&mut PoolConfig); 3] = [
            |p| p.hash_bits = 14,
            |p| p.slow_start_s = 20,
            |p| p.probe.interval_s = Some(2.0),
        ];
        for change in changes {
            let mut other = pools.clone();
            other.get_mut("queue").map(change).unwrap();
            assert!(!is_table(&spec, &state, &other));
        }
    }

    #[test]
    fn a_name_travels_as_an_address_and_is_told_beside_it() {
        let mut named = member(Stage::Active);
        named.set_uri("sips:conf.example.net".into());
        assert_eq!(
            named.destination(),
            Some("sip:127.0.0.1"),
            "the old address serves"
        );
        named.options.attributes = "site=fra".into();
        let table = |member: &Member| {
            let mut state = State::new("default");
            let pool = state.pools.entry("ccp".into()).or_default();
            pool.members.insert("a".into(), member.clone());
            let pools = BTreeMap::from([("ccp".to_owned(), PoolConfig::default())]);
            let spec = super::table(&state, &pools);
            assert!(is_table(&spec, &state, &pools));
            spec.pools[0].members.first().cloned()
        };
        let spec = table(&named).unwrap();
        assert_eq!(spec.uri, "sip:127.0.0.1");
        assert_eq!(spec.options.attributes, "site=fra;host=conf.example.net");
        named.options.attributes = "host=mine".into();
        assert_eq!(table(&named).unwrap().options.attributes, "host=mine");
        named.located = None;
        assert_eq!(table(&named), None, "nobody knows where it is");
        named.set_uri("sip:127.0.0.9".into());
        let spec = table(&named).unwrap();
        assert_eq!(
            (spec.uri.as_str(), spec.options),
            ("sip:127.0.0.9", named.options)
        );
    }
}
