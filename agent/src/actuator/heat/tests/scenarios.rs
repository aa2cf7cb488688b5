//! Random lives of a pool: orders, deletions, killed agents, lost answers and what others do. In the
//! end there is exactly what was wanted, nothing was made twice, and nothing is left over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use tokio::task::JoinSet;

use super::config;
use super::model::{Kind, Model};
use crate::actuator::heat::build;
use crate::actuator::{Actuator, Handle, Order};

/// What the control loop would remember: members, and whether they are to go.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) model: Arc<Model>,
    kind: Kind,
    pub(super) agent: Arc<dyn Actuator>,
    members: BTreeMap<String, (Handle, bool)>,
    tasks: JoinSet<(String, Option<Handle>)>,
    busy: Vec<String>,
    number: u32,
    ordered: u64,
}

const UNNAMED: Handle = Handle::Heat {
    resource: None,
    address: None,
};

fn order(name: &str) -> Order {
    Order {
        pool: "conference".into(),
        name: name.into(),
        address: None,
        unit: None,
    }
}

fn agent(kind: Kind, model: &Arc<Model>) -> Arc<dyn Actuator> {
    let config = config(match kind {
        Kind::Resource => "heat_resource_group",
        Kind::Autoscaling => "heat_autoscaling_group",
    });
    build("conference", "test", &config, None, false, model.clone())
}

impl Loop {
    pub(super) fn new(kind: Kind, hooks: bool, seed: u64) -> Loop {
        let model = Arc::new(Model::new(kind, hooks, seed, 0.2));
        Loop {
            agent: agent(kind, &model),
            model,
            kind,
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
            busy: Vec::new(),
            number: 0,
            ordered: 0,
        }
    }

    fn name(&mut self) -> String {
        self.number += 1;
        format!("a-{}", self.number)
    }

    /// Starts the tasks that members call for.
    fn start(&mut self) {
        for (name, (handle, goes)) in &self.members {
            if self.busy.contains(name) || !goes && handle.is_made() {
                continue;
            }
            self.busy.push(name.clone());
            let (agent, name) = (self.agent.clone(), name.clone());
            let (handle, goes) = (handle.clone(), *goes);
            self.tasks.spawn(async move {
                if goes {
                    let left = match agent.delete(&order(&name), &handle).await {
                        Ok(()) => None,
                        Err(_) => Some(handle),
                    };
                    return (name, left);
                }
                loop {
                    let made = match agent.create(&order(&name)).await {
                        Ok(handle) => Ok(Some(handle)),
                        Err(_) => agent.confirm(&order(&name)).await,
                    };
                    if let Ok(Some(handle)) = made {
                        return (name, Some(handle));
                    }
                }
            });
        }
    }

    /// One round: what came of tasks, a look, what was found and what is held.
    pub(super) async fn round(&mut self) {
        while let Some(done) = self.tasks.try_join_next() {
            let (name, handle) = done.unwrap();
            self.busy.retain(|busy| *busy != name);
            match handle {
                Some(handle) => self.members.get_mut(&name).unwrap().0 = handle,
                None => drop(self.members.remove(&name)),
            }
        }
        let state = self.members.iter();
        let state = state.map(|(name, (handle, _))| (name.clone(), handle.clone()));
        self.agent.know(state.collect());
        let looked = self.agent.look().await.is_ok();
        if looked && self.busy.is_empty() {
            for found in self.agent.found() {
                let name = self.name();
                self.members.insert(name, (found.handle, false));
            }
        }
        for held in self.agent.held() {
            self.members.get_mut(&held).unwrap().1 = true;
        }
        self.start();
        tokio::time::sleep(Duration::from_millis(900)).await;
    }

    fn is_settled(&self) -> bool {
        let state = self.model.state.lock().unwrap();
        let mut there: Vec<&str> = state.machines.iter().map(|one| &*one.name).collect();
        there.sort_unstable();
        let mut known: Vec<&str> = Vec::new();
        for (handle, goes) in self.members.values() {
            match handle {
                Handle::Heat {
                    resource: Some(resource),
                    ..
                } if !goes => known.push(resource),
                _ => return false,
            }
        }
        known.sort_unstable();
        let made = |status: &str| status.ends_with("_COMPLETE");
        there == known && state.machines.iter().all(|one| made(one.status))
    }

    async fn settle(&mut self, what: &str) {
        for _ in 0..600 {
            self.round().await;
            if self.tasks.is_empty() && self.busy.is_empty() && self.is_settled() {
                return;
            }
        }
        let state = self.model.state.lock().unwrap();
        panic!(
            "{what}: never settled: {:#?}\n{:#?}",
            self.members, state.machines
        );
    }
}

async fn live(kind: Kind, hooks: bool, seed: u64) {
    let what = format!("{kind:?} hooks {hooks} seed {seed}");
    let mut world = Loop::new(kind, hooks, seed);
    let mut random = Pcg64Mcg::seed_from_u64(seed.wrapping_mul(77));
    let mut others = 0u64;
    for _ in 0..25 {
        match random.random_range(0..10) {
            0..4 => {
                for _ in 0..random.random_range(1..4) {
                    let name = world.name();
                    world.ordered += 1;
                    world.members.insert(name, (UNNAMED, false));
                }
            }
            4..7 => {
                let all = world.members.values_mut().filter(|(_, goes)| !goes);
                let mut all: Vec<_> = all.filter(|(handle, _)| handle.is_made()).collect();
                if !all.is_empty() {
                    let at = random.random_range(0..all.len());
                    all[at].1 = true;
                }
            }
            7 => {
                // Killed with all that it was at.
                world.tasks.shutdown().await;
                world.busy.clear();
                world.agent = agent(kind, &world.model);
            }
            8 if world.tasks.is_empty() => {
                others += 1;
                world.model.resize(1);
            }
            _ => {}
        }
        for _ in 0..random.random_range(1..8) {
            world.round().await;
        }
    }
    world.settle(&what).await;
    let made = world.model.state.lock().unwrap().made;
    assert!(
        made <= world.ordered + others,
        "{what}: {made} made for {} and {others}",
        world.ordered
    );
    assert_eq!(world.kind, kind);
}

#[tokio::test(start_paused = true)]
async fn random_lives_of_a_resource_group_end_with_exactly_what_was_wanted() {
    for seed in 0..60 {
        live(Kind::Resource, seed % 2 == 0, seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn random_lives_of_an_autoscaling_group_end_with_exactly_what_was_wanted() {
    for seed in 0..60 {
        live(Kind::Autoscaling, seed % 2 == 0, seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn orders_that_come_together_are_one_change_and_a_quiet_look_is_one_request() {
    for kind in [Kind::Resource, Kind::Autoscaling] {
        let mut world = Loop::new(kind, false, 1);
        world.model.state.lock().unwrap().faults = 0.0;
        for _ in 0..20 {
            let name = world.name();
            world.members.insert(name, (UNNAMED, false));
        }
        world.settle("together").await;
        {
            let mut state = world.model.state.lock().unwrap();
            assert_eq!((state.changes, state.made), (1, 20), "{kind:?}");
            state.requests = 0;
        }
        world.agent.look().await.unwrap();
        assert_eq!(world.model.state.lock().unwrap().requests, 1, "{kind:?}");
    }
}
