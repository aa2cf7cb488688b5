//! A storm of four times what a pool can take, with `ks_admit` and without: real callers that give up and
//! come again, real members that break down when too much is asked of them, a real agent that says how
//! much may come. It plays and counts; what is drawn of it is in [`picture`].

mod callers;
mod member;
mod picture;

use std::time::{Duration, Instant};

use serde_json::json;

use self::callers::{Course, Storm};
use self::member::SlowMember;
use super::{pools, script};
use crate::agent::AgentSetup;
use crate::client::SipClient;
use crate::kamailio::Kamailio;
use crate::report::{self, Figure, Report};
use crate::run::RunDir;
use crate::wait::{PATIENCE, wait_until};

/// Members of the pool.
const MEMBERS: u32 = 2;
/// Channels of a member: so many calls at once.
const CHANNELS: u16 = 100;
/// INVITEs that a member can work on in a second: twice as many as its channels allow.
const INVITES_PER_S: u32 = 40;
/// How long a call lasts once it is answered.
const TALK: Duration = Duration::from_secs(5);
/// Seconds of the usual load, of the storm, and of the usual load again.
const TIMES_S: [f64; 3] = [8.0, 23.0, 5.0];
/// Demand in these times, by what the pool can take.
const DEMAND: [f64; 3] = [0.85, 4.0, 0.85];
/// The storm is judged from so many seconds after its beginning, when the calls of before have ended.
/// Three lengths of a call are left: calls that came together end together, so the rate goes in waves.
const SETTLED_S: f64 = 8.0;

/// Calls per second that the pool can take.
fn capacity_per_s() -> f64 {
    f64::from(MEMBERS) * f64::from(CHANNELS) / TALK.as_secs_f64()
}

fn config(list: &std::path::Path) -> String {
    let parameters = "loadmodule \"rr.so\"\nloadmodule \"textops.so\"\nloadmodule \"dialog.so\"\n";
    let head = script::head(4, list, parameters);
    let feature = script::FEATURE;
    format!(
        "{head}request_route {{\n\
         \tif (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
         \tif (has_totag()) {{\n\
         \t\tif (loose_route()) t_relay();\n\
         \t\telse if (is_method(\"ACK\") && t_check_trans()) t_relay();\n\
         \t\texit;\n\t}}\n\
         \tif (is_method(\"ACK\")) exit;\n\
         \tif (is_method(\"OPTIONS\")) {{ sl_send_reply(\"200\", \"OK\"); exit; }}\n\
         \trecord_route();\n\
         \tks_count(\"{feature}\");\n\
         \tif (!ks_admit(\"{feature}\")) {{\n\
         \t\tappend_to_reply(\"Retry-After: $ks_retry_after\\r\\n\");\n\
         \t\tsl_send_reply(\"503\", \"Busy\");\n\t\texit;\n\t}}\n\
         \tif (!ks_select_dst(\"calls\", \"least_calls\")) {{\n\
         \t\tsl_send_reply(\"480\", \"Nobody\");\n\t\texit;\n\t}}\n\
         \tt_relay();\n}}\n"
    )
}

/// The agent's pool, and whether it says how much of the feature may come.
fn agent(members: &[SlowMember], admit: bool) -> String {
    let mut toml = String::new();
    let feature = script::FEATURE;
    if admit {
        toml += &format!("[features.{feature}]\nadmit = \"capacity\"\nadmit_load = 1.0\n");
    }
    toml += &format!("[pools.calls]\nfeature = \"{feature}\"\nmode = \"paused\"\n");
    for (number, member) in members.iter().enumerate() {
        toml += &format!(
            "[[pools.calls.members]]\nname = \"m{number}\"\nuri = \"sip:{}\"\ncapacity_calls = {CHANNELS}\n",
            member.address()
        );
    }
    toml
}

/// Plays the storm once.
fn play(admit: bool) -> Course {
    let run = RunDir::new("storm");
    let members: Vec<SlowMember> = (0..MEMBERS)
        .map(|_| {
            SlowMember::start(
                run.endpoint(),
                CHANNELS.into(),
                Duration::from_secs(1) / INVITES_PER_S,
            )
        })
        .collect();
    let list = run.write("dispatcher.list", pools::dispatcher_list(&[10]));
    let kamailio = Kamailio::with_text(&run, &config(&list)).start();
    let _agent = AgentSetup::new(&run, &agent(&members, admit)).start();
    wait_until("the table and the rate are in force", PATIENCE, || {
        let limited = kamailio.rpc(&["kamscale.features"])[0]["allowed_per_s"] != "unlimited";
        let client = SipClient::new(&run);
        let known = kamailio.try_rpc(&["kamscale.members", "calls"]);
        known.is_ok_and(|m| m.len() >= members.len())
            && limited == admit
            && client.options(kamailio.sip(), PATIENCE).is_some()
    });
    let caller = SipClient::new(&run);
    let mut storm = Storm::new(&caller, kamailio.sip(), TALK);
    let (began, mut end_s) = (Instant::now(), 0.0);
    for (time_s, demand) in TIMES_S.into_iter().zip(DEMAND) {
        end_s += time_s;
        storm.play(began, end_s, demand * capacity_per_s());
    }
    storm.end()
}

/// The figures, and the picture.
pub fn admission(report: &mut Report) {
    eprintln!("bench: a storm, with admission and without");
    let courses = std::thread::scope(|scope| {
        let with = scope.spawn(|| play(true));
        let without = play(false);
        [with.join().unwrap_or_default(), without]
    });
    let from = TIMES_S[0] + SETTLED_S;
    let until = TIMES_S[0] + TIMES_S[1];
    let of = |course: &Course, what: fn(&Course) -> &Vec<f64>| {
        let times = what(course).iter();
        let count = times.filter(|t| **t >= from && **t < until).count();
        let count = f64::from(u32::try_from(count).unwrap_or(0));
        report::rounded(count / (until - from) / capacity_per_s())
    };
    let side = |course: &Course| {
        json!({
            "answered": of(course, |c| &c.answered), "attempts": of(course, |c| &c.attempts),
            "refused": of(course, |c| &c.refused), "given_up": of(course, |c| &c.given_up),
            "answered_too_late": of(course, |c| &c.late),
        })
    };
    let [with, without] = [&courses[0], &courses[1]].map(|c| of(c, |c| &c.answered));
    let path = report::write("admission.svg", &picture::draw(&courses));
    let how = format!(
        "{without} without ks_admit; calls answered before the caller gave up, by what the pool can take \
         ({} a second), at {} times as much demand, from {SETTLED_S} s after its beginning; {MEMBERS} members \
         with {CHANNELS} channels that work on {INVITES_PER_S} INVITEs a second, calls of {} s; callers give up after {} s and come \
         again {} times; rate by the agent (admit = \"capacity\"); {}",
        capacity_per_s(),
        DEMAND[1],
        TALK.as_secs_f64(),
        callers::GIVE_UP.as_secs_f64(),
        callers::TRIES - 1,
        path.file_name().unwrap_or_default().display(),
    );
    report.figure(
        Figure::new("admission.goodput", with, "of capacity")
            .target("0.95 to 1.0", with >= 0.95)
            .sides(side(&courses[0]), side(&courses[1]))
            .how(how),
    );
    report.figure(
        Figure::new("admission.goodput.without", without, "of capacity")
            .how("the same storm, everything let in"),
    );
}
