//! Operating: pause and resume, signals from outside, and what is said about decisions.

use kamscale_agent::decision::replay;

use crate::command_line::{kamscale, serve};
use crate::harness::{Bench, run};

#[test]
fn a_paused_pool_is_left_alone_also_after_a_restart_until_it_is_resumed() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        agent.until_active(1).await;
        let servers = serve(&bench, &agent).await;
        kamscale(&bench, "pause conference").await.unwrap();
        bench.kamailio.set_calls("conference", "conference-1", 20);
        agent.another_round().await;
        let shown = kamscale(&bench, "explain conference").await.unwrap();
        assert!(
            shown.starts_with("conference: paused by an operator"),
            "{shown}"
        );
        agent.stop().await;
        for server in servers {
            server.abort();
            assert!(server.await.unwrap_err().is_cancelled());
        }

        let agent = bench.start();
        let status = agent.another_round().await;
        let pool = &status.pools["conference"];
        assert_eq!((pool.mode.as_str(), pool.members.len()), ("paused", 1));
        assert!(pool.paused_since_s.is_some());
        serve(&bench, &agent).await;
        let listed = kamscale(&bench, "pool list").await.unwrap();
        assert!(listed.contains("paused by an operator"), "{listed}");
        let answer = kamscale(&bench, "resume --all").await.unwrap();
        assert_eq!(answer, "resumed: conference");
        agent.until_active(3).await;
        let audit = std::fs::read_to_string(bench.path("audit.jsonl")).unwrap();
        assert!(audit.contains("\"pool_paused\"") && audit.contains("\"pool_resumed\""));
        let unknown = kamscale(&bench, "pause nowhere").await.unwrap_err();
        assert_eq!(unknown.code, 1);
        agent.stop().await;
    });
}

#[test]
fn a_signal_from_outside_adds_members_and_a_refused_one_says_why() {
    run(async {
        let bench = Bench::new();
        bench.configure("[[pools.conference.signals]]\nkind = \"waiting\"\ncapacity = 4");
        let agent = bench.start();
        agent.until_active(1).await;
        serve(&bench, &agent).await;
        let answer = kamscale(&bench, "signal conference waiting 7").await;
        assert_eq!(answer.unwrap(), "conference: waiting 7");
        agent.until_active(3).await;
        let shown = kamscale(&bench, "explain conference").await.unwrap();
        assert!(shown.contains("asked for by waiting"), "{shown}");
        let only_shown = kamscale(&bench, "signal conference cpu 0.5").await.unwrap();
        assert!(only_shown.contains("it is only shown"), "{only_shown}");
        for (words, why) in [
            ("signal conference calls 5", "counted by Kamailio"),
            ("signal conference waiting -1", "is no measurement"),
            ("signal nowhere cpu 1", "there is no pool nowhere"),
            ("signal conference heat 1", "unknown variant"),
        ] {
            let refused = kamscale(&bench, words).await.unwrap_err();
            assert_eq!(refused.code, 1);
            assert!(refused.message.contains(why), "{refused:?}");
        }
        agent.stop().await;
    });
}

#[test]
fn calls_begun_and_refused_requests_are_observed() {
    run(async {
        let bench = Bench::new();
        bench.kamailio.set_calls("conference", "conference-1", 2);
        {
            let mut script = bench.kamailio.0.lock().unwrap();
            (script.ended, script.refused) = (40, 5);
        }
        let agent = bench.start();
        agent.until_active(1).await;
        agent.another_round().await;
        let seen = agent.decision().input.observation.clone();
        assert_eq!((seen.started, seen.refused), (Some(42), Some(5)));
        bench.kamailio.0.lock().unwrap().absent = true;
        agent
            .until("lost", |status| !status.kamailio.attached)
            .await;
        let seen = agent.decision().input.observation.clone();
        assert_eq!((seen.started, seen.refused), (None, None));
        agent.stop().await;
    });
}

#[test]
fn every_decision_on_record_comes_out_the_same_when_it_is_replayed() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        agent.until_active(1).await;
        serve(&bench, &agent).await;
        bench.kamailio.set_calls("conference", "conference-1", 20);
        agent.until_active(3).await;
        bench.kamailio.set_calls("conference", "conference-1", 0);
        agent.until_active(1).await;
        let history = kamscale(&bench, "plan conference --history --limit 100").await;
        let history = history.unwrap();
        for does in ["adding", "draining", "removing"] {
            assert!(history.contains(does), "{history}");
        }
        let now = kamscale(&bench, "plan").await.unwrap();
        assert!(now.starts_with("POOL        WANT"), "{now}");
        agent.stop().await;

        let file = bench.path("audit.jsonl");
        let replayed = replay(&file).unwrap();
        assert!(replayed.decisions >= 5, "{replayed:?}");
        assert_eq!(replayed.same, replayed.decisions, "{replayed:#?}");
        let said = kamscale(&bench, &format!("plan --replay {}", file.display())).await;
        assert!(said.unwrap().ends_with("decisions, all the same"));
    });
}
