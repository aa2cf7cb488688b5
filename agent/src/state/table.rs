//! From the state to the table that Kamailio routes by.

use std::collections::BTreeMap;

use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, TableSpec};

use super::{Stage, State};
use crate::config::PoolConfig;

/// The table of all configured pools. Members that are being stopped are in it no more.
pub fn table(state: &State, pools: &BTreeMap<String, PoolConfig>) -> TableSpec {
    let pools = pools.iter().map(|(name, config)| {
        let members = state
            .pools
            .get(name)
            .into_iter()
            .flat_map(|pool| &pool.members);
        let members = members.filter_map(|(name, member)| {
            let state = match member.stage {
                Stage::Booting => DesiredState::Joining,
                Stage::Active => DesiredState::Active,
                Stage::Draining | Stage::Leaving | Stage::Held => DesiredState::Draining,
                Stage::Stopping => return None,
            };
            // Nobody knows yet where it is.
            if member.uri.is_empty() {
                return None;
            }
            Some(MemberSpec {
                name: name.clone(),
                uri: member.uri.clone(),
                state,
                weight: member.weight,
                priority: member.priority,
                capacity: member.capacity_calls,
            })
        });
        PoolSpec {
            name: name.clone(),
            hash_bits: config.hash_bits,
            members: members.collect(),
        }
    });
    TableSpec {
        pools: pools.collect(),
    }
}
