//! Three nodes, each with shared files of its own, and a net between them; the members are the same.

use std::net::SocketAddr;
use std::time::Duration;

use kamscale_shm::{Publisher, TableSpec};
use kamscale_tests::{Kamailio, Member, PATIENCE, Relay, RunDir, wait_until};
use serde_json::Value;

use crate::support::{config, member, pool};

/// What a node needs to share; dmq is loaded before our module.
const PARAMETERS: &str = r#"
modparam("tm", "fr_timer", 2000)
modparam("dmq", "server_address", KS_KNOWN)
modparam("dmq", "server_socket", KS_SOCKET)
modparam("dmq", "notification_address", KS_OTHER_1)
modparam("dmq", "notification_address", KS_OTHER_2)
modparam("dmq", "ping_interval", 5)
modparam("kamscale", "share", 1)
modparam("kamscale", "share_timeout_s", 4)
"#;

const ROUTES: &str = r#"
request_route {
    if (is_method("KDMQ")) { dmq_handle_message(); exit; }
    route(IN_DIALOG);
    record_route();
    if ($rU == "least") {
        if (!ks_select_dst("conference", "least_calls")) { sl_send_reply("503", "No Member"); exit; }
    } else {
        if (!ks_select_dst("conference", "sticky", "$rU")) { sl_send_reply("503", "No Member"); exit; }
    }
    t_relay();
}
"#;

/// What all nodes share, and the agents' side of each.
pub(super) struct Site<'r> {
    run: &'r RunDir,
    members: Vec<Member>,
    at: Vec<SocketAddr>,
    pub(super) net: Relay,
    _publishers: Vec<Publisher>,
}

impl<'r> Site<'r> {
    /// Three nodes with so many members `m0`, `m1`, ...
    pub(super) fn new(run: &'r RunDir, members: usize) -> Self {
        let members: Vec<Member> = (0..members)
            .map(|_| Member::start(run.endpoint()))
            .collect();
        let specs = members.iter().enumerate();
        let specs: Vec<_> = specs
            .map(|(i, m)| member(&format!("m{i}"), m.uri()))
            .collect();
        let publish = |node| {
            let mut publisher = Publisher::open(&shm_dir(run, node), "default").unwrap();
            let mut specs = specs.clone();
            // Slots are each node's own.
            let count = specs.len();
            specs.rotate_left(node % count);
            let pools = vec![pool("conference", specs)];
            publisher.publish(&TableSpec { pools }).unwrap();
            publisher
        };
        let at: Vec<SocketAddr> = (0..3).map(|_| run.endpoint()).collect();
        Self {
            run,
            members,
            net: Relay::start(run, &at),
            at,
            _publishers: (0..3).map(publish).collect(),
        }
    }

    /// Where a call is.
    #[track_caller]
    pub(super) fn member_of(&self, call_id: &str) -> usize {
        let has = |m: &Member| m.counts().call_ids.iter().any(|id| id == call_id);
        let found = self.members.iter().position(has);
        found.unwrap_or_else(|| panic!("{call_id} is nowhere"))
    }

    /// Every node has heard all of every other.
    #[track_caller]
    pub(super) fn await_all_know(&self, nodes: &[Kamailio<'_>]) {
        for node in nodes {
            let knows = || {
                let rows = nodes_of(node);
                let complete = rows.iter().filter(|row| row["complete"] == "yes").count();
                complete == nodes.len() - 1
            };
            wait_until(
                "every node knows all of every other",
                PATIENCE + SETTLING,
                knows,
            );
        }
    }

    /// So many keys live on a node, so many of them at other nodes, too.
    #[track_caller]
    pub(super) fn await_keys(&self, node: &Kamailio<'_>, live: u64, elsewhere: u64) {
        let what = format!("{live} keys live, {elsewhere} elsewhere");
        wait_until(&what, PATIENCE + SETTLING, || {
            let status = &node.rpc(&["kamscale.status"])[0];
            let others = &node.rpc(&["kamscale.nodes"])[0];
            (
                status["sticky_keys"].as_u64(),
                others["keys_elsewhere"].as_u64(),
            ) == (Some(live), Some(elsewhere))
        });
    }

    /// Two nodes send the rooms to the same members.
    #[track_caller]
    pub(super) fn await_agreement(&self, a: &Kamailio<'_>, b: &Kamailio<'_>, rooms: &[String]) {
        let place = |node: &Kamailio<'_>, room: &str| {
            node.rpc(&["kamscale.explain", "conference", room, "sticky"])[0]["member"].clone()
        };
        for room in rooms {
            wait_until(
                &format!("{room} has one member"),
                PATIENCE + SETTLING,
                || place(a, room) == place(b, room),
            );
        }
    }
}

/// dmq finds a node again after its next ping, and a lost word is said again in the next cycle.
const SETTLING: Duration = Duration::from_secs(20);

/// The other nodes, as a node sees them.
fn nodes_of(node: &Kamailio<'_>) -> Vec<Value> {
    let answer = node.rpc(&["kamscale.nodes"]);
    answer[0]["nodes"].as_array().cloned().unwrap_or_default()
}

fn shm_dir(run: &RunDir, node: usize) -> std::path::PathBuf {
    run.dir(&format!("shm-{node}"))
}

/// Starts a node.
#[track_caller]
pub(super) fn start<'r>(site: &Site<'r>, node: usize) -> Kamailio<'r> {
    let text = config(PARAMETERS, ROUTES);
    let text = text.replacen(
        "loadmodule KS_MODULE",
        "loadmodule \"dmq.so\"\nloadmodule KS_MODULE",
        1,
    );
    let known = |node: usize| format!("sip:{}", site.net.known(node % 3));
    Kamailio::with_text(site.run, &text)
        .named(&format!("node-{node}"))
        .at(site.at[node])
        .define_text("KS_SHM_DIR", shm_dir(site.run, node).display())
        .define_text("KS_KNOWN", known(node))
        .define_text("KS_SOCKET", format!("udp:{}", site.at[node]))
        .define_text("KS_OTHER_1", known(node + 1))
        .define_text("KS_OTHER_2", known(node + 2))
        .start()
}

/// Starts all three, which then know each other.
#[track_caller]
pub(super) fn three<'r>(site: &Site<'r>) -> [Kamailio<'r>; 3] {
    let nodes = [0, 1, 2].map(|node| start(site, node));
    site.await_all_know(&nodes);
    nodes
}
