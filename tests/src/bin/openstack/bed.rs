//! A test bed: the nodes of a scenario under calls, and the promises that hold at the end of every one
//! of them. What else a scenario promises stands in `play`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kamscale_tests::{SipClient, wait_until};

use crate::node::{Node, PATIENCE, address_of};
use crate::stage::Scene;
use crate::traffic::{Calls, Crowd, Pin};

/// Calls that stay after which every member that takes calls has got one.
const MOST_TRIES: usize = 12;

/// Nodes under calls.
#[derive(Debug)]
pub(crate) struct Bed<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) scene: &'a Scene<'a>,
    crowds: Vec<Crowd>,
    calls: Calls,
    /// Of which names were given out already.
    started: usize,
}

impl<'a> Bed<'a> {
    /// With these nodes.
    pub(crate) fn new(scene: &'a Scene<'a>, nodes: Vec<Node<'a>>) -> Self {
        Self {
            nodes,
            scene,
            crowds: Vec::new(),
            calls: Calls::default(),
            started: 0,
        }
    }

    /// A single node with an agent that is told `toml`.
    #[track_caller]
    pub(crate) fn alone(scene: &'a Scene<'a>, toml: &str) -> Self {
        let node = Node::start(scene, &scene.run, scene.agent(&scene.run, toml));
        Self::new(scene, vec![node])
    }

    /// The first node.
    pub(crate) fn node(&mut self) -> &mut Node<'a> {
        &mut self.nodes[0]
    }

    /// So many calls at once from now on, through a node.
    pub(crate) fn crowd(&mut self, node: usize, user: &str, calls: u32) {
        self.started += 1;
        let name = format!("crowd-{}", self.started);
        let kamailio = &self.nodes[node].kamailio;
        let crowd = Crowd::start(&self.scene.run, &name, kamailio, user, calls);
        self.crowds.push(crowd);
    }

    /// Short calls, one after the other, through the first node.
    pub(crate) fn short_calls(&mut self, user: &str) {
        self.started += 1;
        let name = format!("short-{}", self.started);
        let kamailio = &self.nodes[0].kamailio;
        let crowd = Crowd::short(&self.scene.run, &name, kamailio, user);
        self.crowds.push(crowd);
    }

    /// No new calls of crowds; the running ones end as they would.
    pub(crate) fn hush(&mut self) {
        self.crowds.iter_mut().for_each(Crowd::finish);
        for crowd in self.crowds.drain(..) {
            self.calls.add(crowd.counted());
        }
    }

    /// One call that stays on each of so many members.
    #[track_caller]
    pub(crate) fn pins<'c>(
        &mut self,
        client: &'c SipClient,
        node: usize,
        user: &str,
        members: usize,
    ) -> Vec<Pin<'c>> {
        // A crowd that came before a member is on the others; a few of its calls later it is not.
        wait_until("the calls are spread over all members", PATIENCE, || {
            self.nodes[node].is_even()
        });
        let (mut pins, mut surplus): (Vec<Pin<'c>>, Vec<Pin<'c>>) = Default::default();
        while pins.len() < members {
            assert!(
                surplus.len() < MOST_TRIES,
                "{MOST_TRIES} calls did not reach {members} members"
            );
            let pin = Pin::start(client, &self.nodes[node].kamailio, user);
            let known = pins.iter().any(|p| p.address == pin.address);
            // Where each goes is Kamailio's choice; as long as the others stay, it is another one soon.
            let kept = if known { &mut surplus } else { &mut pins };
            kept.push(pin);
        }
        for pin in surplus {
            self.calls.add(pin.end());
        }
        pins
    }

    /// Hangs up the calls on a member, or all of them.
    #[track_caller]
    pub(crate) fn release(&mut self, pins: &mut Vec<Pin<'_>>, address: Option<&str>) {
        let is_meant = |pin: &mut Pin<'_>| address.is_none_or(|a| a == pin.address);
        for pin in pins.extract_if(.., is_meant) {
            self.calls.add(pin.end());
        }
    }

    /// Awaits that the pools, Heat and the processes that run are of one mind, and their number.
    #[track_caller]
    pub(crate) fn await_even(&self, pools: &[&str], count: usize) {
        let prefix = &self.scene.prefix;
        let end = Instant::now() + PATIENCE;
        loop {
            let alive = self.scene.made().into_iter().filter(|m| m.alive);
            let alive: BTreeSet<String> = alive.map(|m| m.address.to_string()).collect();
            let pooled = self.nodes.iter().map(|node| -> BTreeSet<String> {
                let members = pools.iter().flat_map(|pool| node.members(pool));
                members.map(|(_, m)| address_of(&m)).collect()
            });
            let pooled: Vec<BTreeSet<String>> = pooled.collect();
            let alike = alive.len() == count && pooled.iter().all(|p| *p == alive);
            // Heat is asked last, and seldom: its one engine has more to do.
            let heat = alike.then(|| self.scene.heat().servers(prefix).map(|s| s.len()));
            if heat == Some(Ok(count)) {
                return;
            }
            assert!(
                Instant::now() < end,
                "{count} members everywhere: awaited in vain; alive {alive:?}, in the pools \
                 {pooled:?}, in Heat {heat:?}"
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Ends the scenario and judges what holds for every one: no call failed or cut, who was removed
    /// was empty, nothing was made twice, nothing is left.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.hush();
        for node in &self.nodes {
            wait_until("no dialog is left", PATIENCE, || {
                node.kamailio.statistic("dialog:active_dialogs") == 0
            });
        }
        self.scene.stage.tally.calls(self.calls);
        let Calls { failed, cut, .. } = self.calls;
        assert_eq!(
            (failed, cut),
            (0, 0),
            "calls failed and cut: {:?}",
            self.calls
        );
        let events: Vec<_> = self.nodes.iter().flat_map(|n| n.agent.events()).collect();
        for event in events.iter().filter(|e| e["event"] == "member_removed") {
            assert_eq!(event["calls"], 0, "removed with calls: {event}");
        }
        let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).count();
        // Each member that was ever made was ordered by an agent, or made by somebody else and found.
        let wanted = of("member_booting") + of("member_found");
        for node in &mut self.nodes {
            node.agent.stop();
        }
        let scene = self.scene;
        scene.heat().delete_all(&scene.prefix);
        let (created, left) = (scene.booked("create"), scene.made());
        let leaked = scene.stage.services.leaked();
        let twice = created.saturating_sub(wanted);
        let lost = left.len() + leaked.len();
        scene.stage.tally.members(created, twice, lost);
        assert!(lost == 0, "left over: {left:?} {leaked:?}");
        assert_eq!(twice, 0, "{created} were made, {wanted} were wanted");
    }
}
