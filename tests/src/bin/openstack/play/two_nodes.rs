//! Two nodes share a pool: each has its own Kamailio and agent and sees half of the calls. One decides;
//! a member goes only when it is empty on both; a node that is not heard blocks removal.

use std::time::Duration;

use kamscale_tests::{SipClient, wait_until};
use serde_json::json;

use crate::bed::Bed;
use crate::node::{Node, PATIENCE};
use crate::policy::{self, Actuator, STEP_CALLS};
use crate::stage::{Scene, metrics_address};

const POOL: &str = "conference";
const USER: &str = "conf-1";
const NAMES: [&str; 2] = ["lb1", "lb2"];
/// A node whose last report is older is silent.
const MAX_AGE_S: u32 = 8;
/// Longer than a removal takes that nothing holds back: emptiness, reports, the silence of a node.
const OUTLAST: Duration = Duration::from_secs(14);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Gnocchi,
    Prometheus,
}

/// Over Gnocchi, with a silent node and the leader killed.
pub(crate) fn over_gnocchi(scene: &Scene<'_>) {
    let mut bed = bed(scene, Source::Gnocchi);
    let clients = [SipClient::new(&scene.run), SipClient::new(&scene.other)];
    one_creation(&mut bed);
    removal_waits_for_both(&mut bed, &clients);
    one_creation(&mut bed);
    silence_blocks_removal(&mut bed, &clients);
    one_creation(&mut bed);
    the_leader_dies(&mut bed, &clients);
    bed.close();
}

/// Over Prometheus.
pub(crate) fn over_prometheus(scene: &Scene<'_>) {
    let mut bed = bed(scene, Source::Prometheus);
    let clients = [SipClient::new(&scene.run), SipClient::new(&scene.other)];
    one_creation(&mut bed);
    removal_waits_for_both(&mut bed, &clients);
    bed.close();
}

fn bed<'a>(scene: &'a Scene<'a>, source: Source) -> Bed<'a> {
    let pool = scene.pool(POOL, Actuator::ResourceGroup, "");
    let etcd = scene.stage.endpoint("KAMSCALE_ETCD_PORT");
    let listens = [&scene.run, &scene.other].map(metrics_address);
    let (word, section) = match source {
        Source::Gnocchi => ("gnocchi", "[gnocchi]\n".to_owned()),
        Source::Prometheus => {
            let port = scene.stage.endpoint("KAMSCALE_PROMETHEUS_PORT");
            scene.scrape(&listens, &json!({}));
            (
                "prometheus",
                format!("[prometheus]\nurl = \"http://127.0.0.1:{port}\"\n"),
            )
        }
    };
    let node = |number: usize| {
        let toml = format!(
            "{}[nodes]\nname = \"{}\"\nall = {}\nsource = \"{word}\"\nmax_age_s = {MAX_AGE_S}\n\n\
             {section}\n[lease]\nendpoints = [\"http://127.0.0.1:{etcd}\"]\nttl_s = 3\n\
             prefix = \"/{}\"\n\n{pool}",
            policy::cloud(),
            NAMES[number],
            json!(NAMES),
            scene.prefix,
        );
        let run = if number == 0 {
            &scene.run
        } else {
            &scene.other
        };
        Node::start(
            scene,
            run,
            scene.agent(run, &toml).also_listen(&listens[number]),
        )
    };
    Bed::new(scene, vec![node(0), node(1)])
}

/// Each node has half of the calls, and sees too few of them to act on.
#[track_caller]
fn one_creation(bed: &mut Bed<'_>) {
    bed.nodes
        .iter()
        .for_each(|node| drop(node.await_active(POOL, 1)));
    let before = orders(bed);
    bed.crowd(0, USER, STEP_CALLS / 2);
    bed.crowd(1, USER, STEP_CALLS / 2);
    bed.nodes
        .iter()
        .for_each(|node| drop(node.await_active(POOL, 2)));
    bed.await_even(&[POOL], 2);
    assert_eq!(orders(bed), before + 1, "one decision, by one node");
}

fn orders(bed: &Bed<'_>) -> usize {
    let nodes = bed.nodes.iter();
    nodes
        .map(|node| node.events("member_booting", POOL).len())
        .sum()
}

fn removals(bed: &Bed<'_>) -> usize {
    let nodes = bed.nodes.iter();
    nodes
        .map(|node| node.events("member_removed", POOL).len())
        .sum()
}

#[track_caller]
fn removal_waits_for_both(bed: &mut Bed<'_>, clients: &[SipClient; 2]) {
    let before = removals(bed);
    let mut first = bed.pins(&clients[0], 0, USER, 2);
    let mut second = bed.pins(&clients[1], 1, USER, 2);
    bed.hush();
    let (name, address) = bed.node().await_one(POOL, "draining");
    bed.nodes[1].await_one(POOL, "draining");
    bed.release(&mut first, None);
    std::thread::sleep(OUTLAST);
    assert_eq!(
        removals(bed),
        before,
        "{name} has a call of the second node"
    );
    bed.release(&mut second, Some(&address));
    bed.nodes
        .iter()
        .for_each(|node| drop(node.await_active(POOL, 1)));
    assert_eq!(removals(bed), before + 1);
    bed.release(&mut second, None);
    bed.await_even(&[POOL], 1);
}

#[track_caller]
fn silence_blocks_removal(bed: &mut Bed<'_>, clients: &[SipClient; 2]) {
    let before = removals(bed);
    let silent = 1 - leader(bed);
    let mut first = bed.pins(&clients[0], 0, USER, 2);
    bed.hush();
    bed.node().await_one(POOL, "draining");
    bed.nodes[silent].agent.kill();
    bed.release(&mut first, None);
    std::thread::sleep(OUTLAST);
    assert_eq!(removals(bed), before, "a node is silent");
    bed.nodes[silent].agent.restart();
    bed.nodes
        .iter()
        .for_each(|node| drop(node.await_active(POOL, 1)));
    bed.await_even(&[POOL], 1);
}

#[track_caller]
fn the_leader_dies(bed: &mut Bed<'_>, clients: &[SipClient; 2]) {
    let leading = leader(bed);
    let other = 1 - leading;
    let mut pins = bed.pins(&clients[other], other, USER, 2);
    bed.hush();
    let (name, address) = bed.nodes[other].await_one(POOL, "draining");
    bed.nodes[leading].agent.kill();
    wait_until("the other node leads", PATIENCE, || {
        leads(&bed.nodes[other])
    });
    let members = bed.nodes[other].members(POOL);
    assert_eq!(members[&name]["state"], "draining", "the drain goes on");
    bed.release(&mut pins, Some(&address));
    bed.nodes[leading].agent.restart();
    bed.nodes
        .iter()
        .for_each(|node| drop(node.await_active(POOL, 1)));
    bed.release(&mut pins, None);
    bed.await_even(&[POOL], 1);
}

/// The node that leads.
#[track_caller]
fn leader(bed: &Bed<'_>) -> usize {
    kamscale_tests::wait_for("one node leads", PATIENCE, || {
        let leading: Vec<usize> = (0..2).filter(|n| leads(&bed.nodes[*n])).collect();
        (leading.len() == 1).then(|| leading[0])
    })
}

fn leads(node: &Node<'_>) -> bool {
    let events = node.agent.events();
    let words = ["leading", "following", "lease_lost", "agent_started"];
    let last = events
        .iter()
        .rfind(|e| words.iter().any(|w| e["event"] == *w));
    last.is_some_and(|e| e["event"] == "leading")
}
