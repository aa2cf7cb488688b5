//! Aodh decides by what Prometheus scrapes of the agents: no Gnocchi, and a newer Aodh than Debian has.

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
    turn(&mut bed, &alarm);
    bed.close();
    again(&[]);
}
