//! Which statuses of an answer mean that a member works: `2xx;404;480-489`.

/// A set of final statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyCodes(Vec<(u16, u16)>);

impl Default for ReplyCodes {
    /// Whoever refuses a request in good order works; 408 (its own next hop does not) and 5xx do not.
    fn default() -> Self {
        Self(vec![(200, 407), (409, 499), (501, 501)])
    }
}

impl ReplyCodes {
    /// Reads a list of statuses (`404`), classes (`2xx`) and ranges (`480-489`), separated by `;`
    /// or `,`.
    ///
    /// # Errors
    /// The first part that is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text
            .split([';', ','])
            .map(str::trim)
            .filter(|p| !p.is_empty());
        let ranges: Vec<_> = parts.map(range).collect::<Result<_, _>>()?;
        if ranges.is_empty() {
            return Err("no status at all: every member would be down".to_owned());
        }
        Ok(Self(ranges))
    }

    /// Whether this status is one of them.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code))
    }
}

fn range(part: &str) -> Result<(u16, u16), String> {
    let status = |text: &str| text.trim().parse().ok().filter(|c| (200..700).contains(c));
    let class = part.strip_suffix("xx").or(part.strip_suffix("XX"));
    let found = match (class, part.split_once('-')) {
        (Some(class), _) => class
            .parse::<u16>()
            .ok()
            .filter(|c| (2..7).contains(c))
            .map(|c| (c * 100, c * 100 + 99)),
        (None, Some((first, last))) => status(first).zip(status(last)),
        (None, None) => status(part).map(|c| (c, c)),
    };
    found.filter(|(first, last)| first <= last).ok_or_else(|| {
        format!("{part:?} is no status, class (2xx) or range (480-489) of 200 to 699")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_they_name() {
        let codes = ReplyCodes::parse("2xx; 404,480-486").unwrap();
        for (code, is) in [
            (200, true),
            (299, true),
            (300, false),
            (404, true),
            (405, false),
        ] {
            assert_eq!(codes.contains(code), is, "{code}");
        }
        assert!(codes.contains(486) && !codes.contains(487) && !codes.contains(503));
        let usual = ReplyCodes::default();
        assert!(usual.contains(200) && usual.contains(404) && usual.contains(501));
        assert!(!usual.contains(408) && !usual.contains(500) && !usual.contains(503));
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_part_that_is_wrong() {
        for text in [
            "", ";", "1xx", "7xx", "20", "2xx;abc", "486-480", "200-", "-1", "99999",
        ] {
            assert!(ReplyCodes::parse(text).is_err(), "{text:?}");
        }
        assert!(ReplyCodes::parse("200;oops").unwrap_err().contains("oops"));
    }
}
