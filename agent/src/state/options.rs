//! A member's options in the state file; only what is not as usual is written.

use kamscale_shm::MemberOptions;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(remote = "MemberOptions")]
struct Written {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    socket: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    attributes: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    proxy: String,
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    probe: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    probe_from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    probe_socket: String,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

pub(super) fn is_default(options: &MemberOptions) -> bool {
    *options == MemberOptions::default()
}

pub(super) fn serialize<S: Serializer>(options: &MemberOptions, to: S) -> Result<S::Ok, S::Error> {
    Written::serialize(options, to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MemberOptions, D::Error> {
    Written::deserialize(from)
}

#[cfg(test)]
mod tests {
    use crate::observe::tests::member;
    use crate::state::{Member, Stage};

    #[test]
    fn options_come_back_from_the_state_file_and_usual_ones_are_not_written() {
        let mut known = member(Stage::Active);
        let text = serde_json::to_string(&known).unwrap();
        assert!(!text.contains("options"), "{text}");
        assert_eq!(serde_json::from_str::<Member>(&text).unwrap(), known);
        known.options.attributes = "site=fra".into();
        for probe in [true, false] {
            known.options.probe = probe;
            let text = serde_json::to_string(&known).unwrap();
            assert_eq!(text.contains("probe"), !probe, "{text}");
            assert_eq!(serde_json::from_str::<Member>(&text).unwrap(), known);
        }
    }
}
