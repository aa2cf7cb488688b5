//! The same functions from scripts in Lua, Python and JavaScript (KEMI): every function that is
//! exported does there what it does from kamailio.cfg, to the same requests.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use kamscale_shm::MemberSpec;
use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, tool};
use serde_json::Value;

use crate::kemi_cases::CASES;
use crate::kemi_scripts::Language;
use crate::support::{await_calls, member, pool, publisher};

/// Pools whose members are the same in every run, so that what is shown of them can be compared.
const COMPARED: [&str; 4] = ["p", "q", "solo", "marked"];

/// What came of all cases in one language.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// By case: the code, then `$du`, the R-URI's host, `$ks_member` and `$ks_pool`.
    answers: Vec<(&'static str, String)>,
    /// Requests counted.
    requests: u64,
    /// `kamscale.members` of [`COMPARED`] afterwards.
    members: Vec<Value>,
}

/// Where this Kamailio looks for modules has the language's engine.
pub(crate) fn engine_is_installed(module: &str) -> bool {
    let output = Command::new(tool("kamailio")).arg("-I").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let dirs = text
        .split_once("paths to modules: ")
        .map_or("", |(_, rest)| rest);
    let dirs = dirs.lines().next().unwrap_or_default();
    dirs.split(':')
        .any(|dir| Path::new(dir.trim()).join(module).is_file())
}

/// One OPTIONS that runs a case; the R-URI is the same in every run.
fn answer(client: &SipClient, kamailio: &Kamailio<'_>, language: Language, case: &str) -> String {
    let request = client.request("OPTIONS", "sip:room-1@rooms.example");
    let request = request.with("X-Case", case);
    let reply = client.exchange(&request, kamailio.sip(), PATIENCE);
    let reply = reply.unwrap_or_else(|| panic!("{language:?}: no answer to {case}"));
    let ran_in = reply.header("X-Language");
    assert_eq!(ran_in, Some(language.name()), "{case}: which script ran");
    let outcome = reply.header("X-Outcome").unwrap_or_default();
    // What is not set is no text in the scripts, and `<null>` in kamailio.cfg.
    outcome.replace("<null>", "").trim_end().to_owned()
}

fn play(language: Language) -> Outcome {
    let run = RunDir::new("kemi");
    let client = SipClient::new(&run);
    let callees = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    callees[0].answer_invites(Answer::Status(503));
    let ranked = |name, uri, priority| MemberSpec {
        priority,
        ..member(name, uri)
    };
    let only = |name, uri| pool(name, vec![member("only", uri)]);
    let caller = format!("sip:{}", client.address());
    let _publisher = publisher(
        &run,
        vec![
            pool(
                "p",
                vec![
                    ranked("one", "sip:192.0.2.1".into(), 9),
                    ranked("two", "sip:192.0.2.2".into(), 1),
                ],
            ),
            only("q", "sip:192.0.2.9".to_owned()),
            only("solo", "sip:192.0.2.10:5070".to_owned()),
            only("marked", "sip:192.0.2.11".to_owned()),
            only("callers", caller),
            pool("empty", Vec::new()),
            pool(
                "calls",
                vec![
                    ranked("first", callees[0].uri(), 9),
                    ranked("second", callees[1].uri(), 1),
                ],
            ),
        ],
    );
    let script = run.write(language.file_name(), language.script());
    let kamailio = Kamailio::with_text(&run, &language.config())
        .define_text("KS_SCRIPT", script.display())
        .start();
    let answers = CASES
        .iter()
        .map(|c| (c.name, answer(&client, &kamailio, language, c.name)))
        .collect();
    let requests = kamailio.observed("default").features[0].requests;
    let of = |name: &&str| kamailio.rpc(&["kamscale.members", name]);
    let members = COMPARED.iter().flat_map(of).collect();
    a_call_goes_on_from_who_refuses(&client, &kamailio);
    let log = kamailio.log();
    assert!(!log.contains("panic"), "{language:?}: {log}");
    Outcome {
        answers,
        requests,
        members,
    }
}

/// An INVITE, a refusal, `ks_next_dst()` from the failure route, the other member's answer.
fn a_call_goes_on_from_who_refuses(client: &SipClient, kamailio: &Kamailio<'_>) {
    let mut call = client.invite(kamailio.sip(), "anybody");
    call.answered();
    await_calls(kamailio, "calls", "first", 0, 1);
    await_calls(kamailio, "calls", "second", 1, 1);
    assert_eq!(call.bye(), 200);
    await_calls(kamailio, "calls", "second", 0, 1);
}

#[track_caller]
fn does_the_same(language: Language) {
    let module = language.engine().map_or("", |engine| engine.module);
    if !engine_is_installed(module) {
        println!("SKIPPED: {module} is missing (`make setup` installs it)");
        return;
    }
    let native = play(Language::Native);
    let scripted = play(language);
    for ((case, is), (_, should)) in scripted.answers.iter().zip(&native.answers) {
        assert_eq!(
            is, should,
            "{case} from {language:?}, and from kamailio.cfg"
        );
    }
    assert_eq!(scripted, native, "what {language:?} left behind");
}

#[test]
fn every_function_does_the_same_from_lua() {
    does_the_same(Language::Lua);
}

#[test]
fn every_function_does_the_same_from_python() {
    does_the_same(Language::Python);
}

#[test]
fn every_function_does_the_same_from_javascript() {
    does_the_same(Language::JavaScript);
}

/// What the languages are compared with is right itself.
#[test]
fn the_functions_answer_the_documented_codes_in_kamailio_cfg() {
    let native = play(Language::Native);
    for (case, (_, answer)) in CASES.iter().zip(&native.answers) {
        let code = answer.split(' ').next().unwrap_or_default();
        assert_eq!(code, case.code, "{}: {answer}", case.name);
    }
    let of = |case: &str| {
        let found = native.answers.iter().find(|(name, _)| *name == case);
        found.map(|(_, answer)| answer.as_str()).unwrap_or_default()
    };
    let here = "rooms.example";
    for (case, answer) in [
        ("select_alg", format!("1 <sip:192.0.2.1> {here} one p")),
        ("next", format!("1 <sip:192.0.2.2> {here} two p")),
        ("domain", "1 <> 192.0.2.10 only solo".to_owned()),
        ("next_domain", "1 <> 192.0.2.2 two p".to_owned()),
        ("select_nowhere", format!("-2 <> {here}")),
    ] {
        assert_eq!(of(case), answer, "{case}");
    }
    assert_eq!(
        native.requests, 1,
        "ks_count() with a feature was called once"
    );
    let usable = native.members.iter().map(|m| m["usable"] == "yes");
    assert_eq!(
        usable.collect::<Vec<_>>(),
        [true, true, true, true, false],
        "only what ks_mark_dst() named is out: {:?}",
        native.members
    );
}

#[test]
fn no_exported_function_is_left_out() {
    let exports = include_str!("../../kamailio-module/src/exports.rs");
    let exported: BTreeSet<&str> = exports
        .lines()
        .filter(|line| line.contains("kamailio::kemi::function::<"))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    let called = CASES.iter().flat_map(|case| case.calls);
    let called: BTreeSet<&str> = called.map(|call| call.function).collect();
    assert!(
        !exported.is_empty(),
        "no KEMI export is found in exports.rs"
    );
    assert_eq!(called, exported, "called by the cases, and exported");
}
