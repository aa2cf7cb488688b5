//! Aodh decides by what Prometheus scrapes of the agents: no Gnocchi, and a newer Aodh than Debian has.

use kamscale_tests::report::{Figure, rounded};
use serde_json::json;

use super::aodh_decides::{POOL, toml, turn};
use crate::bed::Bed;
use crate::node::Node;
use crate::stage::{Scene, metrics_address};

/// The shipped alarms on Prometheus, the shipped policy and group, there and back.
pub(crate) fn there_and_back(scene: &Scene<'_>) {
    let again = |variables: &[(&str, &str)]| {
        let started = scene.stage.again(variables);
        started.unwrap_or_else(|e| panic!("{e}"));
    };
    again(&[("KAMSCALE_AODH", "pypi")]);
    let group = scene.autoscaling_group_spec(POOL, 1);
    let address = metrics_address(&scene.run);
    let agent = scene.agent(&scene.run, &toml(scene, &group, ""));
    let agent = agent.also_listen(&address);
    let mut bed = Bed::new(scene, vec![Node::start(scene, &scene.run, agent)]);
    // Aodh asks only for what is labelled with the project of the alarm.
    let project = scene.stage.cloud.project_id();
    let project = project.unwrap_or_else(|e| panic!("{e}"));
    scene.scrape(&[address], &json!({"project": project}));
    let alarm = scene.prometheus_alarms(POOL);
    let turn = turn(&mut bed, &alarm);
    for (part, seconds) in [
        ("decide_s", turn.decide_s),
        ("first_call_s", turn.first_call_s),
    ] {
        let name = format!("loop.aodh_prometheus.{part}");
        let figure = Figure::new(&name, rounded(seconds), "s");
        let how = "one turn; scraped and evaluated every second";
        scene.stage.tally.figure(figure.how(how));
    }
    bed.close();
    again(&[]);
}
