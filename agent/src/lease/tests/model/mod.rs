//! The rule "who may act" with a fake etcd and with clocks that run apart.

mod world;

use proptest::prelude::*;

use super::*;
use world::{Fake, Fate};

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Keep(usize, Vec<Fate>),
    Store(usize, Vec<Fate>),
    Resign(usize, Vec<Fate>),
    Restart(usize),
    /// The oldest late request arrives.
    Arrive,
}

/// Three nodes whose clocks run up to 5 % too fast or too slow, and begin anywhere.
struct Nodes {
    fake: Fake,
    nodes: Vec<Lease>,
    /// The last number handed to `store`, and the last that a store acknowledged.
    asked: u64,
    acknowledged: u64,
    revision: u64,
}

impl Nodes {
    fn new() -> Nodes {
        let fake = Fake::default();
        let nodes = (0..3).map(|index| Nodes::node(&fake, index)).collect();
        Nodes {
            fake,
            nodes,
            asked: 0,
            acknowledged: 0,
            revision: 0,
        }
    }

    fn node(fake: &Fake, index: usize) -> Lease {
        let (start_ms, percent) = [(0, 100), (9_000_000, 95), (5, 105)][index];
        let world = fake.clone();
        let clock = Clock::told_by(move || {
            let now_ms = world.0.lock().unwrap().now_ms;
            Duration::from_millis(start_ms + now_ms * percent / 100)
        });
        let mut config = config(&["http://fake".into()]);
        config.ttl_s = 10.0;
        let name = format!("n{index}");
        Lease::over(Box::new(fake.clone()), clock, &config, &name, "default").unwrap()
    }

    /// What happens to the world before a node does its part.
    fn prepare(&self, step: &Step) {
        let mut world = self.fake.0.lock().unwrap();
        world.fates.clear();
        match step {
            Step::Keep(_, fates) | Step::Store(_, fates) | Step::Resign(_, fates) => {
                world.fates.extend(fates);
            }
            Step::Pass(ms) => world.pass(*ms),
            Step::Arrive => {
                if let Some((path, body)) = world.late.pop_front() {
                    world.carry_out(&path, &body);
                }
            }
            Step::Restart(_) => {}
        }
    }

    async fn take(&mut self, step: &Step) {
        self.prepare(step);
        match step {
            Step::Keep(node, _) => drop(self.nodes[*node].keep().await),
            Step::Resign(node, _) => self.nodes[*node].resign().await,
            Step::Store(node, _) => self.store(*node).await,
            Step::Restart(node) => self.nodes[*node] = Nodes::node(&self.fake, *node),
            Step::Pass(_) | Step::Arrive => {}
        }
    }

    async fn store(&mut self, node: usize) {
        self.asked += 1;
        let changes = [("ccp", &*self.asked.to_string())];
        if let Ok(revision) = self.nodes[node].store(values(&changes)).await {
            assert!(revision > self.revision, "revisions grow");
            self.revision = revision;
            self.acknowledged = self.asked;
        }
    }

    fn check(&self) {
        let leaders: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.leads_for().is_some())
            .collect();
        assert!(leaders.len() <= 1, "two act: {leaders:?}");
        let world = self.fake.0.lock().unwrap();
        let find = |end: &str| {
            let name = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, end);
            world.keys.get(&name)
        };
        if let Some(leader) = leaders.first() {
            let key = find("/kamscale/default/leader").expect("who acts holds the key");
            assert_eq!(Some(key.created), leader.standing().term);
        }
        let value = find("/kamscale/default/table/ccp").map_or(0, |key| {
            let text = key.value.as_str().unwrap();
            let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text);
            String::from_utf8(bytes.unwrap()).unwrap().parse().unwrap()
        });
        assert!(
            value >= self.acknowledged,
            "{value} undid {}",
            self.acknowledged
        );
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => (0..1500u64, 0..1500u64).prop_map(|(before, after)| Fate::Fine(before, after)),
        1 => (0..12_000u64, 0..12_000u64).prop_map(|(before, after)| Fate::Fine(before, after)),
        1 => (0..3000u64).prop_map(Fate::Lost),
        2 => (0..3000u64).prop_map(Fate::Unanswered),
        2 => (0..3000u64).prop_map(Fate::Late),
    ];
    prop::collection::vec(fate, 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4000u64).prop_map(Step::Pass),
        1 => (8_000..14_000u64).prop_map(Step::Pass),
        8 => (0..3usize, fates()).prop_map(|(node, fates)| Step::Keep(node, fates)),
        5 => (0..3usize, fates()).prop_map(|(node, fates)| Step::Store(node, fates)),
        1 => (0..3usize, fates()).prop_map(|(node, fates)| Step::Resign(node, fates)),
        1 => (0..3usize).prop_map(Step::Restart),
        2 => Just(Step::Arrive),
    ]
}

fn play(steps: &[Step]) -> Nodes {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut nodes = Nodes::new();
        for step in steps {
            nodes.take(step).await;
            nodes.check();
        }
        nodes
    })
}

proptest! {
    #[test]
    fn never_two_may_act_and_nothing_stored_is_undone(steps in prop::collection::vec(step(), 1..80)) {
        let mut nodes = play(&steps);
        // When everything works again there is a leader, and it can store.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            nodes.take(&Step::Pass(30_000)).await;
            for node in 0..3 {
                nodes.take(&Step::Keep(node, vec![])).await;
                nodes.check();
            }
            let leader = nodes.nodes.iter().position(|node| node.leads_for().is_some());
            let before = nodes.revision;
            nodes.store(leader.expect("somebody leads")).await;
            assert!(nodes.revision > before);
            nodes.check();
        });
    }
}

#[test]
fn a_lost_answer_to_a_campaign_costs_nothing() {
    let fine = Fate::Fine(1, 1);
    let lost = vec![fine, fine, Fate::Unanswered(100)];
    let nodes = play(&[Step::Keep(0, lost), Step::Keep(1, vec![])]);
    assert!(nodes.nodes.iter().all(|node| node.leads_for().is_none()));
    let nodes = play(&[
        Step::Keep(0, vec![fine, fine, Fate::Unanswered(100)]),
        Step::Keep(1, vec![]),
        Step::Keep(0, vec![]),
    ]);
    assert!(nodes.nodes[0].leads_for().is_some());
}

#[test]
fn the_right_to_act_counts_from_before_the_question() {
    let slow = vec![Fate::Fine(1, 1), Fate::Fine(1, 1), Fate::Fine(1, 6_000)];
    let nodes = play(&[Step::Keep(0, slow)]);
    let left = nodes.nodes[0].leads_for().unwrap();
    assert!(left <= Duration::from_secs(4), "{left:?}");
}

#[test]
fn a_store_that_comes_late_undoes_nothing() {
    let steps = [
        Step::Keep(0, vec![]),
        Step::Store(0, vec![Fate::Late(10)]),
        Step::Store(0, vec![]),
        Step::Arrive,
    ];
    assert_eq!(play(&steps).acknowledged, 2);
}
