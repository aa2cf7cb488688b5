//! `kamscale` against the agent's socket.

use clap::Parser;
use kamscale_agent::cli::{self, Cli, Failure};
use kamscale_agent::config::Listen;
use kamscale_agent::http::{self, Shared};
use kamscale_shm::MemberOptions;
use tokio::task::JoinHandle;

use crate::harness::{Bench, Running, run};

pub(crate) async fn kamscale(bench: &Bench, words: &str) -> Result<String, Failure> {
    let socket = format!("unix:{}", bench.path("agent.sock").display());
    let words = ["kamscale", "--socket", &socket]
        .into_iter()
        .chain(words.split_whitespace());
    cli::run(Cli::parse_from(words)).await
}

pub(crate) async fn serve(bench: &Bench, agent: &Running) -> Vec<JoinHandle<()>> {
    let shared = Shared {
        pulse: agent.pulse.clone(),
        status: agent.status.clone(),
        journal: agent.journal.clone(),
        controls: agent.controls.clone(),
    };
    http::serve(&[Listen::Unix(bench.path("agent.sock"))], shared)
        .await
        .unwrap()
}

#[test]
fn a_member_that_is_added_has_what_the_command_says() {
    run(async {
        let bench = Bench::new();
        let pool = "mode = \"paused\"\nslow_start_s = 30\n\
                    [pools.conference.probe]\ninterval_s = 2";
        bench.configure(pool);
        let agent = bench.start();
        agent.until("a first round", |status| status.ready).await;
        serve(&bench, &agent).await;
        let add = "member add conference c9 sip:127.0.2.2 --attributes site=ber;trunk=7 \
                   --local-socket udp:127.0.0.1:5060 --probe off";
        kamscale(&bench, add).await.unwrap();
        let table = bench.kamailio.0.lock().unwrap().published.clone().unwrap();
        let pool = table.pools.iter().find(|p| p.name == "conference").unwrap();
        assert_eq!(pool.options.slow_start_s, 30);
        assert_eq!(pool.options.probe.interval_ms, Some(2000));
        let member = pool.members.iter().find(|m| m.name == "c9").unwrap();
        let options = MemberOptions {
            socket: "udp:127.0.0.1:5060".into(),
            attributes: "site=ber;trunk=7".into(),
            probe: false,
            ..MemberOptions::default()
        };
        assert_eq!(member.options, options);
        let wrong = "member add conference c10 sip:127.0.2.3 --attributes site";
        let wrong = kamscale(&bench, wrong).await.unwrap_err();
        assert!(wrong.message.contains("KEY=VALUE"), "{wrong:?}");
    });
}

#[test]
fn members_come_drain_resume_and_go_by_command() {
    run(async {
        let bench = Bench::new();
        bench.configure("mode = \"paused\"");
        let agent = bench.start();
        agent.until("a first round", |status| status.ready).await;
        serve(&bench, &agent).await;

        let added = kamscale(&bench, "member add queue q2 sip:127.0.2.2 --capacity 7").await;
        assert_eq!(added.unwrap(), "queue/q2 is active");
        bench.kamailio.set_calls("queue", "q2", 1);
        let again = kamscale(&bench, "member add queue q2 sip:127.0.2.2")
            .await
            .unwrap_err();
        assert_eq!((again.code, again.message.contains("already")), (1, true));
        kamscale(&bench, "member drain queue q2").await.unwrap();
        assert!(
            kamscale(&bench, "pool show queue")
                .await
                .unwrap()
                .contains("draining (held)")
        );
        kamscale(&bench, "member resume queue q2").await.unwrap();
        let shown = kamscale(&bench, "--json pool show queue").await.unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["members"]["q2"]["state"], "active");
        assert_eq!(shown["members"]["q2"]["capacity_calls"], 7);

        let now_s = agent.pulse.borrow().now_s;
        agent
            .until("a round", |status| status.now_s > now_s + 0.3)
            .await;
        let answer = kamscale(&bench, "member remove queue q2").await.unwrap();
        assert!(
            answer.contains("(1 calls) and goes when it is empty"),
            "{answer}"
        );
        let gone = |status: &kamscale_agent::status::Status| {
            !status.pools["queue"].members.contains_key("q2")
        };
        assert!(!gone(&agent.now().await));
        kamscale(&bench, "member remove queue q2 --now")
            .await
            .unwrap();
        agent.until("q2 is gone", gone).await;
        assert_eq!(
            kamscale(&bench, "member drain queue q2")
                .await
                .unwrap_err()
                .code,
            1
        );
        assert!(kamscale(&bench, "status").await.unwrap().contains("queue"));
        agent.stop().await;
    });
}

#[tokio::test]
async fn check_names_the_error_and_the_exit_code() {
    let bench = Bench::new();
    let file = bench.path("agent.toml").display().to_string();
    let said = kamscale(&bench, &format!("check --config {file}"))
        .await
        .unwrap();
    assert!(
        said.contains("valid") && said.contains("Pool conference"),
        "{said}"
    );
    bench.configure("maximum = 1");
    let failure = kamscale(&bench, &format!("check --config {file}"))
        .await
        .unwrap_err();
    assert_eq!(failure.code, 4);
    assert!(
        failure.message.contains("unknown field `maximum`"),
        "{failure:?}"
    );
}
