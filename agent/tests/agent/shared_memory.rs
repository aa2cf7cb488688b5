//! The real shared memory, with the test in Kamailio's place.

use std::time::Instant;

use kamscale_agent::config::Config;
use kamscale_agent::proxy::SharedMemory;
use kamscale_agent::runtime::{Agent, Control};
use kamscale_agent::services::Services;
use kamscale_agent::state;
use kamscale_shm::{DesiredState, Publisher, ShmError};
use tokio::sync::mpsc;

use crate::harness::{Bench, PATIENCE, run};

/// Other tests of this process start programs: each has a copy of the lock between fork and exec.
fn when_free<T: std::fmt::Debug>(open: impl Fn() -> Result<T, ShmError>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(ShmError::InUse { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn the_table_is_published_and_outlives_the_agent_and_its_state_file() {
    run(async {
        let bench = Bench::new();
        bench.configure("mode = \"paused\"");
        let file = bench.path("agent.toml");
        for round in 0..3 {
            let config = Config::load(&file).unwrap();
            let proxy = when_free(|| SharedMemory::open(bench.dir.path(), "default"));
            let second = SharedMemory::open(bench.dir.path(), "default")
                .unwrap_err()
                .to_string();
            assert!(!second.is_empty(), "one agent per instance");
            let agent = Agent::start(&file, config, Box::new(proxy), Services::default()).unwrap();
            let mut pulse = agent.pulse();
            let (controls, receiver) = mpsc::channel(1);
            let task = tokio::task::spawn_local(agent.run(receiver));
            let first = pulse
                .wait_for(|pulse| pulse.generation > 0)
                .await
                .unwrap()
                .clone();
            assert_eq!(
                first.generation, 1,
                "round {round}: the table did not change"
            );
            assert!(!first.ready, "there is no Kamailio");
            controls.send(Control::Stop).await.unwrap();
            task.await.unwrap();
            if round == 1 {
                std::fs::remove_file(bench.path("state.json")).unwrap();
            }
        }
        let publisher = when_free(|| Publisher::open(bench.dir.path(), "default"));
        let table = publisher.published().unwrap();
        let queue = table
            .pools
            .iter()
            .find(|pool| pool.name == "queue")
            .unwrap();
        assert_eq!(queue.members[0].state, DesiredState::Active);
        let known = state::load(&bench.path("state.json"), "default")
            .unwrap()
            .unwrap();
        assert_eq!(known.pools["queue"].members.len(), 1);
    });
}
