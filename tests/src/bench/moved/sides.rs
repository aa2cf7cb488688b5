//! One Kamailio with the stock dispatcher and with us, the same members on both sides, and the same questions
//! to both. It changes what it is told to, and judges nothing.

use std::collections::HashMap;
use std::fmt::Write as _;

use kamscale_shm::limits::{DEFAULT_HASH_BITS, DEFAULT_WEIGHT};
use kamscale_shm::options::{MemberOptions, PoolOptions};
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, Publisher, TableSpec};
use serde_json::Value;

use crate::bench::{published, script};
use crate::client::SipClient;
use crate::kamailio::Kamailio;
use crate::member::Member;
use crate::run::RunDir;
use crate::wait::PATIENCE;

/// Keys (Call-IDs) whose member is asked before and after.
pub(super) const KEYS: u32 = 8000;
/// Requests on the way at once.
const WINDOW: usize = 64;
/// The pool of calls, and the pool of keys: sets 1 and 2 of the dispatcher.
const POOLS: [&str; 2] = ["calls", "keys"];

/// Both sides of a figure.
pub(super) struct Both<T> {
    pub(super) ours: T,
    pub(super) stock: T,
}

/// A Kamailio with both sides loaded.
pub(super) struct Sides<'a> {
    pub(super) run: &'a RunDir,
    pub(super) kamailio: Kamailio<'a>,
    publisher: Publisher,
    pub(super) client: SipClient,
    /// URIs of the members, by set.
    pub(super) sets: [Vec<String>; 2],
}

/// The member of each key, on both sides.
pub(super) type Mappings = Both<Vec<String>>;

fn list_text(sets: &[Vec<String>; 2]) -> String {
    let mut text = String::new();
    for (number, set) in (1..).zip(sets) {
        for (index, uri) in set.iter().enumerate() {
            let _ = writeln!(text, "{number} {uri} 0 0 duid=m{number}{index};maxload=10");
        }
    }
    text
}

/// The name of the member with this URI.
pub(super) fn name(uri: &str) -> String {
    uri.replace(':', "-")
}

fn table(sets: &[Vec<String>; 2]) -> TableSpec {
    let member = |uri: &String| MemberSpec {
        name: name(uri),
        uri: uri.clone(),
        state: DesiredState::Active,
        weight: DEFAULT_WEIGHT,
        priority: 0,
        capacity: 10,
        options: MemberOptions::default(),
    };
    let pools = POOLS.iter().zip(sets).map(|(name, set)| PoolSpec {
        name: (*name).into(),
        hash_bits: DEFAULT_HASH_BITS,
        members: set.iter().map(member).collect(),
        options: PoolOptions::default(),
    });
    TableSpec {
        pools: pools.collect(),
    }
}

fn config(list: &std::path::Path) -> String {
    let parameters = "loadmodule \"rr.so\"\nloadmodule \"textops.so\"\nloadmodule \"dialog.so\"\n\
                      modparam(\"dispatcher\", \"flags\", 2)\n\
                      modparam(\"dispatcher\", \"ds_hash_size\", 8)\n\
                      modparam(\"dispatcher\", \"reload_delta\", 0)\n";
    let head = script::head(2, list, parameters);
    // One request asks both sides for its key; a call is counted by both and goes where ours says.
    format!(
        "{head}request_route {{\n\
         \tif (has_totag()) {{ loose_route(); t_relay(); exit; }}\n\
         \tif (is_method(\"INVITE\")) {{\n\
         \t\trecord_route();\n\
         \t\tds_select_dst(\"1\", \"10\", \"1\");\n\
         \t\tks_select_dst(\"calls\", \"least_calls\");\n\
         \t\tt_relay();\n\t\texit;\n\t}}\n\
         \tds_select_dst(\"2\", \"0\", \"1\");\n\t$var(stock) = $du;\n\
         \tks_select_dst(\"keys\", \"hash\");\n\t$var(answer) = $du + \" \" + $var(stock);\n\
         \tsl_send_reply(\"200\", \"$var(answer)\");\n\texit;\n}}\n"
    )
}

impl<'a> Sides<'a> {
    pub(super) fn start(run: &'a RunDir, members: &[Member]) -> Self {
        let uri = |host: u8| format!("sip:{}:5060", run.address(host));
        let calls = members.iter().map(Member::uri).collect();
        let sets = [calls, (101..105).map(uri).collect()];
        let publisher = published(run, &table(&sets));
        let list = run.write("dispatcher.list", list_text(&sets));
        Self {
            run,
            kamailio: Kamailio::with_text(run, &config(&list)).start(),
            publisher,
            client: SipClient::new(run),
            sets,
        }
    }

    /// Where each key goes now.
    pub(super) fn mappings(&self) -> Mappings {
        let mut found: HashMap<String, (String, String)> = HashMap::new();
        let keys: Vec<String> = (0..KEYS).map(|n| format!("key-{n:05}@kamscale")).collect();
        for window in keys.chunks(WINDOW) {
            while window.iter().any(|key| !found.contains_key(key)) {
                self.ask(window, &mut found);
            }
        }
        let of = |key: &String| found.remove(key).unwrap_or_default();
        let (ours, stock) = keys.iter().map(of).unzip();
        Both { ours, stock }
    }

    fn ask(&self, keys: &[String], found: &mut HashMap<String, (String, String)>) {
        let sip = self.kamailio.sip();
        let missing = keys.iter().filter(|key| !found.contains_key(*key));
        let mut open = 0;
        for key in missing {
            let request = self.client.request("OPTIONS", &format!("sip:{sip}"));
            self.client.send(&request.replacing("Call-ID", key), sip);
            open += 1;
        }
        for _ in 0..open {
            let Some(reply) = self.client.receive(PATIENCE) else {
                return;
            };
            let mut words = reply.start_line().split(' ').skip(2);
            let mut word = || words.next().unwrap_or_default().to_owned();
            let key = reply.header("Call-ID").unwrap_or_default().to_owned();
            found.insert(key, (word(), word()));
        }
    }

    /// These members from now on, on both sides: a publication, and the list with a reload.
    pub(super) fn change(&mut self, sets: &[Vec<String>; 2]) {
        self.publish(sets);
        self.run.write("dispatcher.list", list_text(sets));
        self.kamailio.rpc(&["dispatcher.reload"]);
    }

    pub(super) fn publish(&mut self, sets: &[Vec<String>; 2]) {
        let done = self.publisher.publish(&table(sets));
        done.unwrap_or_else(|e| panic!("publishing: {e}"));
    }

    /// From the start, this change of a set on both sides; the dispatcher by its own command for it.
    pub(super) fn moved(
        &mut self,
        sets: &[Vec<String>; 2],
        command: &[&str],
    ) -> (Mappings, Mappings) {
        let start = self.sets.clone();
        self.change(&start);
        let before = self.mappings();
        self.publish(sets);
        self.kamailio.rpc(command);
        (before, self.mappings())
    }
}

/// What `kamscale.members` says of a member.
pub(super) fn ours_of(kamailio: &Kamailio<'_>, pool: &str, uri: &str) -> Value {
    let name = name(uri);
    let mut members = kamailio.rpc(&["kamscale.members", pool]).into_iter();
    members.find(|m| m["member"] == name).unwrap_or_default()
}

/// What `dispatcher.list` says of a destination.
pub(super) fn stock_of(kamailio: &Kamailio<'_>, uri: &str) -> Value {
    fn find<'v>(value: &'v Value, uri: &str) -> Option<&'v Value> {
        match value {
            Value::Object(fields) if fields.get("URI").is_some_and(|u| *u == uri) => Some(value),
            Value::Object(fields) => fields.values().find_map(|v| find(v, uri)),
            Value::Array(items) => items.iter().find_map(|v| find(v, uri)),
            _ => None,
        }
    }
    let list = Value::Array(kamailio.rpc(&["dispatcher.list"]));
    find(&list, uri).cloned().unwrap_or_default()
}

/// Calls on each member of the first set, on both sides.
pub(super) fn counted(kamailio: &Kamailio<'_>, uris: &[String]) -> Both<Vec<u64>> {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    Both {
        ours: uris
            .iter()
            .map(|uri| number(&ours_of(kamailio, "calls", uri)["calls"]))
            .collect(),
        stock: uris
            .iter()
            .map(|uri| number(&stock_of(kamailio, uri)["RUNTIME"]["DLGLOAD"]))
            .collect(),
    }
}
