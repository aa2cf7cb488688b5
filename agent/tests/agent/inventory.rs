//! The inventory of several instances over a real etcd, and what becomes of it when that or the disk fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kamscale_agent::config::{Config, LeaseConfig};
use kamscale_agent::inventory::{Inventory, Keeper, Known, MemberState, read};
use kamscale_agent::lease::{Lease, Tables};
use kamscale_agent::nodes::lead::Lead;
use kamscale_agent::runtime::{Command, Control, MemberRequest};
use kamscale_agent::services::Services;
use kamscale_agent::status::Status;
use tokio::sync::oneshot;

use crate::etcd::Etcd;
use crate::harness::{Bench, PATIENCE, Running, run};

/// An agent that leads an instance with one pool, whose members come by command.
pub(crate) fn configure(bench: &Bench, instance: &str, pool: &str, more: &str) -> Config {
    bench.kamailio.0.lock().unwrap().boot_id = 1;
    let text = format!(
        r#"
[agent]
instance = "{instance}"
state_file = "{state}"
interval_s = 0.1
listen = "unix:/nowhere/agent.sock"
[inventory]
file = "{file}"
[pools.{pool}]
mode = "paused"
min = 0
max = 9
empty_for_s = 0.5
drain_timeout_s = 3600
{more}
"#,
        state = bench.path("state.json").display(),
        file = bench.path("inventory.json").display(),
    );
    std::fs::write(bench.path("agent.toml"), text).unwrap();
    Config::load(&bench.path("agent.toml")).unwrap()
}

pub(crate) fn lease(etcd: &Etcd) -> String {
    format!("[lease]\nendpoints = [\"{}\"]\nttl_s = 3\n", etcd.url())
}

pub(crate) fn leads(config: &Config) -> Option<Lead> {
    let (lease, name) = (config.lease.as_ref()?, config.nodes.name());
    let lease = Lease::new(lease, &name, &config.agent.instance).unwrap();
    Some(Lead::start(lease, Duration::from_secs(1)))
}

pub(crate) fn keeper(config: &Config) -> Keeper {
    let tables = Tables::new(config.lease.as_ref().unwrap()).unwrap();
    let section = config.inventory.as_ref().unwrap();
    Keeper::follow(tables, section.instances.clone(), section.file.clone())
}

pub(crate) fn start(bench: &Bench, config: &Config) -> Running {
    bench.start_with(Services {
        lead: leads(config),
        inventory: Some(keeper(config)),
        ..Services::default()
    })
}

/// Asks again while nobody leads, as after etcd was away.
async fn command(agent: &Running, command: Command) {
    let asking = async {
        loop {
            let (sender, answer) = oneshot::channel();
            let control = Control::Command(Box::new(command.clone()), sender);
            agent.controls.send(control).await.unwrap();
            match answer.await.unwrap() {
                Ok(_) => return,
                Err(refused) => assert!(refused.to_string().contains("only follows"), "{refused}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    asked.unwrap_or_else(|_| panic!("never done: {command:?}"));
}

fn member(pool: &str, name: &str, address: Option<&str>) -> MemberRequest {
    MemberRequest {
        pool: pool.into(),
        name: name.into(),
        uri: address.map(|address| format!("sip:{address}:5060")),
        ..MemberRequest::default()
    }
}

pub(crate) async fn add(agent: &Running, pool: &str, name: &str, address: &str) {
    command(agent, Command::Add(member(pool, name, Some(address)))).await;
}

pub(crate) async fn remove(agent: &Running, pool: &str, name: &str) {
    command(agent, Command::Remove(member(pool, name, None))).await;
}

pub(crate) async fn until_it_leads(agent: &Running) {
    let is_leader = |status: &Status| status.nodes.as_ref().is_some_and(|nodes| nodes.leads);
    agent.until("it leads", is_leader).await;
}

/// Asks again until it is so.
async fn until(what: &str, test: impl Fn() -> bool) {
    let waiting = async {
        while !test() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("never: {what}"));
}

fn names(file: &Path, pool: &str) -> Vec<String> {
    let inventory = read(file).unwrap().unwrap_or_default();
    let entries = inventory.pool(pool).unwrap_or_default();
    entries.into_keys().collect()
}

/// Two instances, and a host without an agent.
struct Platform {
    benches: [Bench; 2],
    lb: Running,
    ccp: Running,
    follower: Keeper,
    files: [PathBuf; 3],
}

impl Platform {
    async fn start(etcd: &Etcd) -> Platform {
        let benches = [Bench::new(), Bench::new()];
        let lb = configure(&benches[0], "lb", "ccp", &lease(etcd));
        let ccp = configure(&benches[1], "ccp", "conference", &lease(etcd));
        let files = [
            benches[0].path("inventory.json"),
            benches[1].path("inventory.json"),
            benches[0].path("database/inventory.json"),
        ];
        let tables = LeaseConfig {
            endpoints: vec![etcd.url()],
            ..LeaseConfig::default()
        };
        let tables = Tables::new(&tables).unwrap();
        let follower = Keeper::follow(tables, Vec::new(), files[2].clone());
        let platform = Platform {
            lb: start(&benches[0], &lb),
            ccp: start(&benches[1], &ccp),
            benches,
            follower,
            files,
        };
        until_it_leads(&platform.lb).await;
        until_it_leads(&platform.ccp).await;
        platform
    }

    /// One whose instances have a member each, which all hosts know.
    async fn with_a_member_each(etcd: &Etcd) -> Platform {
        let platform = Platform::start(etcd).await;
        add(&platform.lb, "ccp", "ccp-1", "10.77.1.51").await;
        add(&platform.ccp, "conference", "conf-1", "10.77.1.71").await;
        platform.everywhere("ccp", &["ccp-1"]).await;
        platform.everywhere("conference", &["conf-1"]).await;
        platform
    }

    async fn everywhere(&self, pool: &str, expected: &[&str]) {
        for file in &self.files {
            let what = format!("{pool} is {expected:?} in {}", file.display());
            until(&what, || names(file, pool) == expected).await;
        }
    }

    fn known(&self) -> [Inventory; 3] {
        let files = self.files.each_ref();
        files.map(|file| read(file).unwrap().unwrap())
    }

    async fn stop(self) {
        self.lb.stop().await;
        self.ccp.stop().await;
    }
}

#[test]
fn each_host_knows_the_members_of_all_instances_whatever_becomes_of_etcd() {
    let Some(mut etcd) = Etcd::start("each_host_knows_the_members_of_all_instances") else {
        return;
    };
    run(async {
        let platform = Platform::with_a_member_each(&etcd).await;
        let Platform { lb, ccp, files, .. } = &platform;
        let texts = files.each_ref().map(|file| std::fs::read(file).unwrap());
        assert!(texts[0] == texts[1] && texts[1] == texts[2], "one truth");
        command(lb, Command::Drain(member("ccp", "ccp-1", None))).await;
        let drains = |file: &Path| {
            let inventory = read(file).unwrap().unwrap();
            inventory.pool("ccp").unwrap()["ccp-1"].state == MemberState::Draining
        };
        for file in files {
            until("the drain is known", || drains(file)).await;
        }

        // Nobody answers any more: what is known stays, and is said to be old.
        let before = platform.known();
        etcd.kill();
        for agent in [lb, ccp] {
            until("etcd is missed", || {
                !agent.events("inventory_stuck").is_empty()
            })
            .await;
        }
        until("the follower misses it", || {
            platform.follower.known().problem.is_some()
        })
        .await;
        assert_eq!(platform.known(), before);

        // It is back and has forgotten everything: that nobody speaks of a member takes none out.
        etcd.forget();
        assert!(etcd.run());
        for agent in [lb, ccp] {
            until_it_leads(agent).await;
        }
        until("the follower follows", || {
            platform.follower.known().problem.is_none()
        })
        .await;
        assert_eq!(platform.known(), before);
        add(lb, "ccp", "ccp-2", "10.77.1.52").await;
        platform.everywhere("ccp", &["ccp-1", "ccp-2"]).await;
        remove(lb, "ccp", "ccp-1").await;
        platform.everywhere("ccp", &["ccp-2"]).await;
        platform.everywhere("conference", &["conf-1"]).await;
        assert!(!lb.events("inventory_written").is_empty());
        platform.stop().await;
    });
}

#[test]
fn what_etcd_forgot_unnoticed_is_stored_again() {
    let Some(mut etcd) = Etcd::start("what_etcd_forgot_unnoticed_is_stored_again") else {
        return;
    };
    run(async {
        let platform = Platform::with_a_member_each(&etcd).await;
        let files = &platform.files;

        // It is back before the lease would have ended: nobody takes over, and no pool changes.
        etcd.kill();
        etcd.forget();
        assert!(etcd.run());
        let tables = LeaseConfig {
            endpoints: vec![etcd.url()],
            ..LeaseConfig::default()
        };
        let newcomer = files[2].with_file_name("newcomer.json");
        let tables = Tables::new(&tables).unwrap();
        let _follower = Keeper::follow(tables, Vec::new(), newcomer.clone());
        for (pool, member) in [("ccp", "ccp-1"), ("conference", "conf-1")] {
            until("a host that comes now hears of everybody", || {
                names(&newcomer, pool) == [member]
            })
            .await;
        }
        platform.everywhere("ccp", &["ccp-1"]).await;
        platform.everywhere("conference", &["conf-1"]).await;
        platform.stop().await;
    });
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_tried_again() {
    let Some(etcd) = Etcd::start("a_file_that_cannot_be_written_is_told_and_tried_again") else {
        return;
    };
    run(async {
        let platform = Platform::start(&etcd).await;
        let Platform { lb, files, .. } = &platform;
        add(lb, "ccp", "ccp-1", "10.77.1.51").await;
        platform.everywhere("ccp", &["ccp-1"]).await;
        // Root is not stopped by rights: something else is where the new file is made.
        let in_the_way = platform.benches[0].path("inventory.json.new");
        std::fs::create_dir(&in_the_way).unwrap();
        add(lb, "ccp", "ccp-2", "10.77.1.52").await;
        until("that is told", || !lb.events("inventory_stuck").is_empty()).await;
        let why = &lb.events("inventory_stuck")[0].reason;
        assert!(why.contains("inventory.json"), "{why}");
        assert_eq!(
            names(&files[0], "ccp"),
            ["ccp-1"],
            "the old one stays whole"
        );
        std::fs::remove_dir(&in_the_way).unwrap();
        platform.everywhere("ccp", &["ccp-1", "ccp-2"]).await;
        until("it follows", || !lb.events("inventory_follows").is_empty()).await;
        // Whoever takes the file away gets another one.
        std::fs::remove_file(&files[0]).unwrap();
        platform.everywhere("ccp", &["ccp-1", "ccp-2"]).await;
        platform.stop().await;
    });
}

#[test]
fn an_agent_alone_lists_its_own_pools_and_leaves_those_of_others() {
    run(async {
        let bench = Bench::new();
        let config = configure(&bench, "lb", "ccp", "");
        let file = bench.path("inventory.json");
        let others = r#"{"kamscale::inventory": {"conference": {"conf-1": {"address": "10.77.1.71",
            "port": 5060, "uri": "sip:10.77.1.71", "state": "active", "weight": 1,
            "capacity_calls": 2}}, "ccp": {}}}"#;
        std::fs::write(&file, others).unwrap();
        let services = || Services {
            inventory: Some(Keeper::list(&config.agent.instance, file.clone())),
            ..Services::default()
        };
        let agent = bench.start_with(services());
        add(&agent, "ccp", "ccp-1", "10.77.1.51").await;
        until("ccp-1 is listed", || names(&file, "ccp") == ["ccp-1"]).await;
        assert_eq!(names(&file, "conference"), ["conf-1"]);
        agent.stop().await;
        let agent = bench.start_with(services());
        remove(&agent, "ccp", "ccp-1").await;
        until("ccp-1 is gone", || names(&file, "ccp").is_empty()).await;
        assert_eq!(names(&file, "conference"), ["conf-1"]);
        agent.stop().await;
    });
}

#[test]
fn what_was_known_before_a_restart_is_known_while_etcd_is_away() {
    run(async {
        let bench = Bench::new();
        let file = bench.path("inventory.json");
        let text = r#"{"kamscale::inventory": {"ccp": {"ccp-1": {"address": "10.77.1.51",
            "port": 5060, "uri": "sip:10.77.1.51", "state": "active", "weight": 1,
            "capacity_calls": 2}}}}"#;
        std::fs::write(&file, text).unwrap();
        let nowhere = LeaseConfig {
            endpoints: vec!["http://127.0.0.1:9".into()],
            ..LeaseConfig::default()
        };
        let keeper = Keeper::follow(Tables::new(&nowhere).unwrap(), Vec::new(), file.clone());
        let is_stuck = |known: &Known| known.problem.is_some();
        until("etcd is missed", || is_stuck(&keeper.known())).await;
        assert!(
            keeper
                .known()
                .inventory
                .pool("ccp")
                .unwrap()
                .contains_key("ccp-1")
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "untouched");
    });
}
