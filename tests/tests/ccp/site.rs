//! A site with one database, some core nodes, and media servers that the tests play; phones stand behind one
//! address, that of the load balancer.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use kamscale_shm::{PoolSpec, Publisher, TableSpec};
use kamscale_tests::{
    Call, Database, Kamailio, KamailioSetup, Member, PATIENCE, Phone, RunDir, SipMessage, wait_for,
    wait_until,
};

use crate::support::{answer, lines, member, pool, request_at};

pub(super) const DOMAIN: &str = "example.test";

/// What all nodes share.
pub(super) struct Site<'r> {
    pub(super) run: &'r RunDir,
    pub(super) database: Database<'r>,
    pub(super) conference: Vec<Member>,
    pub(super) queue: Vec<Member>,
    pub(super) voicemail: Member,
    pub(super) ivr: Member,
    lb: Ipv4Addr,
    next_port: Cell<u16>,
}

/// A node and the agent's side of it.
pub(super) struct Node<'r> {
    pub(super) kamailio: Kamailio<'r>,
    pub(super) agent: Publisher,
}

impl<'r> Site<'r> {
    /// With a database that knows these subscribers; each one's password is the name.
    pub(super) fn new(run: &'r RunDir, subscribers: &[&str]) -> Self {
        let database = Database::start(run);
        for name in subscribers {
            database.subscriber(name, DOMAIN, name);
        }
        let two = || (0..2).map(|_| Member::start(run.endpoint())).collect();
        Self {
            run,
            database,
            conference: two(),
            queue: two(),
            voicemail: Member::start(run.endpoint()),
            ivr: Member::start(run.endpoint()),
            lb: run.next_address(),
            next_port: Cell::new(6000),
        }
    }

    /// A fresh address of the load balancer, for a phone behind it.
    pub(super) fn outside(&self) -> SocketAddr {
        let port = self.next_port.get();
        self.next_port.set(port + 1);
        SocketAddr::from((self.lb, port))
    }

    /// A subscriber's phone.
    pub(super) fn phone(&self, user: &str) -> Phone {
        Phone::at(self.outside(), user, DOMAIN, user)
    }

    /// A phone that is registered at the node.
    #[track_caller]
    pub(super) fn registered(&self, user: &str, node: &Node<'_>) -> Phone {
        let phone = self.phone(user);
        assert_eq!(
            phone.register(node.kamailio.sip()),
            200,
            "REGISTER of {user}"
        );
        phone
    }

    /// The pools as an agent publishes them.
    pub(super) fn pools(&self) -> Vec<PoolSpec> {
        let named = |name: &str, members: &[Member]| {
            let members = (0..).zip(members);
            let members = members.map(|(i, m): (u32, _)| member(&format!("{name}-{i}"), m.uri()));
            pool(name, members.collect())
        };
        let mut lb = pool("lb", vec![member("lb-0", format!("sip:{}", self.lb))]);
        lb.options.probe.interval_ms = Some(0);
        vec![
            lb,
            named("conference", &self.conference),
            named("queue", &self.queue),
            named("voicemail", std::slice::from_ref(&self.voicemail)),
            named("ivr", std::slice::from_ref(&self.ivr)),
        ]
    }

    /// INVITEs so far, by feature.
    pub(super) fn invites(&self) -> [(&'static str, u64); 4] {
        let of = |members: &[Member]| members.iter().map(|m| m.counts().invites).sum();
        [
            ("conference", of(&self.conference)),
            ("queue", of(&self.queue)),
            ("voicemail", self.voicemail.counts().invites),
            ("ivr", self.ivr.counts().invites),
        ]
    }

    /// The setup of a node, with files of its own.
    pub(super) fn setup(&self, name: &str) -> KamailioSetup<'r> {
        let url = self.database.url(self.database.address());
        Kamailio::ccp(self.run)
            .named(name)
            .define_text("KS_SHM_DIR", self.shm_dir(name).display())
            .define_text("KS_DB_URL", url)
            .define("KS_CHILDREN", 2)
            .define("KS_PROBE_INTERVAL_S", 1)
    }

    pub(super) fn shm_dir(&self, name: &str) -> PathBuf {
        self.run.dir(&format!("shm-{name}"))
    }

    /// Starts a node as it stands.
    #[track_caller]
    pub(super) fn node(&self, name: &str) -> Node<'r> {
        self.start(name, self.setup(name))
    }

    /// Takes the part of the node's agent.
    pub(super) fn publish(&self, name: &str) -> Publisher {
        let mut agent = Publisher::open(&self.shm_dir(name), "ccp").unwrap();
        let pools = self.pools();
        agent.publish(&TableSpec { pools }).unwrap();
        agent
    }

    /// Starts a node with its agent's side, and waits until it uses the media servers.
    #[track_caller]
    pub(super) fn start(&self, name: &str, setup: KamailioSetup<'r>) -> Node<'r> {
        let agent = self.publish(name);
        let node = Node {
            kamailio: setup.start(),
            agent,
        };
        wait_until("the media servers are in use", PATIENCE, || {
            let pools = node.kamailio.rpc(&["kamscale.pools"]);
            pools.len() == 5 && pools.iter().all(|pool| pool["usable"] == pool["members"])
        });
        node
    }
}

/// Requests of a feature at a node, those admitted and those refused.
#[track_caller]
pub(super) fn counts(node: &Node<'_>, feature: &str) -> [u64; 3] {
    let features = node.kamailio.rpc(&["kamscale.features"]);
    let found = features.iter().find(|f| f["feature"] == feature);
    let found = found.unwrap_or_else(|| panic!("no {feature} in {features:?}"));
    ["requests", "admitted", "refused"].map(|name| found[name].as_u64().unwrap_or(u64::MAX))
}

impl Node<'_> {
    /// Awaits that no call is left.
    #[track_caller]
    pub(super) fn is_quiet(&self) {
        wait_until("no dialog is left", PATIENCE, || {
            self.kamailio.statistic("dialog:active_dialogs") == 0
        });
    }

    /// Nothing went wrong with the database by its log.
    #[track_caller]
    pub(super) fn has_no_errors(&self) {
        let log = self.kamailio.log();
        let errors = lines(&log, &["ERROR"]);
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// The callee takes a call that rings: what it was offered.
#[track_caller]
pub(super) fn take(callee: &Phone, node: &Node<'_>, call: &mut Call<'_>) -> SipMessage {
    let invite = request_at(callee.client(), "INVITE");
    answer(callee.client(), node.kamailio.sip(), &invite, 180);
    answer(callee.client(), node.kamailio.sip(), &invite, 200);
    call.answered();
    invite
}

/// The caller hangs up.
#[track_caller]
pub(super) fn hang_up(callee: &Phone, node: &Node<'_>, call: &Call<'_>) {
    std::thread::scope(|scope| {
        let bye = scope.spawn(|| call.bye());
        let request = request_at(callee.client(), "BYE");
        answer(callee.client(), node.kamailio.sip(), &request, 200);
        assert_eq!(bye.join().unwrap(), 200);
    });
}

/// Awaits a NOTIFY whose body has this word; every NOTIFY is answered.
#[track_caller]
pub(super) fn notified(phone: &Phone, node: &Node<'_>, word: &str) -> SipMessage {
    wait_for(&format!("a NOTIFY with {word}"), PATIENCE, || {
        let notify = request_at(phone.client(), "NOTIFY");
        answer(phone.client(), node.kamailio.sip(), &notify, 200);
        notify.body().contains(word).then_some(notify)
    })
}
