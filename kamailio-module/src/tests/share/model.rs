//! Any course of calls, losses, partitions, restarts, tables and members that look down: once the net
//! is whole and quiet, all agree.

use kamscale_shm::member_id;
use proptest::prelude::*;

use super::cluster::Cluster;
use super::members;

#[derive(Clone, Debug)]
enum Step {
    Call(usize, usize),
    End(usize, usize),
    Pass(u64),
    Cut(usize, bool),
    Restart(usize),
    /// The node's table loses a member, has another order, or is whole again.
    Table(usize, u8),
    Down(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0_usize..3;
    prop_oneof![
        12 => (node.clone(), 0_usize..12).prop_map(|(n, room)| Step::Call(n, room)),
        9 => (node.clone(), any::<usize>()).prop_map(|(n, call)| Step::End(n, call)),
        6 => (0_u64..400).prop_map(Step::Pass),
        1 => (8_000_u64..14_000).prop_map(Step::Pass),
        2 => (node.clone(), any::<bool>()).prop_map(|(n, cut)| Step::Cut(n, cut)),
        1 => node.clone().prop_map(Step::Restart),
        2 => (node.clone(), any::<u8>()).prop_map(|(n, kind)| Step::Table(n, kind)),
        1 => (node, 0_usize..4).prop_map(|(n, member)| Step::Down(n, member)),
    ]
}

fn run(cluster: &mut Cluster, step: Step) {
    let all = members(4);
    match step {
        Step::Call(node, room) => _ = cluster.call(node, room),
        Step::End(node, call) => cluster.end(node, call),
        Step::Pass(ms) => cluster.pass(ms),
        Step::Cut(node, cut) => cluster.cut(node, cut),
        Step::Restart(node) => cluster.restart(node, &all),
        Step::Table(node, kind) => {
            let mut table = all;
            table.rotate_left(usize::from(kind) % 4);
            table.truncate(4 - usize::from(kind % 2));
            cluster.nodes[node].publish(&table);
        }
        Step::Down(node, member) => {
            let id = member_id("p", &format!("m{member}"));
            if cluster.nodes[node].slot(id).is_some() {
                cluster.nodes[node].mark_down(id);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn when_it_is_quiet_all_agree(
        loss in 0_u64..40,
        delay_ms in 0_u64..3000,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut cluster = Cluster::new(3, &members(4));
        (cluster.loss, cluster.delay_ms) = (loss, delay_ms);
        for step in steps {
            run(&mut cluster, step);
        }
        cluster.loss = 0;
        for node in 0..3 {
            cluster.cut(node, false);
            cluster.nodes[node].publish(&members(4));
            for member in 0..4 {
                cluster.nodes[node].mark_up(member_id("p", &format!("m{member}")));
            }
        }
        cluster.pass(30_000);
        cluster.agrees();
        // And whoever comes now meets who is there.
        for room in 0..12 {
            let at = cluster.place(0, room);
            for node in 0..3 {
                let came = cluster.call(node, room);
                prop_assert!(at.is_none() || came == at, "room {} at {:?}: {:?}", room, at, came);
            }
            cluster.pass(100);
        }
        cluster.pass(5_000);
        cluster.end_all();
        cluster.pass(15_000);
        cluster.agrees();
    }
}
