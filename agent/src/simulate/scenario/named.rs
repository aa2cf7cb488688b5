//! The named scenarios: each stresses one thing, and its formula stands with it.

use super::super::traffic::{Meetings, Shape, Spike, Traffic};
use super::{Balancing, BootTime, Crash, Placement, Retries, Scenario, Span};

/// Mean holding time in all of them.
const HOLD_S: f64 = 1500.0;
/// Seconds of an hour.
const HOUR_S: f64 = 3600.0;

/// One scenario's name and how it is made.
type Entry = (&'static str, fn() -> Scenario);

const ALL: &[Entry] = &[
    ("steady", steady),
    ("small", small),
    ("diurnal", diurnal),
    ("conference_day", conference_day),
    ("storm", storm),
    ("flash", flash),
    ("blackout", blackout),
    ("crashes", crashes),
    ("slow_boots", slow_boots),
    ("failing_boots", failing_boots),
    ("thousand", thousand),
];

impl Scenario {
    /// The names of all named scenarios, in the order in which they are listed.
    pub fn names() -> Vec<&'static str> {
        ALL.iter().map(|(name, _)| *name).collect()
    }

    /// A named scenario.
    pub fn named(name: &str) -> Option<Scenario> {
        ALL.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, make)| make())
    }
}

/// Rounds up to a count of members.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and both ends are counts"
)]
pub(super) fn ceil_u32(members: f64) -> u32 {
    members.ceil() as u32
}

fn with_traffic(name: &str, title: &str, traffic: Traffic) -> Scenario {
    let mut scenario = Scenario {
        name: name.into(),
        title: title.into(),
        duration_s: 24.0 * HOUR_S,
        traffic,
        hold_s: HOLD_S,
        calls_at_start: None,
        capacity_calls: 200,
        min: 2,
        max: 60,
        start_members: 2,
        boot: BootTime::Normal {
            mean_s: 180.0,
            deviation_s: 40.0,
            least_s: 60.0,
        },
        boot_timeout_s: 600.0,
        failing_share: 0.05,
        crashes: Vec::new(),
        outages: Vec::new(),
        blackouts: Vec::new(),
        surge_s: None,
        retries: Retries {
            probability: 0.7,
            pause_s: 5.0,
            mean_s: 30.0,
        },
        balancing: Balancing {
            count: 2,
            placement: Placement::LeastCalls,
            share_s: 1.0,
            tries: 3,
        },
        stabilization_s: None,
    };
    scenario.start_members = scenario.members_at_start();
    scenario
}

/// A day's curve between these calls under way.
fn day(low_calls: f64, high_calls: f64) -> Traffic {
    Traffic::of(Shape::Diurnal {
        low_per_s: low_calls / HOLD_S,
        high_per_s: high_calls / HOLD_S,
    })
}

/// Poisson at 1,000 erlang.
pub(super) fn steady() -> Scenario {
    let traffic = Traffic::of(Shape::Constant {
        per_s: 1000.0 / HOLD_S,
    });
    with_traffic("steady", "The same traffic all day: 1,000 erlang", traffic)
}

fn small() -> Scenario {
    let traffic = Traffic::of(Shape::Constant {
        per_s: 190.0 / HOLD_S,
    });
    let title = "A small pool at a constant 190 erlang: one member is just not enough";
    let mut scenario = with_traffic("small", title, traffic);
    scenario.min = 1;
    scenario.start_members = 2;
    scenario
}

fn diurnal() -> Scenario {
    let title = "An ordinary day: 400 calls at midnight, 3,000 at noon";
    with_traffic("diurnal", title, day(400.0, 3000.0))
}

fn conference_day() -> Scenario {
    // Half of the day's curve from 150 to 1,500 calls.
    let mut traffic = day(75.0, 750.0);
    traffic.meetings = Some(Meetings {
        every_s: 1800.0,
        before_s: 60.0,
        after_s: 180.0,
        joins_per_s: 6.25,
        busy_from_s: 8.0 * HOUR_S,
        busy_until_s: 18.0 * HOUR_S,
        quiet_share: 0.1,
    });
    let title = "Meetings at every full and half hour: 1,500 join within four minutes";
    let mut scenario = with_traffic("conference_day", title, traffic);
    scenario.surge_s = Some(8.0 * HOUR_S);
    // Longer than the half hour between two crowds.
    scenario.stabilization_s = Some(2100.0);
    scenario
}

fn storm() -> Scenario {
    let begin_s = 10.25 * HOUR_S;
    let mut traffic = day(400.0, 3000.0);
    traffic.spikes.push(Spike {
        from_s: begin_s,
        until_s: begin_s + 300.0,
        factor: 4.0,
        add_per_s: 0.0,
    });
    let title = "All calls vanish at 10:00; after 15 minutes everybody is back: 4 times the rate for 5 minutes";
    let mut scenario = with_traffic("storm", title, traffic);
    scenario.outages.push(Span {
        from_s: 10.0 * HOUR_S,
        until_s: begin_s,
    });
    scenario.surge_s = Some(begin_s);
    scenario
}

fn flash() -> Scenario {
    let noon_s = 12.0 * HOUR_S;
    let mut traffic = day(300.0, 1200.0);
    traffic.spikes.push(Spike {
        from_s: noon_s,
        until_s: noon_s + 900.0,
        factor: 1.0,
        add_per_s: 4000.0 / 900.0,
    });
    let title = "A flash crowd at noon: 4,000 join within a quarter of an hour";
    let mut scenario = with_traffic("flash", title, traffic);
    scenario.surge_s = Some(noon_s);
    scenario
}

fn blackout() -> Scenario {
    let mut scenario = diurnal();
    scenario.name = "blackout".into();
    scenario.title = "An ordinary day without any metrics from 09:00 to 11:00".into();
    scenario.blackouts.push(Span {
        from_s: 9.0 * HOUR_S,
        until_s: 11.0 * HOUR_S,
    });
    scenario
}

fn crashes() -> Scenario {
    let mut scenario = diurnal();
    scenario.name = "crashes".into();
    scenario.title = "An ordinary day on which eight members crash, two of them at once".into();
    let crashes = [
        (2.0, 1),
        (7.5, 1),
        (9.0, 1),
        (11.75, 2),
        (14.0, 1),
        (17.25, 1),
        (21.0, 1),
    ];
    scenario.crashes = crashes
        .into_iter()
        .map(|(hour, members)| Crash {
            at_s: hour * HOUR_S,
            members,
        })
        .collect();
    scenario
}

fn slow_boots() -> Scenario {
    let mut scenario = flash();
    scenario.name = "slow_boots".into();
    scenario.title = "The flash crowd with members that boot in 3 to 10 minutes".into();
    scenario.boot = BootTime::LongTail {
        least_s: 180.0,
        tail_s: 150.0,
        most_s: 600.0,
    };
    scenario.boot_timeout_s = 900.0;
    scenario
}

fn failing_boots() -> Scenario {
    let mut scenario = diurnal();
    scenario.name = "failing_boots".into();
    scenario.title = "An ordinary day on which 30 % of the creations fail".into();
    scenario.failing_share = 0.3;
    scenario
}

fn thousand() -> Scenario {
    let title = "An ordinary day of a large pool: about 1,000 members at noon";
    let mut scenario = with_traffic("thousand", title, day(20_000.0, 150_000.0));
    scenario.max = 1500;
    scenario
}
