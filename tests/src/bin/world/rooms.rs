//! Which conference rooms are open on which server, asked of the Asterisks themselves. It must not ask anybody else:
//! what Kamailio believes is what is to be checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::Platform;

/// Rooms with their members, by name.
pub(crate) type Open = BTreeMap<String, u32>;

/// The rooms on one server; none if it is away.
pub(crate) fn ask(host: &str) -> Open {
    let said = Platform::run(host, &["asterisk", "-rx", "confbridge list"]);
    said.map(|text| parse(&text)).unwrap_or_default()
}

/// The table that `confbridge list` prints: a heading, a line of `=`, and a line per room.
fn parse(text: &str) -> Open {
    let rows = text.lines().skip_while(|l| !l.starts_with("===")).skip(1);
    let room = |row: &str| -> Option<(String, u32)> {
        let mut words = row.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    rows.filter_map(room).collect()
}

/// Rooms that are open on more than one server.
pub(crate) fn split(open: &BTreeMap<String, Open>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let names = open.values().flat_map(BTreeMap::keys);
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_asterisk_is_read() {
        let text = "Conference Bridge Name           Users  Marked Locked Muted\n\
                    ================================ ====== ====== ====== =====\n\
                    conf-7                                3      0 No     No   \n\
                    conf-12                               1      0 No     No   \n";
        let wanted = Open::from([("conf-12".into(), 1), ("conf-7".into(), 3)]);
        assert_eq!(parse(text), wanted);
        assert_eq!(parse("Unable to connect to remote asterisk\n"), Open::new());
    }

    #[test]
    fn a_room_on_two_servers_is_split() {
        let one = Open::from([("a".into(), 1), ("b".into(), 2)]);
        let other = Open::from([("b".into(), 1)]);
        let open = BTreeMap::from([("x".into(), one), ("y".into(), other)]);
        assert_eq!(split(&open), BTreeSet::from(["b".into()]));
    }
}
