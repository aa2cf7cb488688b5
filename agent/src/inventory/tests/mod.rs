//! The inventory as two instances tell it, and whatever random ones do.

use proptest::prelude::*;

use super::*;

fn entry(address: &str, state: MemberState) -> Entry {
    Entry {
        address: address.parse().unwrap(),
        port: 5060,
        uri: format!("sip:{address}:5060"),
        state,
        weight: 100,
        capacity_calls: 200,
    }
}

fn pools(members: &[(&str, &str, &str, MemberState)]) -> Pools {
    let mut pools = Pools::new();
    for (pool, name, address, state) in members {
        let entries = pools.entry((*pool).to_owned()).or_default();
        entries.insert((*name).to_owned(), entry(address, *state));
    }
    pools
}

/// The platform's, while a third CCP boots and a conference server drains.
fn platform() -> Inventory {
    use MemberState::{Active, Draining, Joining};
    let mut inventory = Inventory::default();
    let lb = [
        ("ccp", "ccp-1", "10.77.1.51", Active),
        ("ccp", "ccp-2", "10.77.1.52", Active),
        ("ccp", "ccp-3", "10.77.1.53", Joining),
    ];
    inventory.hear("lb", pools(&lb));
    let ccp = [
        ("conference", "conference-1", "10.77.1.71", Active),
        ("conference", "conference-2", "10.77.1.72", Draining),
        ("lb", "lb1", "10.77.0.41", Active),
    ];
    let mut ccp = pools(&ccp);
    ccp.insert("queue".into(), Entries::new());
    inventory.hear("ccp", ccp);
    inventory
}

fn written(inventory: &Inventory) -> String {
    serde_json::to_string_pretty(&Written::from(inventory)).unwrap() + "\n"
}

#[test]
fn the_file_is_as_recorded() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/inventory/tests/golden/platform.json"
    );
    let text = written(&platform());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

#[test]
fn an_instance_changes_its_own_pools_only() {
    let mut inventory = platform();
    let read: Written = serde_json::from_str(&written(&inventory)).unwrap();
    let mut again = Inventory::from(read);
    assert_eq!(again, inventory);
    let fewer = pools(&[("ccp", "ccp-1", "10.77.1.51", MemberState::Active)]);
    for known in [&mut inventory, &mut again] {
        known.hear("lb", fewer.clone());
        let pools = known.pools();
        assert_eq!(pools["ccp"].len(), 1, "who says it may take it back");
        assert_eq!(pools["conference"].len(), 2);
        // A pool that is configured no more.
        known.hear("ccp", Pools::new());
        assert_eq!(known.pools().keys().collect::<Vec<_>>(), ["ccp"]);
    }
}

#[test]
fn pools_of_nobody_known_stay_until_somebody_claims_them() {
    let ours = r#"{"kamscale::inventory": {"ccp": {"x": {"address": "10.0.0.1", "port": 5060,
        "uri": "sip:10.0.0.1", "state": "disabled", "weight": 1, "capacity_calls": 2}}}}"#;
    let read: Written = serde_json::from_str(ours).unwrap();
    let mut inventory = Inventory::from(read);
    inventory.hear(
        "ccp",
        pools(&[("queue", "q", "10.0.0.9", MemberState::Active)]),
    );
    assert_eq!(inventory.pools()["ccp"]["x"].state, MemberState::Disabled);
    let claim = pools(&[("ccp", "ccp-1", "10.0.0.2", MemberState::Active)]);
    inventory.hear("lb", claim);
    let names: Vec<String> = inventory.pools()["ccp"].keys().cloned().collect();
    assert_eq!(names, ["ccp-1"]);
}

#[test]
fn a_pool_that_two_instances_have_is_the_members_of_both() {
    let mut inventory = platform();
    let also = [
        ("lb", "lb1", "10.77.9.9", MemberState::Draining),
        ("lb", "lb2", "10.77.0.42", MemberState::Active),
    ];
    inventory.hear("queue", pools(&also));
    let of_both = inventory.pool("lb").unwrap();
    assert_eq!(of_both, inventory.pools()["lb"]);
    let addresses: Vec<_> = of_both.values().map(|it| it.address.to_string()).collect();
    assert_eq!(addresses, ["10.77.0.41", "10.77.0.42"]);
    assert_eq!(
        inventory.pool("queue"),
        Some(Entries::new()),
        "known to be empty"
    );
    assert_eq!(inventory.pool("ivr"), None, "nobody spoke of it");
}

#[test]
fn the_file_is_replaced_only_by_another_one_and_read_by_anybody() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("below/inventory.json");
    assert_eq!(file::read(&file).unwrap(), None);
    let mut inventory = platform();
    assert!(file::replace(&file, &inventory).unwrap());
    let first = std::fs::metadata(&file).unwrap();
    assert_eq!(first.permissions().mode() & 0o777, 0o644);
    assert!(!file::replace(&file, &inventory).unwrap());
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), first.ino());
    assert_eq!(file::read(&file).unwrap(), Some(inventory.clone()));
    inventory.hear("lb", Pools::new());
    assert!(file::replace(&file, &inventory).unwrap());
    assert_eq!(file::read(&file).unwrap(), Some(inventory));
    let entries = std::fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "nothing is left beside it");
    std::fs::write(&file, "{\"kamscale::inventory\": {\"ccp\"").unwrap();
    let error = file::read(&file).unwrap_err();
    assert!(error.to_string().contains("inventory.json"), "{error}");
}

prop_compose! {
    fn any_pools()(members in prop::collection::btree_map(
        (0..3u8, 0..4u8), (1..9u8, 0..4usize), 0..8,
    )) -> Pools {
        use MemberState::{Active, Disabled, Draining, Joining};
        let mut pools = Pools::new();
        for ((pool, name), (address, state)) in members {
            let state = [Joining, Active, Draining, Disabled][state];
            let entries = pools.entry(format!("p{pool}")).or_default();
            entries.insert(format!("m{name}"), entry(&format!("10.0.0.{address}"), state));
        }
        pools
    }
}

proptest! {
    #[test]
    fn what_is_read_again_says_the_same(
        told in prop::collection::vec((0..3u8, any_pools()), 0..6),
        later in any_pools(),
    ) {
        let mut inventory = Inventory::default();
        for (instance, pools) in told {
            inventory.hear(&format!("i{instance}"), pools);
        }
        let text = written(&inventory);
        let mut again = Inventory::from(serde_json::from_str::<Written>(&text).unwrap());
        prop_assert_eq!(written(&again), text);
        // Also who stays silent from now on loses nothing, whoever else speaks.
        let silent: Vec<(String, Pools)> = inventory.instances.clone().into_iter()
            .filter(|(instance, _)| instance != "i0").collect();
        again.hear("i0", later);
        let all = again.pools();
        for (_, pools) in silent {
            for (pool, entries) in pools {
                for name in entries.keys() {
                    prop_assert!(all[&pool].contains_key(name));
                }
            }
        }
    }

    #[test]
    fn the_order_in_which_instances_speak_does_not_matter(
        told in prop::collection::btree_map(0..4u8, any_pools(), 0..4),
    ) {
        let hear = |told: &mut dyn Iterator<Item = (&u8, &Pools)>| {
            let mut inventory = Inventory::default();
            for (instance, pools) in told {
                inventory.hear(&format!("i{instance}"), pools.clone());
            }
            inventory
        };
        let forth = hear(&mut told.iter());
        prop_assert_eq!(written(&forth), written(&hear(&mut told.iter().rev())));
        for (pool, entries) in forth.pools() {
            prop_assert_eq!(forth.pool(&pool), Some(entries));
        }
    }
}
