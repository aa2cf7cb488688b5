//! A call that comes back with its Call-ID, sent by a proxy that it was sent to: one dialog, counted on the
//! proxy and on the member that takes it in the end.

use std::net::SocketAddr;

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, SipMessage};

use crate::support::{await_calls, config, member, pool, publisher, request_at, uri_of};

/// What is for `edge` goes to the proxy, all else to the pool of that name.
const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("$rU", "round_robin")) { sl_send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// Plays a proxy for one call: sends the INVITE back as one for `conference`, and the replies the way that
/// it came, to the final one.
fn play_proxy(proxy: &SipClient, kamailio: SocketAddr) {
    let sent = |message: &str| -> SipMessage {
        message
            .parse()
            .unwrap_or_else(|_| panic!("no message: {message}"))
    };
    let invite = request_at(proxy, "INVITE").to_string();
    let via = format!("\r\nVia: {}\r\nVia:", proxy.via());
    let back = invite
        .replacen("sip:edge@", "sip:conference@", 1)
        .replacen("\r\nVia:", &via, 1);
    proxy.send(&sent(&back), kamailio);
    loop {
        let reply = proxy.receive(PATIENCE).expect("a reply to the INVITE");
        let Some(status) = reply.status().filter(|status| *status > 100) else {
            continue;
        };
        let text = reply.to_string();
        let (start, rest) = text.split_once("\r\nVia:").expect("its own Via");
        let (_, rest) = rest.split_once("\r\n").expect("the other Vias");
        proxy.send(&sent(&format!("{start}\r\n{rest}")), kamailio);
        if status >= 200 {
            return;
        }
    }
}

#[test]
fn a_call_that_its_proxy_sends_back_is_counted_on_both_members_until_it_ends() {
    let run = RunDir::new("spirals");
    let proxy = SipClient::new(&run);
    let callee = Member::start(run.endpoint());
    let _publisher = publisher(
        &run,
        vec![
            pool("edge", vec![member("m", uri_of(&proxy))]),
            pool("conference", vec![member("m", callee.uri())]),
        ],
    );
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let sip = kamailio.sip();
    let client = SipClient::new(&run);
    let counted = |now, ever| {
        for pool in ["edge", "conference"] {
            await_calls(&kamailio, pool, "m", now, ever);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| play_proxy(&proxy, sip));
        let mut call = client.invite(sip, "edge");
        call.answered();
        counted(1, 1);
        assert_eq!(call.bye(), 200);
        counted(0, 1);
    });

    callee.answer_invites(Answer::Status(486));
    std::thread::scope(|scope| {
        scope.spawn(|| play_proxy(&proxy, sip));
        let mut call = client.invite(sip, "edge");
        assert_eq!(call.final_status(), 486);
        counted(0, 2);
    });
}
