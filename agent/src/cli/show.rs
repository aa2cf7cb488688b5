//! Answers for people: short, aligned, in the words of the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::table::{aligned, columns, duration};
use crate::journal::{Event, now_s};
use crate::status::{MemberStatus, PoolStatus, Status};

pub(super) const MISMATCH: &str = "the agent answers in a way this command line does not know; \
                        install the same version of both, or use --json";

pub(super) fn status(value: &Value) -> String {
    let Ok(status) = serde_json::from_value::<Status>(value.clone()) else {
        return MISMATCH.into();
    };
    let mut text = String::new();
    let up_s = status.now_s - status.started_s;
    let _ = writeln!(
        text,
        "agent     {} instance {}, up {}",
        status.version,
        status.instance,
        duration(up_s)
    );
    let kamailio = match (&status.kamailio.problem, status.kamailio.pid) {
        (Some(problem), _) => format!("NOT USABLE: {problem}"),
        (None, Some(pid)) => {
            format!("pid {pid}, {} workers", status.kamailio.workers.len())
        }
        (None, None) => "unknown".into(),
    };
    let _ = writeln!(text, "kamailio  {kamailio}");
    let applied = status
        .applied_generation_min
        .map_or("by nobody yet".into(), |g| g.to_string());
    let _ = writeln!(
        text,
        "table     generation {}, applied {applied}",
        status.generation
    );
    text.push_str(&around(&status));
    for feature in &status.features {
        let rate = feature
            .requests_per_s
            .map_or("-".into(), |rate| format!("{rate:.1}"));
        let _ = writeln!(
            text,
            "feature   {}: {} requests, {rate}/s",
            feature.name, feature.requests
        );
    }
    text.push('\n');
    text.push_str(&pool_table(&status.pools));
    if !status.stacks.is_empty() {
        let stacks = pool_table(&status.stacks).replacen("POOL", "STACK", 1);
        let _ = write!(text, "\n{stacks}");
    }
    text
}

/// Other nodes, and what cannot be reached.
fn around(status: &Status) -> String {
    let mut text = String::new();
    if let Some(nodes) = &status.nodes {
        let who = match (nodes.leads, &nodes.leader) {
            (true, _) => "which decides".to_owned(),
            (false, Some(leader)) => format!("{leader} decides"),
            (false, None) => "nobody decides".to_owned(),
        };
        let _ = writeln!(text, "nodes     this is {}, {who}", status.node);
        for problem in nodes.silent.iter().chain(&nodes.problem) {
            let _ = writeln!(text, "          NOTHING IS REMOVED: {problem}");
        }
    }
    if let Some(problem) = &status.unsent {
        let _ = writeln!(text, "measures  NOT SENT, kept for later: {problem}");
    }
    let pools = status.pools.iter();
    for (name, problem) in pools.filter_map(|(name, pool)| Some((name, pool.problem.as_ref()?))) {
        let _ = writeln!(text, "cloud     NO ANSWER for pool {name}: {problem}");
    }
    let members = status.pools.values().flat_map(|pool| pool.members.values());
    let lost: Vec<_> = members.filter_map(lost_name).collect();
    if let Some((uri, why)) = lost.first() {
        let count = lost.len();
        let _ = writeln!(
            text,
            "names     {count} NOT FOUND, as {uri}: {why}; `kamscale pool show NAME` shows the members"
        );
    }
    text
}

/// The URI of a member whose name is not found now, and why.
fn lost_name(member: &MemberStatus) -> Option<(&str, &str)> {
    let problem = member.name.as_ref()?.problem.as_ref()?;
    Some((&member.uri, problem))
}

/// Where requests to a member go: its URI, and what its name was found to be.
fn uri(member: &MemberStatus) -> String {
    let Some(name) = &member.name else {
        return member.uri.clone();
    };
    let address = name.address.as_deref().unwrap_or("no address yet");
    format!("{} = {address}", member.uri)
}

/// What is to be said of names below a pool's members.
fn names(pool: &PoolStatus, now_s: f64) -> String {
    let mut text = String::new();
    for (member, status) in &pool.members {
        let (Some(name), Some((_, problem))) = (&status.name, lost_name(status)) else {
            continue;
        };
        let effect = match (&name.address, name.found_s) {
            (Some(_), Some(found_s)) => {
                let ago = duration(now_s - found_s);
                format!("found {ago} ago, and used as it was then")
            }
            (Some(_), None) => "used as it was found before the agent's start".into(),
            (None, _) => "not used until it is found".into(),
        };
        let _ = writeln!(text, "{member}: name NOT FOUND: {problem}; {effect}");
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

pub(super) fn pools(value: &Value) -> String {
    match serde_json::from_value(value.clone()) {
        Ok(pools) => pool_table(&pools),
        Err(_) => MISMATCH.into(),
    }
}

pub(super) fn pool_table(pools: &BTreeMap<String, PoolStatus>) -> String {
    let mut rows = vec![columns([
        "POOL", "MODE", "MEMBERS", "WANT", "LIMITS", "CALLS", "LOAD",
    ])];
    for (name, pool) in pools {
        let active = pool
            .members
            .values()
            .filter(|member| member.state == "active")
            .count();
        let max = pool.max.map_or("-".into(), |max| max.to_string());
        let mode = match (&pool.paused_since_s, &pool.stack) {
            (Some(_), _) => "paused by an operator",
            (None, Some(stack)) => &format!("by stack {stack}"),
            (None, None) => &pool.mode,
        };
        rows.push(columns([
            name,
            mode,
            &format!("{active}/{}", pool.members.len()),
            &pool.want.to_string(),
            &format!("{}..{max}", pool.min),
            &format!("{}/{}", pool.calls, pool.capacity_calls),
            &pool
                .load
                .map_or("-".into(), |load| format!("{:.0} %", load * 100.0)),
        ]));
    }
    aligned(&rows)
}

pub(super) fn pool(name: &str, value: &Value) -> String {
    let Ok(pool) = serde_json::from_value::<PoolStatus>(value.clone()) else {
        return MISMATCH.into();
    };
    let mut text = pool_table(&BTreeMap::from([(name.to_owned(), pool.clone())]));
    if let Some(since_s) = pool.paused_since_s {
        let ago = duration(now_s() - since_s);
        let _ = writeln!(
            text,
            "\npaused by an operator {ago} ago: `kamscale resume {name}` ends that"
        );
    }
    let _ = writeln!(text, "\nlast decision: {}\n", pool.reason);
    let mut rows = vec![columns([
        "MEMBER", "STATE", "FOR", "CALLS", "WEIGHT", "BY", "URI",
    ])];
    for (member, status) in &pool.members {
        let calls = status.calls.map_or("?".into(), |calls| calls.to_string());
        let flags = match (status.held, status.down) {
            (true, true) => " (held, down)",
            (true, false) => " (held)",
            (false, true) => " (down)",
            (false, false) => "",
        };
        rows.push(columns([
            member,
            &format!("{}{flags}", status.state),
            &duration(now_s() - status.since_s),
            &format!("{calls}/{}", status.capacity_calls),
            &status.weight.to_string(),
            &status.origin,
            &uri(status),
        ]));
    }
    text + &aligned(&rows) + &names(&pool, now_s())
}

pub(super) fn events(value: &Value) -> String {
    let Ok(events) = serde_json::from_value::<Vec<Event>>(value.clone()) else {
        return MISMATCH.into();
    };
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let whom = [event.pool.as_deref(), event.member.as_deref()];
            let whom: Vec<&str> = whom.into_iter().flatten().collect();
            let ago = format!("{} ago", duration(now_s() - event.t));
            vec![
                ago,
                event.event.clone(),
                whom.join("/"),
                event.reason.clone(),
            ]
        })
        .collect();
    aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{NameStatus, NodesStatus};

    #[test]
    fn who_decides_and_what_cannot_be_reached_is_told() {
        let pool = PoolStatus {
            problem: Some("Heat answers nothing".into()),
            ..PoolStatus::default()
        };
        let status = Status {
            node: "lb2".into(),
            nodes: Some(NodesStatus {
                leads: false,
                leader: Some("lb1".into()),
                silent: Some("node lb3 has never reported".into()),
                problem: None,
            }),
            unsent: Some("Gnocchi is away".into()),
            pools: [("ccp".into(), pool)].into(),
            ..Status::default()
        };
        let text = around(&status);
        for words in [
            "this is lb2, lb1 decides",
            "NOTHING IS REMOVED: node lb3 has never reported",
            "NOT SENT, kept for later: Gnocchi is away",
            "NO ANSWER for pool ccp: Heat answers nothing",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
        assert_eq!(around(&Status::default()), "");
    }

    #[test]
    fn names_that_cannot_be_found_are_told_with_what_that_means() {
        let member = |address: Option<&str>, found_s, problem: Option<&str>| MemberStatus {
            uri: "sip:conf.test".into(),
            name: Some(NameStatus {
                address: address.map(str::to_owned),
                found_s,
                problem: problem.map(str::to_owned),
            }),
            state: "active".into(),
            origin: "config".into(),
            held: false,
            leaving: false,
            calls: None,
            calls_here: None,
            capacity_calls: 1,
            weight: 1,
            priority: 0,
            down: false,
            failures: 0,
            since_s: 0.0,
            pid: None,
        };
        let here = Some("sip:10.0.0.1:5060");
        let members = [
            ("well", member(here, Some(0.0), None)),
            ("kept", member(here, Some(0.0), Some("no answer"))),
            ("old", member(here, None, Some("no answer"))),
            ("new", member(None, None, Some("has no address"))),
        ];
        let pool = PoolStatus {
            members: members.map(|(name, m)| (name.to_owned(), m)).into(),
            ..PoolStatus::default()
        };
        assert_eq!(
            uri(&pool.members["well"]),
            "sip:conf.test = sip:10.0.0.1:5060"
        );
        assert_eq!(uri(&pool.members["new"]), "sip:conf.test = no address yet");
        let text = names(&pool, 300.0);
        for words in [
            "kept: name NOT FOUND: no answer; found 5 min ago, and used as it was then",
            "old: name NOT FOUND: no answer; used as it was found before the agent's start",
            "new: name NOT FOUND: has no address; not used until it is found",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
        assert!(!text.contains("well"), "{text}");
        let status = Status {
            pools: [("ccp".into(), pool)].into(),
            ..Status::default()
        };
        let text = around(&status);
        assert!(
            text.contains("names     3 NOT FOUND, as sip:conf.test: "),
            "{text}"
        );
    }
}
