//! Pools from a file, for a Kamailio without an agent. One member a line, as in dispatcher's list:
//!
//! ```text
//! # pool      member  URI                       what else
//! conference  conf-1  sip:10.0.0.1:5060         capacity=20 weight=100 priority=0 state=active
//! pool conference hash_bits=14
//! ```

mod line;

use std::path::Path;

use kamscale_shm::encode::{Placement, encode, weighted};
use kamscale_shm::rows::RowTable;
use kamscale_shm::{PoolSpec, Table, TableSpec, limits};

/// Reads the file into a table of generation 0.
///
/// # Errors
/// The file, the line and what is wrong with it.
pub fn load(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("modparam \"pools_file\": reading {}: {e}", path.display()))?;
    let spec = parse(&text).map_err(|e| format!("{}:{e}", path.display()))?;
    spec.check()
        .map_err(|e| format!("{}: {e}", path.display()))?;
    table(&spec).map_err(|e| format!("{}: {e}", path.display()))
}

/// The members whose URIs have a host name, in words: the first, and how many there are; `None`
/// if all have addresses.
#[must_use]
pub fn named(table: &Table) -> Option<String> {
    let members = table
        .pools()
        .flat_map(|pool| pool.members().map(move |m| (pool, m)));
    let mut named = members.filter(|(_, member)| member.address().is_none());
    let (pool, member) = named.next()?;
    let text = |bytes| String::from_utf8_lossy(bytes);
    let first = format!(
        "{}/{} has a host name ({})",
        text(pool.name()),
        text(member.name()),
        text(member.uri())
    );
    Some(match named.count() {
        0 => first,
        more => format!("{first}, and {more} more"),
    })
}

/// A table that no agent published: slots in the order of the file.
fn table(spec: &TableSpec) -> Result<Table, String> {
    let rows: Vec<RowTable> = spec
        .pools
        .iter()
        .map(|p| RowTable::new(p.hash_bits, &weighted(p)))
        .collect();
    let mut slots = 0_u32..;
    let placements: Vec<Placement<'_>> = (0_u32..)
        .zip(spec.pools.iter().zip(&rows))
        .map(|(slot, (pool, rows))| Placement {
            slot,
            member_slots: slots.by_ref().take(pool.members.len()).collect(),
            rows,
        })
        .collect();
    let words = encode(spec, &placements, 0).map_err(|e| e.to_string())?;
    let length = words.len();
    Table::adopt(words, length).map_err(|(e, _)| e.to_string())
}

/// The pools of a text; an error begins with the line's number.
///
/// # Errors
/// The first line that is wrong.
pub fn parse(text: &str) -> Result<TableSpec, String> {
    let mut spec = TableSpec::default();
    for (number, line) in (1..).zip(text.lines()) {
        take(&mut spec, line).map_err(|e| format!("{number}: {e}"))?;
    }
    Ok(spec)
}

fn take(spec: &mut TableSpec, line: &str) -> Result<(), String> {
    let words = line::words(line)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Ok(()),
        ["pool", name, rest @ ..] => line::pool(pool_of(spec, name), rest),
        [pool, name, uri, rest @ ..] => {
            line::member(name, uri, rest).map(|m| pool_of(spec, pool).members.push(m))
        }
        _ => Err("a line is `POOL MEMBER URI [KEY=VALUE ...]` or `pool POOL KEY=VALUE ...`".into()),
    }
}

fn pool_of<'a>(spec: &'a mut TableSpec, name: &str) -> &'a mut PoolSpec {
    let known = spec.pools.iter().position(|p| p.name == name);
    let index = known.unwrap_or_else(|| {
        spec.pools.push(PoolSpec {
            name: name.to_owned(),
            hash_bits: limits::DEFAULT_HASH_BITS,
            members: Vec::new(),
            options: Default::default(),
        });
        spec.pools.len() - 1
    });
    &mut spec.pools[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamscale_shm::DesiredState;

    #[test]
    fn a_file_gives_its_pools() {
        let spec = parse(
            "# a comment\nconference c1 sip:10.0.0.1 capacity=20\nqueue q1 sip:10.0.0.9 # end\n\
             conference c2 sip:10.0.0.2 weight=50 priority=3 state=draining\npool queue hash_bits=10",
        )
        .unwrap();
        assert_eq!(spec.pools.len(), 2);
        assert_eq!(spec.pools[0].members[0].capacity, 20);
        assert_eq!(spec.pools[0].members[1].state, DesiredState::Draining);
        assert_eq!(spec.pools[1].hash_bits, 10);
        assert_eq!(table(&spec).unwrap().member_count(), 3);
    }

    #[test]
    fn pools_and_members_have_everything_that_an_agent_can_give_them() {
        let spec = parse(
            "a m sip:x socket=udp:10.0.0.1:5060 attributes=\"site=fra mitte; #1=x\" proxy=sip:p \
             probe=off probe_from=sip:me@x probe_socket=side\n\
             pool a slow_start_s=30 respect_capacity=on overflow=b panic_threshold=20 \
             probe_interval_s=0.5 probe_jitter=0 probe_timeout_s=1 probe_failures=2 \
             probe_successes=4 probe_method=INFO probe_from=sip:us@x probe_socket=side \
             probe_codes=2xx;404\n\
             pool b probe_interval_s=0",
        )
        .unwrap();
        let member = &spec.pools[0].members[0].options;
        assert_eq!(member.attributes, "site=fra mitte; #1=x");
        assert_eq!(
            (&*member.socket, &*member.proxy),
            ("udp:10.0.0.1:5060", "sip:p")
        );
        assert!(!member.probe);
        let pool = &spec.pools[0].options;
        assert_eq!((pool.slow_start_s, pool.respect_capacity), (30, true));
        assert_eq!((&*pool.overflow, pool.panic_threshold), ("b", Some(20)));
        let probe = &pool.probe;
        assert_eq!(
            (probe.interval_ms, probe.timeout_ms),
            (Some(500), Some(1000))
        );
        assert_eq!((probe.failures, probe.successes), (Some(2), Some(4)));
        assert_eq!((&*probe.method, &*probe.codes), ("INFO", "2xx;404"));
        assert_eq!(spec.pools[1].options.probe.interval_ms, Some(0));
        let mut spec = spec;
        spec.pools[0].members[0].options.attributes = "a=b".to_owned();
        let mut read = table(&spec).unwrap().to_spec();
        read.pools.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(read, spec, "through a table");
    }

    #[test]
    fn an_error_names_its_line_and_the_word() {
        for (text, wanted) in [
            ("\na b", "2: a line is"),
            ("a b sip:x weight=many", "1: weight=many"),
            ("a b sip:x colour=red", "1: \"colour\""),
            ("a b sip:x state=tired", "1: state is"),
            ("pool a size=3", "1: \"size\""),
            ("pool a overflow=\"b", "1: a quote"),
            ("pool a probe_interval_s=soon", "1: probe_interval_s=soon"),
            ("a b sip:x probe=maybe", "1: probe=maybe"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
