//! What is let in: what is refused, and how the error reads.

use super::{LOCAL, error};
use crate::config::{Admit, Config};

#[test]
fn what_is_let_in_is_said_in_one_way_and_errors_name_the_remedy() {
    let cases = [
        (
            "admit = \"rate\"",
            "features.conference.admit: how many? write admit_per_s = 200",
        ),
        (
            "admit_per_s = 5",
            "features.conference.admit_per_s: has no effect without admit = \"rate\"",
        ),
        (
            "admit = \"rate\"\nadmit_per_s = 0",
            "features.conference.admit_per_s: 0 is out of range; write 0.01 to 1000000",
        ),
        (
            "admit = \"capacity\"\nadmit_load = 9",
            "features.conference.admit_load: 9 is no load to fill pools to",
        ),
        (
            "admit = \"most\"",
            "features.conference.admit: unknown variant",
        ),
    ];
    for (keys, expected) in cases {
        let error = error(&format!("{LOCAL}\n[features.conference]\n{keys}\n"));
        assert!(error.contains(expected), "{keys}: {error}");
    }
    let error = error(&format!(
        "{LOCAL}\n[features.queue]\nadmit = \"capacity\"\n"
    ));
    let expected = "features.queue.admit: no pool serves queue";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_pool_may_serve_a_feature_of_another_name() {
    let text = LOCAL.replace("max = 4", "max = 4\nfeature = \"calls\"");
    let text = format!("{text}\n[features.calls]\nadmit = \"capacity\"\n");
    let config = Config::parse(std::path::Path::new("agent.toml"), &text).unwrap();
    assert_eq!(config.features["calls"].admit, Admit::Capacity);
    assert_eq!(config.features["calls"].admit_load, 0.97);
}
