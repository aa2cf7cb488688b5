//! A stack comes, serves and goes as one, whichever of its machines asks for it or is lost.

use kamscale_agent::status::Status;

use crate::command_line::{kamscale, serve};
use crate::harness::{Bench, Running, run};

/// The machines of the stack with their states, as `ccp/ccp-1-1 active`.
fn machines(status: &Status) -> Vec<String> {
    let members = status.stacks["platform"].members.iter();
    members
        .map(|(name, member)| format!("{name} {}", member.state))
        .collect()
}

fn all_active(numbers: &[u32]) -> Vec<String> {
    let ccp = numbers
        .iter()
        .flat_map(|n| (1..=2).map(move |machine| format!("ccp/ccp-{n}-{machine} active")));
    let presence = numbers
        .iter()
        .map(|n| format!("presence/presence-{n} active"));
    ccp.chain(presence).collect()
}

async fn until_stacks(agent: &Running, numbers: &[u32]) -> Status {
    let wanted = all_active(numbers);
    let what = format!("stacks {numbers:?}");
    agent
        .until(&what, |status| {
            status.stacks.contains_key("platform") && machines(status) == wanted
        })
        .await
}

#[test]
fn the_fullest_machine_adds_a_whole_stack_and_an_empty_one_goes_as_a_whole() {
    run(async {
        let bench = Bench::new();
        bench.configure_stack("");
        let agent = bench.start();
        let status = until_stacks(&agent, &[1]).await;
        let ccp = &status.pools["ccp"];
        assert_eq!(
            (ccp.stack.as_deref(), ccp.min, ccp.max),
            (Some("platform"), 2, Some(4))
        );
        bench.kamailio.set_calls("presence", "presence-1", 9);
        until_stacks(&agent, &[1, 2]).await;
        let reason = agent.journal.newest_decision("platform").unwrap();
        let presence = &reason.plan.signals[2];
        assert_eq!(
            (presence.of.as_deref(), presence.used),
            (Some("presence"), 9.0)
        );
        serve(&bench, &agent).await;
        let shown = kamscale(&bench, "explain platform").await.unwrap();
        assert!(shown.contains("calls of presence"), "{shown}");
        let refused = kamscale(&bench, "pause ccp").await.unwrap_err();
        assert!(
            refused.message.contains("a part of stack platform"),
            "{refused:?}"
        );

        bench.kamailio.set_calls("presence", "presence-1", 1);
        until_stacks(&agent, &[1]).await;
        let audit = std::fs::read_to_string(bench.path("audit.jsonl")).unwrap();
        assert!(audit.contains("{\"action\":\"drain\",\"member\":\"platform-2\"}"));
        let replayed = kamscale_agent::decision::replay(&bench.path("audit.jsonl")).unwrap();
        assert_eq!(replayed.same, replayed.decisions, "{replayed:#?}");
        agent.stop().await;
    });
}

#[test]
fn a_machine_that_dies_takes_its_stack_with_it_but_no_call() {
    run(async {
        let bench = Bench::new();
        bench.configure_stack("");
        let agent = bench.start();
        let status = until_stacks(&agent, &[1]).await;
        bench.kamailio.set_calls("ccp", "ccp-1-1", 1);
        agent.another_round().await;
        let pid = status.pools["presence"].members["presence-1"].pid.unwrap();
        std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap();
        let mut wanted = all_active(&[2]);
        wanted.splice(
            0..0,
            ["ccp/ccp-1-1 draining".into(), "ccp/ccp-1-2 draining".into()],
        );
        agent
            .until(
                "another stack, and what is left of the first drains",
                |status| machines(status) == wanted,
            )
            .await;
        bench.kamailio.set_calls("ccp", "ccp-1-1", 0);
        until_stacks(&agent, &[2]).await;
        agent.stop().await;

        // Numbers and belonging survive the agent and its state file.
        std::fs::remove_file(bench.path("state.json")).unwrap();
        let agent = bench.start();
        let status = until_stacks(&agent, &[2]).await;
        assert_eq!(status.stacks["platform"].want, 1);
        agent.stop().await;
    });
}
