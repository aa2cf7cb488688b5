//! Time zones by their name, as `Europe/Berlin`: from the system's database, else from the one in
//! this program. It knows no floor and no clock.

use jiff::tz::{self, TimeZone, TimeZoneDatabase};

/// The system's and jiff's databases answer to these too; no place has them, and what the first two
/// mean is this machine's affair.
const NO_PLACES: [&str; 3] = ["localtime", "posixrules", "Etc/Unknown"];

/// The time zone of that name, letters in the case that the database has.
///
/// The system's database comes first: its distribution keeps it fresh. A container may have none, and
/// Debian keeps old names, as `US/Eastern`, in a package of their own.
pub(super) fn find(name: &str) -> Option<TimeZone> {
    find_in(tz::db(), name).or_else(|| find_in(&TimeZoneDatabase::bundled(), name))
}

fn find_in(database: &TimeZoneDatabase, name: &str) -> Option<TimeZone> {
    let time_zone = database.get(name).ok()?;
    // jiff looks up `europe/berlin` too.
    (time_zone.iana_name() == Some(name) && !NO_PLACES.contains(&name)).then_some(time_zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_without_the_systems_database() {
        let bundled = TimeZoneDatabase::bundled();
        for name in ["Europe/Berlin", "America/New_York", "US/Eastern", "UTC"] {
            assert!(find_in(&bundled, name).is_some(), "{name}");
        }
        assert!(find_in(&TimeZoneDatabase::none(), "Europe/Berlin").is_none());
    }

    #[test]
    fn what_only_one_machine_or_no_place_is_called_is_refused() {
        for name in [
            "localtime",
            "posixrules",
            "Etc/Unknown",
            "right/Europe/Berlin",
            "tzdata.zi",
            "../zoneinfo/Europe/Berlin",
            "europe/berlin",
            "utc",
            "CET-1CEST",
            "",
        ] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
