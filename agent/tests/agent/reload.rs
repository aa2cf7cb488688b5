//! SIGHUP: a good file is swapped in, a bad one changes nothing.

use kamscale_agent::runtime::Control;

use crate::harness::{Bench, run};

#[test]
fn a_faulty_file_keeps_the_old_configuration_and_a_good_one_is_used() {
    run(async {
        let bench = Bench::new();
        let agent = bench.start();
        agent.until_active(1).await;

        bench.configure("min = 9");
        agent.controls.send(Control::Reload).await.unwrap();
        let now_s = agent.pulse.borrow().now_s;
        agent
            .until("a later round", |status| status.now_s > now_s + 0.5)
            .await;
        let rejected = agent.events("config_rejected");
        assert!(
            rejected[0]
                .reason
                .contains("pools.conference.min: min 9 is above max 3")
        );
        assert_eq!(agent.now().await.pools["conference"].min, 1);

        bench.configure("min = 2");
        agent.controls.send(Control::Reload).await.unwrap();
        agent.until_active(2).await;
        assert_eq!(agent.events("config_loaded").len(), 1);
        agent.stop().await;
    });
}
