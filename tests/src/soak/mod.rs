//! Months in an hour: a real Kamailio under calls while a real agent changes the pool a hundred times a
//! second, and, if wanted, while the agent is killed, its file is damaged and its configuration read
//! again. It plays, samples memory and counts; [`figures`] says what came of it.

mod faults;
pub mod figures;
pub mod memory;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::memory::Memory;
use crate::agent::{Agent, AgentSetup};
use crate::kamailio::Kamailio;
use crate::run::RunDir;
use crate::sipp::{CallTotals, Sipp, SippSetup};
use crate::wait::{PATIENCE, wait_until};

/// Members that stay; each is drained and taken back in turn.
const MEMBERS: usize = 4;
/// Changes in a second.
const CHANGES_PER_S: u32 = 100;
/// New calls in a second, of one second each.
const CALLS_PER_S: u32 = 20;
/// Between two looks at memory.
const LOOK: Duration = Duration::from_secs(1);
/// Between two faults.
const FAULT_EVERY: Duration = Duration::from_secs(20);
/// The last part of a run is without faults: only there an agent lives long enough to be judged.
const CALM_FROM: f64 = 0.6;

/// What is to be played.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long.
    pub time: Duration,
    /// Whether the agent is killed, its file damaged, and so on.
    pub faults: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Seconds since the start, and memory then.
    pub memory: Vec<(f64, Memory)>,
    /// Changes that the agent has made.
    pub changes: u64,
    /// Calls.
    pub calls: CallTotals,
    /// When the last part without faults began, in seconds.
    pub calm_s: f64,
    /// Faults: seconds, and what was done.
    pub events: Vec<(f64, String)>,
    /// Promises that were broken.
    pub broken: Vec<String>,
}

/// What runs.
struct Scene<'a> {
    run: &'a RunDir,
    kamailio: Kamailio<'a>,
    agent: Mutex<Agent<'a>>,
    caller: Sipp,
    members: Vec<Sipp>,
    /// The member whose address all those have that come and go.
    spare: String,
}

fn configuration(uris: &[String]) -> String {
    let mut toml = String::from("[pools.conference]\nmode = \"paused\"\n");
    for (number, uri) in uris.iter().enumerate() {
        toml += &format!(
            "[[pools.conference.members]]\nname = \"m{number}\"\nuri = \"{uri}\"\ncapacity_calls = 100\n"
        );
    }
    toml
}

impl<'a> Scene<'a> {
    fn start(run: &'a RunDir) -> Self {
        let addresses: Vec<_> = (0..=MEMBERS).map(|_| run.endpoint()).collect();
        let member = |(number, at): (usize, &std::net::SocketAddr)| {
            SippSetup::member(run, &format!("member-{number}"), *at).start()
        };
        let members = addresses.iter().enumerate().map(member).collect();
        let uris: Vec<String> = addresses.iter().map(|at| format!("sip:{at}")).collect();
        let kamailio = Kamailio::minimal(run).start();
        let agent = AgentSetup::new(run, &configuration(&uris[..MEMBERS])).start();
        wait_until("Kamailio has the pool", PATIENCE, || {
            let shown = kamailio.try_rpc(&["kamscale.members", "conference"]);
            shown.is_ok_and(|members| members.len() == MEMBERS)
        });
        let caller = SippSetup::caller(run, "caller", kamailio.sip(), "conf-1")
            .rate(CALLS_PER_S, Duration::from_secs(1))
            .talk(Duration::from_secs(1))
            .start();
        Self {
            run,
            spare: uris[MEMBERS].clone(),
            agent: Mutex::new(agent),
            kamailio,
            caller,
            members,
        }
    }

    /// Calls that any member still carries.
    fn calls_left(&self) -> u64 {
        let members = self.kamailio.rpc(&["kamscale.members", "conference"]);
        members.iter().filter_map(|m| m["calls"].as_u64()).sum()
    }
}

/// The `number`th change: a member drains, is taken back, another comes, and goes.
fn change(number: u64, spare: &str) -> (&'static str, Value) {
    let (turn, step) = (number / 4, number % 4);
    let stays = format!("m{}", turn % u64::try_from(MEMBERS).unwrap_or(1));
    let comes = format!("extra-{turn}");
    let pool = "conference";
    match step {
        0 => ("drain", json!({"pool": pool, "name": stays})),
        1 => ("resume", json!({"pool": pool, "name": stays})),
        2 => ("add", json!({"pool": pool, "name": comes, "uri": spare})),
        _ => ("remove", json!({"pool": pool, "name": comes, "now": true})),
    }
}

/// Plays it.
///
/// # Panics
/// If something does not come up, or the calls do not end.
#[must_use]
pub fn play(plan: Plan) -> Outcome {
    let run = RunDir::new("soak");
    let mut scene = Scene::start(&run);
    let mut outcome = Outcome {
        calm_s: if plan.faults {
            plan.time.as_secs_f64() * CALM_FROM
        } else {
            0.0
        },
        ..Outcome::default()
    };
    let (began, ended, changes) = (Instant::now(), AtomicBool::new(false), AtomicU64::new(0));
    let processes: Vec<u32> = scene.kamailio.processes().into_keys().collect();
    let socket = agent_of(&scene).socket();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                let due = Duration::from_secs_f64(number_of(number) / f64::from(CHANGES_PER_S));
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                let (action, body) = change(number, &scene.spare);
                // While the agent is away nothing changes.
                if crate::agent::post(&socket, &format!("/api/v1/members/{action}"), &body).is_ok()
                {
                    changes.fetch_add(1, Ordering::Relaxed);
                }
                number += 1;
            }
        });
        watch(&scene, plan, began, &mut outcome);
        ended.store(true, Ordering::Relaxed);
    });
    outcome.changes = changes.into_inner();
    scene.caller.finish();
    let _: bool = scene.caller.wait(PATIENCE);
    outcome.calls = scene.caller.totals();
    judge(&mut scene, &processes, &mut outcome);
    outcome
}

fn agent_of<'s, 'a>(scene: &'s Scene<'a>) -> std::sync::MutexGuard<'s, Agent<'a>> {
    scene.agent.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number_of(count: u64) -> f64 {
    crate::bench::cost::number(count)
}

/// Looks at memory, and does what is to be done to the agent.
fn watch(scene: &Scene<'_>, plan: Plan, began: Instant, outcome: &mut Outcome) {
    let (mut fault, mut next_fault) = (0, FAULT_EVERY);
    while began.elapsed() < plan.time {
        // The pace of the samples, not a wait for anything.
        std::thread::sleep(LOOK);
        let at_s = began.elapsed().as_secs_f64();
        let agent = agent_of(scene).pid();
        outcome
            .memory
            .push((at_s, Memory::of(&scene.kamailio, agent)));
        if plan.faults && began.elapsed() > next_fault && at_s < outcome.calm_s {
            next_fault = began.elapsed() + FAULT_EVERY;
            let done = faults::inflict(fault, &mut agent_of(scene), scene.run);
            outcome.events.push((at_s, done.into()));
            fault += 1;
        }
    }
}

/// What must be so at the end.
fn judge(scene: &mut Scene<'_>, processes: &[u32], outcome: &mut Outcome) {
    let calls = outcome.calls;
    if calls.failed > 0 || calls.successful == 0 {
        outcome.broken.push(format!(
            "calls failed: {calls:?}: {}",
            scene.caller.errors()
        ));
    }
    if !scene.kamailio.runs() {
        outcome.broken.push("Kamailio ended".into());
        return;
    }
    let now: Vec<u32> = scene.kamailio.processes().into_keys().collect();
    if now != processes {
        outcome
            .broken
            .push(format!("processes {processes:?} became {now:?}"));
    }
    wait_until("every call has ended at its member", PATIENCE, || {
        scene.calls_left() == 0
    });
    if scene
        .members
        .iter_mut()
        .any(|member| member.ended().is_some())
    {
        outcome.broken.push("a member of the test ended".into());
    }
}
