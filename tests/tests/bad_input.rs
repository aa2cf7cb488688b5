//! What is wrong in the configuration is told at the start, in words that lead to it; what is wrong
//! in a request is a code and at most a line, never the end of a process.

use std::os::unix::fs::MetadataExt;

use kamscale_tests::{Kamailio, KamailioSetup, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{ask, config, lines, member, pool, publisher, refusal};

/// A configuration with these parameters, whose only route says this.
fn setup<'a>(run: &'a RunDir, parameters: &str, script: &str) -> KamailioSetup<'a> {
    let routes = format!("request_route {{\n{script}\nroute(IN_DIALOG);\n}}\n");
    Kamailio::with_text(run, &config(parameters, &routes))
}

/// Asserts that Kamailio does not start, and that one line of its log has all the words.
#[track_caller]
fn refused(run: &RunDir, parameters: &str, script: &str, words: &[&str]) {
    let log = refusal(run, &setup(run, parameters, script));
    assert!(
        !lines(&log, words).is_empty(),
        "{parameters} {script}: no line with {words:?} in\n{log}"
    );
}

#[test]
fn an_unknown_name_in_the_script_stops_the_start_and_says_what_there_is() {
    let run = RunDir::new("bad-input");
    let features = "modparam(\"kamscale\", \"feature\", \"calls\")\n\
                    modparam(\"kamscale\", \"feature\", \"queue\")";
    refused(
        &run,
        features,
        "ks_count(\"cals\");",
        &[
            "ks_count()",
            "parameter 1",
            "\"cals\"",
            "declared: calls, queue",
        ],
    );
    refused(
        &run,
        "",
        "ks_select_dst(\"p\", \"round_robbin\");",
        &[
            "ks_select_dst()",
            "parameter 2",
            "\"round_robbin\"",
            "round_robin, random, weight",
            "hash",
        ],
    );
    refused(
        &run,
        "",
        "ks_mark_dst(\"sideways\");",
        &["ks_mark_dst()", "parameter 1", "\"sideways\"", "down, up"],
    );
    refused(
        &run,
        "",
        "ks_select_dst(\"a pool\");",
        &[
            "ks_select_dst()",
            "parameter 1",
            "\"a pool\"",
            "cannot be a pool's name",
        ],
    );
}

#[test]
fn a_wrong_parameter_stops_the_start() {
    let run = RunDir::new("bad-input");
    let name = |name, value: &str| format!("modparam(\"kamscale\", \"{name}\", \"{value}\")");
    for (parameter, value, words) in [
        ("shm_dir", "relative", &["shm_dir", "absolute path"][..]),
        ("shm_dir", "", &["shm_dir", "must not be empty"]),
        (
            "feature",
            "two words",
            &["feature", "\"two words\"", "A-Z a-z 0-9"],
        ),
        ("instance", "../escape", &["../escape", "A-Z a-z 0-9"]),
        ("instance", "", &["instance", "must not be empty"]),
    ] {
        refused(&run, &name(parameter, value), "", words);
    }
    let twice = [name("feature", "calls"), name("feature", "calls")].join("\n");
    refused(&run, &twice, "", &["feature", "calls is there twice"]);
}

#[test]
fn a_wrong_pools_file_stops_the_start_at_its_line() {
    let run = RunDir::new("bad-input");
    let good = "p m1 sip:127.0.0.1:7001\n";
    let file = run.file("pools");
    let path = file.display().to_string();
    let parameter = format!("modparam(\"kamscale\", \"pools_file\", \"{path}\")");
    refused(&run, &parameter, "", &["pools_file", &path, "No such file"]);
    for (line, words) in [
        ("p m2", &[":3:", "POOL MEMBER URI"][..]),
        (
            "p m2 sip:127.0.0.1 colour=red",
            &[":3:", "\"colour\"", "capacity"],
        ),
        ("p m2 sip:127.0.0.1 weight=heavy", &[":3:", "weight=heavy"]),
        (
            "p m2 http://127.0.0.1",
            &["p/m2", "http://127.0.0.1", "no SIP URI"],
        ),
        ("p m1 sip:127.0.0.1:7002", &["p/m1", "there twice"]),
    ] {
        run.write("pools", format!("{good}# a comment\n{line}\n"));
        refused(&run, &parameter, "", &[&[path.as_str()], words].concat());
    }
    run.write("pools", good);
    let words = [
        "ks_select_dst()",
        "parameter 1",
        "no pool \"q\" in pools_file",
        "there are: p",
    ];
    refused(&run, &parameter, "ks_select_dst(\"q\");", &words);
    let kamailio = setup(&run, &parameter, "ks_select_dst(\"p\");").start();
    let rows = kamailio.rpc(&["kamscale.members", "p"]);
    assert_eq!(
        rows[0]["uri"], "sip:127.0.0.1:7001",
        "the right file is used"
    );
}

/// Answers the code of a selection from a name that the request brings.
const COMPUTED: &str = r#"
if ($hdr(X-Call) != $null) {
    switch ($hdr(X-Call)) {
    case "later": ks_select_dst("later"); break;
    case "empty": ks_select_dst("empty"); break;
    case "pool": ks_select_dst("$hdr(X)"); break;
    case "algorithm": ks_select_dst("p", "$hdr(X)"); break;
    case "key": ks_select_dst("p", "hash", "$hdr(X)"); break;
    case "feature": ks_count("$hdr(X)"); break;
    case "state": ks_select_dst("p"); ks_mark_dst("$hdr(X)"); break;
    case "exists": ks_pool_exists("$hdr(X)"); break;
    case "active": ks_is_active("$hdr(X)"); break;
    case "from": ks_is_from_pool("$hdr(X)"); break;
    }
    append_to_reply("X-Code: $rc\r\n");
}
"#;

#[test]
fn a_name_that_is_unknown_at_run_time_is_a_code_and_a_line_now_and_then() {
    let run = RunDir::new("bad-input");
    let pools = vec![
        pool("p", vec![member("m", "sip:127.0.0.1:7001")]),
        pool("empty", Vec::new()),
    ];
    let _publisher = publisher(&run, pools);
    let parameters = "children=1\nmodparam(\"kamscale\", \"feature\", \"calls\")";
    let kamailio = setup(&run, parameters, COMPUTED).start();
    let client = SipClient::new(&run);
    let code = |call: &str, x: &str| {
        let headers = [("X-Call", call), ("X", x)];
        ask(
            &client,
            &kamailio,
            &headers[..1 + usize::from(x != "-")],
            "X-Code",
        )
    };
    for (call, x, wanted) in [
        ("later", "-", "-2"),
        ("empty", "-", "-3"),
        ("pool", "p", "1"),
        ("pool", "nowhere", "-2"),
        ("pool", "$var(x) %s\\", "-2"),
        ("pool", "-", "-2"),
        ("algorithm", "random", "1"),
        ("algorithm", "fastest", "-4"),
        ("algorithm", "-", "-4"),
        ("key", "k", "1"),
        ("feature", "calls", "1"),
        ("feature", "nothing", "-4"),
        ("feature", "-", "-4"),
        ("state", "up", "1"),
        ("state", "sideways", "-4"),
        ("exists", "p", "1"),
        ("exists", "nowhere", "-1"),
        ("active", "p", "1"),
        ("active", "empty", "-1"),
        ("active", "nowhere", "-2"),
        ("from", "p", "-1"),
        ("from", "nowhere", "-2"),
    ] {
        assert_eq!(code(call, x), wanted, "{call} with X: {x}");
    }
    for _ in 0..200 {
        assert_eq!(code("later", "-"), "-2");
        assert_eq!(code("empty", "-"), "-3");
    }
    let log = kamailio.log();
    let noted = lines(&log, &["pool later is not published yet"]);
    assert_eq!(noted.len(), usize::from(log.contains("NOTICE")), "{log}");
    for words in [
        ["there is no pool", "kamscale.pools"],
        ["pool empty", "none of 0 members"],
    ] {
        let lines = lines(&log, &words);
        assert!(
            (1..=4).contains(&lines.len()),
            "one line in 10 s, not {lines:#?}"
        );
    }
}

#[test]
fn a_check_of_the_configuration_touches_no_file() {
    let run = RunDir::new("bad-input");
    let check = |setup: &KamailioSetup<'_>| {
        let output = setup.command().arg("-c").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "kamailio -c: {text}");
    };
    let setup = Kamailio::minimal(&run);
    check(&setup);
    let left: Vec<_> = std::fs::read_dir(run.shm_dir())
        .unwrap()
        .flatten()
        .collect();
    assert!(left.is_empty(), "kamailio -c made {left:?}");

    let mut kamailio = setup.clone().start();
    let look = || {
        let files = std::fs::read_dir(run.shm_dir()).unwrap().flatten();
        let mut seen: Vec<_> = files
            .map(|f| {
                (
                    f.file_name(),
                    f.metadata().unwrap().ino(),
                    f.metadata().unwrap().len(),
                )
            })
            .collect();
        seen.sort();
        seen
    };
    let (files, boot) = (look(), kamailio.observed("default").boot_id);
    check(&setup);
    assert_eq!(
        look(),
        files,
        "kamailio -c changed the files of a running Kamailio"
    );
    let seen = kamailio.observed("default");
    assert!(!seen.closed && seen.boot_id == boot, "{seen:?}");
    assert!(kamailio.runs());
    wait_until("Kamailio still gives signs of life", PATIENCE, || {
        kamailio.observed("default").heartbeat_age_s < 2.0
    });
}
