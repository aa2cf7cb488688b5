//! A whole call through the one worker of a Kamailio under callgrind: INVITE, 200, ACK, BYE, 200. Caller
//! and member are played by hand, so that nothing is sent twice: each message is one dump.

use std::fmt::Write as _;
use std::net::SocketAddr;

use kamscale_shm::limits::{DEFAULT_HASH_BITS, DEFAULT_WEIGHT};
use kamscale_shm::options::{MemberOptions, PoolOptions};
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, TableSpec};

use super::bed::{Bed, Manager};
use super::{cost, published, script};
use crate::call::Call;
use crate::client::SipClient;
use crate::message::SipMessage;
use crate::run::RunDir;
use crate::wait::PATIENCE;

/// What Kamailio handles in one call, in this order.
pub const MESSAGES: [&str; 5] = ["INVITE", "200", "ACK", "BYE", "200 of BYE"];
/// Calls before the measured ones: what a worker does once is done.
const WARM_UP: u32 = 10;
const CALLS: u32 = 40;

/// How the member of a call is found. Everything else of the configuration is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `ks_select_dst` with this algorithm; it remembers for failover and counts the call by its dialog.
    Ours(&'static str),
    /// `ds_select_dst` with algorithm 10, its own count of calls, and one member more for failover.
    Stock,
    /// `$du` is a constant.
    Fixed,
}

/// What one call costs in one way, as means.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallCost {
    /// Instructions of each of [`MESSAGES`].
    pub each: [f64; MESSAGES.len()],
}

impl CallCost {
    /// Of the whole call.
    #[must_use]
    pub fn whole(&self) -> f64 {
        self.each.iter().sum()
    }
}

/// One kind of run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How the member is found.
    pub way: Way,
    /// Members of the pool.
    pub members: usize,
    /// Whether the dialog module follows the call. Ours needs it for counting calls.
    pub dialog: bool,
    /// The memory manager.
    pub manager: Manager,
}

impl Way {
    /// What the script does with a new call; `dialog` if it is to be followed.
    fn select(self, dialog: bool, member: &str) -> String {
        let manage = if dialog { "\tdlg_manage();\n" } else { "" };
        let refuse = "{ sl_send_reply(\"503\", \"No Member\"); exit; }";
        match self {
            // It manages the dialog by itself.
            Self::Ours(algorithm) => {
                format!("\tif (!ks_select_dst(\"calls\", \"{algorithm}\")) {refuse}\n")
            }
            Self::Stock => format!(
                "{manage}\tif (!ds_select_dst(\"1\", \"10\", \"2\")) {refuse}\n\
                 \tt_on_reply(\"LOAD\");\n"
            ),
            Self::Fixed => format!("{manage}\t$du = \"{member}\";\n"),
        }
    }

    fn in_dialog(self) -> &'static str {
        match self {
            Self::Stock => "\t\tif (is_method(\"BYE\")) ds_load_update();\n",
            Self::Ours(_) | Self::Fixed => "",
        }
    }

    fn failed(self) -> &'static str {
        match self {
            Self::Ours(_) => "if (ks_next_dst()) { t_relay(); }",
            Self::Stock => {
                "ds_load_unset(); if (ds_next_dst()) { t_on_reply(\"LOAD\"); t_relay(); }"
            }
            Self::Fixed => "exit;",
        }
    }
}

fn config(setting: &Setting, list: &std::path::Path, member: &str) -> String {
    let mut parameters = String::from(
        "loadmodule \"rr.so\"\nloadmodule \"textops.so\"\n\
         modparam(\"rr\", \"enable_full_lr\", 1)\n\
         modparam(\"tm\", \"retr_timer1\", 30000)\nmodparam(\"tm\", \"fr_timer\", 60000)\n\
         modparam(\"dispatcher\", \"flags\", 2)\nmodparam(\"dispatcher\", \"ds_hash_size\", 8)\n",
    );
    if setting.dialog {
        parameters += "loadmodule \"dialog.so\"\n";
    }
    let mut text = script::head(1, list, &parameters);
    let way = setting.way;
    let _ = write!(
        text,
        "request_route {{\n\
         \tif (has_totag()) {{\n\
         \t\tif (!loose_route()) {{ sl_send_reply(\"404\", \"Not Here\"); exit; }}\n\
         {}\t\tt_relay();\n\t\texit;\n\t}}\n\
         \tif (!is_method(\"INVITE\")) {{ sl_send_reply(\"405\", \"No\"); exit; }}\n\
         \trecord_route();\n{}\tt_on_failure(\"FAILED\");\n\tt_relay();\n}}\n\
         failure_route[FAILED] {{ {} }}\n\
         onreply_route[LOAD] {{\n\tif (status =~ \"^2\") ds_load_update();\n}}\n",
        way.in_dialog(),
        way.select(setting.dialog, member),
        way.failed(),
    );
    text
}

/// Members that differ, all at one address.
fn uri(at: SocketAddr, index: usize) -> String {
    format!("sip:{at};m={index:05}")
}

fn table(at: SocketAddr, members: usize) -> TableSpec {
    let member = |index| MemberSpec {
        name: format!("m{index}"),
        uri: uri(at, index),
        state: DesiredState::Active,
        weight: DEFAULT_WEIGHT,
        priority: 0,
        capacity: 1000,
        options: MemberOptions::default(),
    };
    TableSpec {
        pools: vec![PoolSpec {
            name: "calls".into(),
            hash_bits: DEFAULT_HASH_BITS,
            members: (0..members).map(member).collect(),
            options: PoolOptions::default(),
        }],
    }
}

fn list(at: SocketAddr, members: usize) -> String {
    (0..members).fold(String::new(), |mut list, index| {
        let _ = writeln!(
            list,
            "1 {} 0 0 duid=m{index:05};maxload=1000",
            uri(at, index)
        );
        list
    })
}

/// Plays calls and counts their instructions.
///
/// # Panics
/// If a call does not take its course.
#[must_use]
pub fn measure(setting: &Setting) -> CallCost {
    let run = RunDir::new("call");
    let phone = SipClient::new(&run);
    let _publisher = published(&run, &table(phone.address(), setting.members));
    let members = run.write("dispatcher.list", list(phone.address(), setting.members));
    let text = config(setting, &members, &uri(phone.address(), 0));
    let bed = Bed::start(&run, &text, setting.manager, true);
    let caller = SipClient::new(&run);
    let mut cost = CallCost::default();
    for number in 0..WARM_UP + CALLS {
        play(&bed, &caller, &phone, number);
        let counts = MESSAGES.map(|_| bed.counted());
        if number >= WARM_UP {
            for (each, count) in cost.each.iter_mut().zip(counts) {
                *each += cost::number(count) / f64::from(CALLS);
            }
        }
    }
    cost
}

/// One call, step by step.
fn play(bed: &Bed<'_>, caller: &SipClient, phone: &SipClient, number: u32) {
    let invite = caller.request("INVITE", &format!("sip:room@{}", bed.sip()));
    // As long in every run.
    let invite = invite
        .replacing("Call-ID", &format!("{number:08}-call@kamscale"))
        .replacing("From", &format!("<sip:caller@kamscale>;tag=c{number:08}"))
        .replacing("Via", &via(caller, number, "a"));
    let mut call = Call::start(caller, bed.sip(), invite);
    answer(bed, phone, &request_at(bed, phone, "INVITE"));
    call.answered();
    let _ = request_at(bed, phone, "ACK");
    let bye = call.in_dialog("BYE", 2);
    caller.send(&bye.replacing("Via", &via(caller, number, "b")), bed.sip());
    answer(bed, phone, &request_at(bed, phone, "BYE"));
    let done = caller.receive(PATIENCE);
    let status = done.as_ref().and_then(SipMessage::status);
    assert_eq!(status, Some(200), "the BYE: {done:?}\n{}", bed.log());
}

fn via(caller: &SipClient, number: u32, step: &str) -> String {
    let at = caller.address();
    format!("SIP/2.0/UDP {at};rport;branch=z9hG4bK-{step}{number:08}")
}

fn request_at(bed: &Bed<'_>, phone: &SipClient, method: &str) -> SipMessage {
    let message = phone.receive(PATIENCE);
    let is = message.as_ref().and_then(SipMessage::method);
    assert_eq!(is, Some(method), "at the member:\n{}", bed.log());
    message.unwrap_or_else(|| unreachable!("asserted above"))
}

fn answer(bed: &Bed<'_>, phone: &SipClient, request: &SipMessage) {
    let contact = format!("<sip:member@{}>", phone.address());
    let reply = SipMessage::reply(request, 200, "OK", "member").with("Contact", contact);
    phone.send(&reply, bed.sip());
}
