//! A member boots, serves, drains and goes; one that dies or never answers is dealt with.

use std::path::Path;

use kamscale_shm::DesiredState;

use crate::harness::{Bench, pids, run};

#[test]
fn a_pool_grows_under_load_and_shrinks_to_empty_members() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        agent.until_active(1).await;
        bench.kamailio.set_calls("conference", "conference-1", 20);
        let full = agent.until_active(3).await;
        bench.kamailio.set_calls("conference", "conference-1", 3);
        bench.kamailio.set_calls("conference", "conference-2", 1);
        let draining = |status: &kamscale_agent::status::Status, member: &str| {
            let members = &status.pools["conference"].members;
            members
                .get(member)
                .is_some_and(|member| member.state == "draining")
        };
        agent
            .until("3 is gone, 2 drains with its call", |status| {
                !status.pools["conference"]
                    .members
                    .contains_key("conference-3")
                    && draining(status, "conference-2")
            })
            .await;
        let table = bench.kamailio.0.lock().unwrap().published.clone().unwrap();
        let members = &table
            .pools
            .iter()
            .find(|pool| pool.name == "conference")
            .unwrap()
            .members;
        let two = members
            .iter()
            .find(|member| member.name == "conference-2")
            .unwrap();
        assert_eq!(two.state, DesiredState::Draining);
        bench.kamailio.set_calls("conference", "conference-2", 0);
        agent.until_active(1).await;
        for (name, pid) in pids(&full) {
            let runs = Path::new("/proc").join(pid.to_string()).exists();
            assert_eq!(runs, name == "conference-1", "{name}");
        }
        for removed in agent.events("member_removed") {
            assert_eq!(removed.detail["calls"], 0, "{removed:?}");
        }
        let audit = std::fs::read_to_string(bench.path("audit.jsonl")).unwrap();
        let decisions = audit
            .lines()
            .filter(|line| line.contains("\"event\":\"decision\""));
        assert!(decisions.count() >= 5);
        agent.stop().await;
    });
}

#[test]
fn a_member_that_dies_leaves_the_table_and_is_replaced() {
    run(async {
        let bench = Bench::new();
        bench.configure("create_retry_s = 0.2");
        let agent = bench.start();
        let status = agent.until_active(1).await;
        let (name, pid) = pids(&status).remove(0);
        std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap();
        agent
            .until("another member", |status| {
                let members = &status.pools["conference"].members;
                !members.contains_key(&name) && members.values().any(|m| m.state == "active")
            })
            .await;
        assert_eq!(agent.events("member_died").len(), 1);
        agent.stop().await;
    });
}

#[test]
fn a_command_that_fails_backs_off_and_says_where_to_look() {
    run(async {
        let bench = Bench::new();
        bench.configure("[local]\nstart = [\"no-such-command\"]");
        let agent = bench.start();
        agent
            .until("a reason", |status| {
                let pool = status.pools.get("conference");
                pool.is_some_and(|pool| pool.reason.contains("the last creation failed"))
            })
            .await;
        let failed = agent.events("member_failed");
        assert_eq!(failed.len(), 1);
        assert!(
            failed[0].reason.contains("conference-conference-1.log"),
            "{failed:?}"
        );
        agent.stop().await;
    });
}

#[test]
fn nothing_is_removed_while_kamailio_is_away() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        agent.until_active(1).await;
        bench.kamailio.set_calls("conference", "conference-1", 20);
        agent.until_active(3).await;
        bench.kamailio.0.lock().unwrap().absent = true;
        let lost = agent
            .until("lost", |status| !status.kamailio.attached)
            .await;
        assert!(!lost.ready);
        let until_s = lost.now_s + 2.5;
        let later = agent
            .until("2.5 s later", |status| status.now_s > until_s)
            .await;
        assert_eq!(later.pools["conference"].members.len(), 3);
        assert!(agent.events("member_draining").is_empty());
        agent.stop().await;
    });
}
