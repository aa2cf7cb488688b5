//! Two phones behind NAT that call each other: the call passes the LB twice. The CCP is a Kamailio with the
//! stock registrar, which takes Path only from who says that it supports it.

use kamscale_tests::{Kamailio, PATIENCE, RunDir, SipClient, SipMessage, wait_until};

use super::{lb, of, tier};
use crate::support::{reply_at, request_at};

const CCP: &str = r#"
debug=2
children=2
listen=KS_LISTEN
disable_tcp=yes
auto_aliases=no
alias="example.test"
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("ctl", "binrpc", KS_CTL)
modparam("rr", "enable_full_lr", 1)
modparam("registrar", "use_path", 1)
request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route() || is_method("ACK")) t_relay();
        exit;
    }
    if (is_method("REGISTER")) { save("location"); exit; }
    record_route();
    remove_hf("Route");
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
}
"#;

/// A phone behind NAT: what it says of itself is not where it is.
struct Phone<'a> {
    name: &'a str,
    believed: String,
    client: SipClient,
    lb: &'a Kamailio<'a>,
}

impl<'a> Phone<'a> {
    fn new(run: &RunDir, name: &'a str, lb: &'a Kamailio<'a>) -> Self {
        let phone = Self {
            name,
            believed: format!("sip:{name}@192.168.7.7:5062"),
            client: SipClient::new(run),
            lb,
        };
        let register = phone
            .request("REGISTER", "sip:example.test")
            .replacing("To", &format!("<sip:{name}@example.test>"))
            .with("Expires", 600);
        let reply = phone.client.exchange(&register, lb.sip(), PATIENCE);
        assert_eq!(reply.and_then(|r| r.status()), Some(200), "{name}");
        phone
    }

    fn request(&self, method: &str, uri: &str) -> SipMessage {
        let via = self.client.via();
        let via = via.replace(&self.client.address().to_string(), "192.168.7.7:5062");
        of(&self.client, self.name, method, uri)
            .replacing("Via", &via)
            .replacing("Contact", &format!("<{}>", self.believed))
    }

    fn answer(&self, request: &SipMessage, status: u16) {
        let reply = SipMessage::reply(request, status, "Phone", self.name)
            .with("Contact", format!("<{}>", self.believed));
        self.client.send(&reply, self.lb.sip());
    }
}

#[test]
fn two_phones_behind_nat_call_each_other_and_either_may_hang_up() {
    let run = RunDir::new("lb two phones");
    let ccp = Kamailio::with_text(&run, CCP).named("ccp").start();
    let _tier = tier(&run, "lb", &[format!("sip:{}", ccp.sip())]);
    let lb = lb(&run, "lb").start();
    let (alice, bob) = (Phone::new(&run, "alice", &lb), Phone::new(&run, "bob", &lb));
    let inside = ccp.sip().ip().to_string();
    let hidden = |message: &SipMessage| {
        let text = message.to_string();
        assert!(!text.contains(&inside), "{inside} is shown:\n{text}");
    };
    for alice_hangs_up in [true, false] {
        let invite = alice.request("INVITE", "sip:bob@example.test");
        let mut call = alice.client.start_call(lb.sip(), invite);
        let rings = request_at(&bob.client, "INVITE");
        assert_eq!(
            rings.start_line(),
            format!("INVITE {} SIP/2.0", bob.believed)
        );
        hidden(&rings);
        bob.answer(&rings, 180);
        bob.answer(&rings, 200);
        hidden(&call.final_reply());
        call.ack();
        let ack = request_at(&bob.client, "ACK");
        assert_eq!(ack.start_line(), format!("ACK {} SIP/2.0", bob.believed));
        if alice_hangs_up {
            let bye = call.in_dialog("BYE", 2);
            alice.client.send(&bye, lb.sip());
            let seen = request_at(&bob.client, "BYE");
            assert_eq!(seen.start_line(), format!("BYE {} SIP/2.0", bob.believed));
            hidden(&seen);
            bob.answer(&seen, 200);
            assert_eq!(reply_at(&alice.client).status(), Some(200));
        } else {
            let bye = bye_of_callee(&bob.client, &rings, "bob");
            bob.client.send(&bye, lb.sip());
            let seen = request_at(&alice.client, "BYE");
            assert_eq!(seen.start_line(), format!("BYE {} SIP/2.0", alice.believed));
            hidden(&seen);
            alice.answer(&seen, 200);
            assert_eq!(reply_at(&bob.client).status(), Some(200));
        }
        wait_until("no call is left", PATIENCE, || {
            lb.observed("lb").members.iter().all(|m| m.calls == 0)
        });
    }
}

/// The BYE of a phone that was called, along the way that its INVITE had.
pub(super) fn bye_of_callee(phone: &SipClient, invite: &SipMessage, tag: &str) -> SipMessage {
    let of_invite = |name| invite.header(name).unwrap_or_default();
    let bye = SipMessage::request("BYE", invite.uri_of("Contact").unwrap_or_default())
        .with("Via", phone.via())
        .with("Max-Forwards", 70)
        .with("From", format!("{};tag={tag}", of_invite("To")))
        .with("To", of_invite("From"))
        .with("Call-ID", of_invite("Call-ID"))
        .with("CSeq", "1 BYE");
    let routes = invite.headers("Record-Route");
    routes.fold(bye, |bye, route| bye.with("Route", route))
}
