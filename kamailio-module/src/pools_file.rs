//! Pools from a file, for a Kamailio without an agent. One member a line, as in dispatcher's list:
//!
//! ```text
//! # pool      member  URI                       attributes
//! conference  conf-1  sip:10.0.0.1:5060         capacity=20 weight=100 priority=0 state=active
//! pool conference hash_bits=14
//! ```

use std::path::Path;

use kamscale_shm::encode::{Placement, encode, weighted};
use kamscale_shm::rows::RowTable;
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, Table, TableSpec, limits};

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
        let line = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = match words.as_slice() {
            [] => Ok(()),
            ["pool", name, attributes @ ..] => pool_line(&mut spec, name, attributes),
            [pool, name, uri, attributes @ ..] => {
                member_line(name, uri, attributes).map(|m| pool_of(&mut spec, pool).members.push(m))
            }
            _ => Err("a line is `POOL MEMBER URI [ATTRIBUTE=VALUE ...]` or \
                      `pool POOL hash_bits=N`"
                .to_owned()),
        };
        done.map_err(|e| format!("{number}: {e}"))?;
    }
    Ok(spec)
}

fn pool_of<'a>(spec: &'a mut TableSpec, name: &str) -> &'a mut PoolSpec {
    let index = spec
        .pools
        .iter()
        .position(|p| p.name == name)
        .unwrap_or_else(|| {
            let hash_bits = limits::DEFAULT_HASH_BITS;
            spec.pools.push(PoolSpec {
                name: name.to_owned(),
                hash_bits,
                members: Vec::new(),
            });
            spec.pools.len() - 1
        });
    &mut spec.pools[index]
}

fn pool_line(spec: &mut TableSpec, name: &str, attributes: &[&str]) -> Result<(), String> {
    let pool = pool_of(spec, name);
    for attribute in attributes {
        match attribute.split_once('=') {
            Some(("hash_bits", value)) => pool.hash_bits = number("hash_bits", value)?,
            _ => return Err(format!("{attribute:?}: a pool has only hash_bits=N")),
        }
    }
    Ok(())
}

fn member_line(name: &str, uri: &str, attributes: &[&str]) -> Result<MemberSpec, String> {
    let mut member = MemberSpec {
        name: name.to_owned(),
        uri: uri.to_owned(),
        state: DesiredState::Active,
        weight: limits::DEFAULT_WEIGHT,
        priority: 0,
        capacity: 0,
    };
    for attribute in attributes {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key {
            "capacity" => member.capacity = number(key, value)?,
            "weight" => member.weight = number(key, value)?,
            "priority" => member.priority = number(key, value)?,
            "state" => {
                member.state = DesiredState::from_name(value)
                    .ok_or("state is joining, active, draining or disabled")?;
            }
            _ => {
                return Err(format!(
                    "{key:?}: a member has capacity, weight, priority and state"
                ));
            }
        }
    }
    Ok(member)
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{key}={value}: not a number it can have"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_error_names_its_line_and_the_word() {
        for (text, wanted) in [
            ("\na b", "2: a line is"),
            ("a b sip:x weight=many", "1: weight=many"),
            ("a b sip:x colour=red", "1: \"colour\""),
            ("a b sip:x state=tired", "1: state is"),
            ("pool a size=3", "1: \"size=3\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
