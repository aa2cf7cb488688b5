//! Any course of calls, failures and tables: rooms are where a plain map says.

use std::collections::HashMap;

use kamailio::double::Message;
use kamscale_shm::DesiredState;
use proptest::prelude::*;

use crate::algorithm::Algorithm;
use crate::tests::{Site, dialogs, member};

#[derive(Clone, Debug)]
enum Step {
    Invite(u8, u8),
    Fail(u8),
    End(u8),
    Members(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..14, 0_u8..5).prop_map(|(call, key)| Step::Invite(call, key)),
        2 => (0_u8..14).prop_map(Step::Fail),
        4 => (0_u8..14).prop_map(Step::End),
        2 => (1_u8..9, any::<u8>()).prop_map(|(count, states)| Step::Members(count, states)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn keys_are_those_of_a_plain_model(steps in proptest::collection::vec(step(), 1..80)) {
        let mut site = Site::of(3);
        let dialogs = dialogs(site.server);
        // Key, member, and whether the member is one that keeps it, of each call.
        let mut open: HashMap<u8, (Message, String)> = HashMap::new();
        let mut at: HashMap<String, String> = HashMap::new();
        let mut keeping: Vec<String> = (0..3).map(|i| format!("m{i}")).collect();
        for step in steps {
            match step {
                Step::Invite(call, key) if !open.contains_key(&call) => {
                    let key = format!("room {key}");
                    let (invite, code) = site.call(&dialogs, &format!("call {call}"), &key);
                    let stays = at.get(&key).filter(|m| keeping.contains(m)).cloned();
                    if code == 1 {
                        let to = site.member_of(&invite);
                        prop_assert!(stays.is_none_or(|m| m == to), "{} moved to {}", key, to);
                        at.insert(key.clone(), to);
                        open.insert(call, (invite, key));
                    } else {
                        prop_assert_eq!(stays, None, "a live room was refused");
                    }
                }
                Step::Fail(call) => if let Some((invite, key)) = open.get(&call) {
                    let alone = open.values().filter(|(_, k)| k == key).count() == 1;
                    let mut failed = invite.failed();
                    let (key, kept) = (key.clone(), keeping.contains(&at[key]));
                    if site.next(&mut failed) == 1 {
                        let to = site.member_of(&failed);
                        prop_assert!(alone || !kept || to == at[&key], "pulled away");
                        at.insert(key, to);
                    } else {
                        // It holds the room no more; the call itself lives until it ends.
                        let (invite, _) = open.remove(&call).unwrap();
                        dialogs.end_call(&invite.call_id.unwrap());
                    }
                }
                Step::End(call) => if let Some((invite, _)) = open.remove(&call) {
                    prop_assert!(dialogs.end_call(&invite.call_id.unwrap()));
                }
                Step::Members(count, states) => {
                    let mut table: Vec<_> = (0..count).map(|i| member(&format!("m{i}"))).collect();
                    for (index, member) in table.iter_mut().enumerate() {
                        member.state = match states >> index & 3 {
                            0 => DesiredState::Draining,
                            1 if index > 2 => DesiredState::Disabled,
                            _ => DesiredState::Active,
                        };
                    }
                    site.publish(&table);
                    site.pick(Algorithm::RoundRobin, None);
                    let keeps = table.iter().filter(|m| m.state != DesiredState::Disabled);
                    keeping = keeps.map(|m| m.name.clone()).collect();
                    // Who leaves and comes back is another one, as far as its rooms are concerned.
                    let is_gone = |m: &&mut String| table.iter().all(|is| is.name != **m);
                    at.values_mut().filter(is_gone).for_each(String::clear);
                }
                Step::Invite(..) => {}
            }
            let mut live: Vec<_> = open.values().map(|(_, key)| key.clone()).collect();
            live.sort();
            live.dedup();
            at.retain(|key, _| live.contains(key));
            prop_assert_eq!(site.live_keys(), live.len(), "{:?}", live);
        }
    }
}
