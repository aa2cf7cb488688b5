//! What the agent costs, and how fast Aodh is as it is installed. These measure; they promise little.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use kamscale_tests::bench::agent;
use kamscale_tests::report::{Figure, rounded};
use kamscale_tests::{Kamailio, wait_until};

use super::aodh_decides::{POOL, USER, bed};
use super::turn::{now_s, rise};
use crate::node::{Node, PATIENCE};
use crate::policy;
use crate::stage::Scene;

/// How long requests and processor time are counted.
const MEASURED: Duration = Duration::from_secs(30);
/// Groups in Heat at which 100 pools look.
const GROUPS: usize = 10;

/// Requests that an agent with nothing to do makes of the cloud.
pub(crate) fn requests(scene: &Scene<'_>) {
    let sizes: &[usize] = if scene.stage.full {
        &[1, 10, 100]
    } else {
        &[1]
    };
    let groups = GROUPS.min(sizes.iter().copied().max().unwrap_or(1));
    for number in 0..groups {
        scene.resource_group(&group(number), 1);
    }
    for size in sizes {
        let pools = (0..*size).map(|number| {
            let stack = scene.stack(&group(number % groups));
            // As configured by default, not as the other scenarios need it.
            let heat = format!("actuator = \"heat_resource_group\"\nstack = \"{stack}\"\n");
            policy::pool(&format!("p{number}"), "mode = \"advise\"", &heat)
        });
        let toml = policy::cloud() + &pools.collect::<String>();
        let mut node = Node::start(
            scene,
            &scene.run,
            scene.agent(&scene.run, &toml).interval_s(1.0),
        );
        for number in 0..*size {
            let one = |m: &std::collections::BTreeMap<_, _>| m.len() == 1;
            node.await_members(&format!("p{number}"), "its member is known", one);
        }
        let (before, began) = (asked(scene), Instant::now());
        std::thread::sleep(MEASURED);
        let rate = (asked(scene) - before) / began.elapsed().as_secs_f64();
        let how = format!(
            "requests of an agent at rest to all services of the cloud, {size} pools on {} groups",
            groups.min(*size)
        );
        let name = format!("api.requests_per_s.{size}_pools");
        let tally = &scene.stage.tally;
        tally.figure(Figure::new(&name, rounded(rate), "1/s").how(how.clone()));
        if sizes.last() == Some(size) {
            tally.figure(Figure::new("api.requests_per_s", rounded(rate), "1/s").how(how));
        }
        node.agent.stop();
        node.kamailio.stop();
        let _ = std::fs::remove_file(scene.run.file(&format!("agent-{}.state", scene.instance())));
    }
    scene.heat().delete_all(&scene.prefix);
}

fn group(number: usize) -> String {
    format!("group-{number}")
}

/// What the agent counted of its requests to the cloud.
#[track_caller]
fn asked(scene: &Scene<'_>) -> f64 {
    let text = metrics(scene);
    let lines = text
        .lines()
        .filter(|l| l.starts_with("kamscale_cloud_request"));
    let counts = lines.filter(|l| l.contains("_total") || l.contains("_count"));
    let counts = counts.filter(|l| !l.contains("errors") && !l.contains("seconds_total"));
    counts
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The agent's `/metrics`.
#[track_caller]
fn metrics(scene: &Scene<'_>) -> String {
    let socket = scene.run.file(&format!("agent-{}.sock", scene.instance()));
    let asked = UnixStream::connect(&socket).and_then(|mut stream| {
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: agent\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    asked.unwrap_or_else(|e| panic!("{}: {e}", socket.display()))
}

/// Processor time and memory of an agent with very many members, which it publishes to Gnocchi each second.
pub(crate) fn many_members(scene: &Scene<'_>) {
    let kamailio = Kamailio::with_text(&scene.run, &agent::many_features());
    let kamailio = kamailio
        .define_text("KS_INSTANCE", scene.instance())
        .start();
    let toml = policy::cloud() + "[gnocchi]\n\n" + &agent::many_pools();
    let setup = agent::as_deployed(scene.agent(&scene.run, &toml));
    let mut agent = setup.interval_s(1.0).start();
    wait_until("Kamailio has all members", PATIENCE, || {
        let status = kamailio.try_rpc(&["kamscale.status"]).unwrap_or_default();
        status
            .first()
            .is_some_and(|s| s["generation"].as_u64() > Some(0))
    });
    // What is made once (resources in Gnocchi) is no part of it.
    std::thread::sleep(MEASURED);
    let figures = agent::figures(agent.process().pid(), "the real Gnocchi");
    figures.for_each(|figure| scene.stage.tally.figure(figure));
    agent.stop();
}

/// One turn with Aodh as it is installed: evaluated every 60 s, over periods of 60 s.
pub(crate) fn stock_aodh(scene: &Scene<'_>) {
    let again = |variables: &[(&str, &str)]| {
        scene
            .stage
            .again(variables)
            .unwrap_or_else(|e| panic!("{e}"));
    };
    again(&[("KAMSCALE_AODH_INTERVAL", "60")]);
    let (mut bed, alarm) = bed(scene, 60);
    let began_s = now_s();
    let turn = rise(&mut bed, (POOL, USER), Duration::from_secs(400), |_| {
        scene.alarmed_s(&alarm, began_s)
    });
    scene.stage.tally.stock_aodh(turn);
    bed.hush();
    bed.close();
    again(&[]);
}
