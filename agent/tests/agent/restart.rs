//! An agent that ended goes on where it was, with or without its state file.

use kamscale_agent::config::Config;
use kamscale_agent::state;

use crate::harness::{Bench, pids, run};

#[test]
fn a_restarted_agent_keeps_members_processes_and_drains() {
    run(async {
        let bench = Bench::new();
        bench.configure("min = 2");
        let agent = bench.start();
        let before = agent.until_active(2).await;
        agent.stop().await;
        let generation = bench.kamailio.0.lock().unwrap().generation;

        let agent = bench.start();
        let after = agent.until_active(2).await;
        assert_eq!(pids(&before), pids(&after));
        assert_eq!(
            bench.kamailio.0.lock().unwrap().generation,
            generation,
            "nothing changed"
        );
        assert!(agent.events("member_booting").is_empty());
        agent.stop().await;
    });
}

#[test]
fn a_corrupt_state_file_is_set_aside_and_the_running_members_are_found() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        let before = agent.until_active(1).await;
        agent.stop().await;
        std::fs::write(bench.path("state.json"), "{ not json").unwrap();

        let agent = bench.start();
        let after = agent.until_active(1).await;
        assert_eq!(pids(&before), pids(&after));
        let rebuilt = agent.events("state_rebuilt");
        assert!(
            rebuilt[0].reason.contains("state.json is corrupt"),
            "{rebuilt:?}"
        );
        let names = std::fs::read_dir(bench.dir.path()).unwrap().flatten();
        let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert!(names.any(|name| name.starts_with("state.json.corrupt-")));
        agent.stop().await;
    });
}

#[test]
fn a_crash_between_start_and_note_finds_the_member_again() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        let before = agent.until_active(1).await;
        agent.stop().await;
        let config = Config::load(&bench.path("agent.toml")).unwrap();
        let file = &config.agent.state_file;
        let mut known = state::load(file, "default").unwrap().unwrap();
        let member = known.member_mut("conference", "conference-1").unwrap();
        member.stage = state::Stage::Booting;
        match &mut member.handle {
            kamscale_agent::actuator::Handle::Process { process, .. } => *process = None,
            other => panic!("{other:?}"),
        }
        state::save(file, &known).unwrap();

        let agent = bench.start();
        let after = agent.until_active(1).await;
        assert_eq!(pids(&before), pids(&after));
        agent.stop().await;
    });
}
