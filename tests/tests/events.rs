//! Event routes: run for a change of a member whoever says so, in a process of their own, from
//! kamailio.cfg and from scripts.

use kamscale_tests::{Answer, Kamailio, PATIENCE, RunDir, SipClient, wait_until};

use crate::health::{PROBING, ROUTES, members, table};
use crate::kemi::engine_is_installed;
use crate::kemi_scripts::Language;
use crate::support::{config, lines, publish, publisher};

/// Writes what an event tells.
const EVENTS: &str = r#"
event_route[kamscale:member-up] {
    xlog("L_NOTICE", "EVENT $ks_event(name) $ks_pool/$ks_member $ru $ks_event(before) $ks_event(reason)\n");
}
event_route[kamscale:member-down] {
    xlog("L_NOTICE", "EVENT $ks_event(name) $ks_pool/$ks_member $ru $ks_event(before) $ks_event(reason)\n");
}
event_route[kamscale:member-draining] {
    xlog("L_NOTICE", "EVENT $ks_event(name) $ks_pool/$ks_member $ru $ks_event(before) $ks_event(reason)\n");
}
event_route[kamscale:table-applied] {
    xlog("L_NOTICE", "EVENT $ks_event(name) $ks_event(generation) pools $ks_active(conference) of $ks_event(member)\n");
}
"#;

/// The lines that the event routes wrote, without what the log puts before.
fn told(kamailio: &Kamailio<'_>) -> Vec<String> {
    let log = kamailio.log();
    let after = |line: &&str| line.split("EVENT ").nth(1).map(str::to_owned);
    lines(&log, &["EVENT "]).iter().filter_map(after).collect()
}

#[track_caller]
fn await_told(kamailio: &Kamailio<'_>, line: &str) {
    wait_until(&format!("an event route wrote {line:?}"), PATIENCE, || {
        told(kamailio).iter().any(|l| l == line)
    });
}

#[test]
fn event_routes_run_for_what_probes_an_operator_and_scripts_say() {
    let run = RunDir::new("health");
    let all = members(&run);
    let mut publisher = publisher(&run, table(&all[..1]));
    // Whole seconds: a mark of one may be over before who looks for it has looked.
    let parameters = format!("{PROBING}modparam(\"kamscale\", \"mark_down_s\", 3)\n");
    let routes = format!("{ROUTES}{EVENTS}");
    let kamailio = Kamailio::with_text(&run, &config(&parameters, &routes)).start();
    let (m0, m1) = (all[0].uri(), all[1].uri());
    let generation = kamailio.observed("default").workers[0].generation + 1;
    publish(&mut publisher, table(&all[..2]));
    await_told(
        &kamailio,
        &format!("table-applied {generation} pools 2 of <null>"),
    );
    await_told(
        &kamailio,
        &format!("member-up conference/m1 {m1} pending probe"),
    );
    all[1].answer_options(Answer::Silence);
    await_told(
        &kamailio,
        &format!("member-down conference/m1 {m1} up probe"),
    );

    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "draining"]);
    await_told(
        &kamailio,
        &format!("member-draining conference/m0 {m0} up operator"),
    );
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "active"]);
    await_told(
        &kamailio,
        &format!("member-up conference/m0 {m0} draining operator"),
    );

    SipClient::new(&run)
        .invite(kamailio.sip(), "mark")
        .answered();
    await_told(
        &kamailio,
        &format!("member-down conference/m0 {m0} up mark"),
    );
    await_told(
        &kamailio,
        &format!("member-up conference/m0 {m0} down mark"),
    );
}

#[test]
fn event_routes_run_without_probing_and_selections_in_them_work() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let events = r#"
event_route[kamscale:member-down] {
    ks_select_dst("conference");
    xlog("L_NOTICE", "EVENT left: $du\n");
}
"#;
    let routes = format!("{ROUTES}{events}");
    let kamailio = Kamailio::with_text(&run, &config("", &routes)).start();
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "disabled"]);
    await_told(&kamailio, &format!("left: {}", all[1].uri()));
    assert_eq!(kamailio.rpc(&["kamscale.status"])[0]["probing"], "no");
    assert_eq!(all[0].counts().options + all[1].counts().options, 0);
    let workers = kamailio.rpc(&["kamscale.workers"]);
    assert!(workers.iter().all(|w| w["panics"] == 0), "{workers:?}");
}

#[test]
fn what_a_route_makes_of_an_event_is_gone_at_the_next() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let events = r#"
event_route[kamscale:member-down] {
    xlog("L_NOTICE", "EVENT of $ru to $du\n");
    $ru = "sip:somebody.else@example.org:5099;with=a;much=longer;text=than;before=it";
    $du = "sip:127.0.0.1:9";
}
"#;
    let routes = format!("{ROUTES}{events}");
    let kamailio = Kamailio::with_text(&run, &config("", &routes)).start();
    for (member, name) in all.iter().zip(["m0", "m1"]) {
        kamailio.rpc(&["kamscale.set_state", "conference", name, "disabled"]);
        await_told(&kamailio, &format!("of {} to <null>", member.uri()));
    }
    let log = kamailio.log();
    assert!(!log.contains("bad pointer"), "{log}");
}

/// A script that handles every event, and writes what it sees.
fn script(language: Language) -> &'static str {
    match language {
        Language::Lua => {
            r#"
function ksr_request_route()
    KSR.sl.sl_send_reply(200, "OK")
    return 1
end
function ksr_kamscale(event)
    KSR.notice("EVENT " .. event .. " " .. KSR.pv.gete("$ks_member") .. "\n")
    return 1
end
"#
        }
        Language::Python => {
            r#"
import KSR

def mod_init():
    return Script()

class Script:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.sl_send_reply(200, "OK")
        return 1

    def ksr_kamscale(self, msg, event):
        KSR.notice("EVENT " + event + " " + KSR.pv.gete("$ks_member") + "\n")
        return 1
"#
        }
        Language::JavaScript | Language::Native => {
            r#"
function ksr_request_route() { KSR.sl.sl_send_reply(200, "OK"); }
function ksr_kamscale(event) {
    KSR.notice("EVENT " + event + " " + KSR.pv.gete("$ks_member") + "\n");
}
"#
        }
    }
}

#[track_caller]
fn events_reach(language: Language) {
    let module = language.engine().map_or("", |engine| engine.module);
    if !engine_is_installed(module) {
        println!("SKIPPED: {module} is missing (`make setup` installs it)");
        return;
    }
    let run = RunDir::new("events");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let callback = "modparam(\"kamscale\", \"event_callback\", \"ksr_kamscale\")\n";
    let text = format!("{}{callback}", language.config());
    let script = run.write(language.file_name(), script(language));
    let kamailio = Kamailio::with_text(&run, &text)
        .define_text("KS_SCRIPT", script.display())
        .start();
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "disabled"]);
    await_told(&kamailio, "kamscale:member-down m0");
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "active"]);
    await_told(&kamailio, "kamscale:member-up m0");
}

#[test]
fn events_reach_lua() {
    events_reach(Language::Lua);
}

#[test]
fn events_reach_python() {
    events_reach(Language::Python);
}

#[test]
fn events_reach_javascript() {
    events_reach(Language::JavaScript);
}
