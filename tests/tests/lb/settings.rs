//! What a site sets of `lb.cfg`: local.cfg beside the file, and the part with rtpengine.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use kamscale_tests::{
    Kamailio, PATIENCE, Process, RunDir, SipClient, SipMessage, repository, tool, wait_until,
};

use super::{lb, of, tier};

#[test]
fn local_cfg_beside_the_file_sets_what_the_head_lists() {
    let run = RunDir::new("lb local");
    let shipped = fs::read_to_string(repository().join("kamailio-cfg/lb.cfg"));
    let shipped = shipped.unwrap_or_else(|e| panic!("reading lb.cfg: {e}"));
    let file = run.write("etc/lb.cfg", &shipped);
    let sip = run.endpoint();
    let local = format!(
        "#!define KS_ADDRESS {}\n#!define KS_SCANNERS \"nosy\"\n#!define KS_SHM_DIR \"{}\"\n\
         #!define KS_CTL \"unix:{}\"\n#!define KS_KEEPALIVE_FILE \"{}\"\n",
        sip.ip(),
        run.shm_dir().display(),
        run.file("kamailio.ctl").display(),
        run.file("keepalive").display()
    );
    run.write("etc/local.cfg", local);
    let lb = Kamailio::with_file(&run, file)
        .at(sip)
        .without_settings()
        .start();
    let client = SipClient::new(&run);
    assert_eq!(client.options(lb.sip(), PATIENCE), Some(503));

    let head = shipped.split("import_file").next().unwrap_or_default();
    let settings = shipped.lines().filter_map(|l| l.strip_prefix("#!trydef "));
    for setting in settings.filter_map(|l| l.split(' ').next()) {
        assert!(
            head.contains(setting),
            "{setting} is not listed in the head"
        );
    }
}

/// The body of an offer or answer with audio at `host`.
fn sdp(host: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n"
    )
}

fn with_body(message: &SipMessage, body: &str) -> String {
    let head = message
        .clone()
        .with("Content-Type", "application/sdp")
        .to_string();
    let head = head.replace(
        "Content-Length: 0",
        &format!("Content-Length: {}", body.len()),
    );
    format!("{head}{body}")
}

#[track_caller]
fn received(socket: &UdpSocket, start: &str) -> String {
    let mut buffer = [0; 65_536];
    loop {
        let length = socket.recv(&mut buffer);
        let length = length.unwrap_or_else(|e| panic!("no {start}: {e}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with(start) {
            return text;
        }
    }
}

#[test]
fn with_rtpengine_the_media_of_a_call_goes_by_the_edge() {
    let run = RunDir::new("lb rtpengine");
    let media = run.next_address();
    let control = format!("{media}:2223");
    let mut command = Command::new(tool("rtpengine"));
    command.args([
        "--config-file=none",
        "--table=-1",
        "--foreground",
        "--log-stderr",
    ]);
    command.arg(format!("--interface={media}"));
    command.arg(format!("--listen-ng={control}"));
    let _rtpengine = Process::spawn(&run, "rtpengine", &mut command);
    let [caller, ccp] = [run.endpoint(), run.endpoint()];
    let [phone, member] = [caller, ccp].map(|at| {
        let socket = UdpSocket::bind(at).unwrap_or_else(|e| panic!("{at}: {e}"));
        let _ = socket.set_read_timeout(Some(PATIENCE));
        socket
    });
    let _tier = tier(&run, "lb", &[format!("sip:{ccp}")]);
    let setup = lb(&run, "lb").option(&["-A", "WITH_RTPENGINE"]);
    let lb = setup
        .define_text("KS_RTPENGINE", format!("udp:{control}"))
        .start();
    wait_until("rtpengine is used", PATIENCE, || {
        let ping = lb.rpc(&["rtpengine.ping", "all"]);
        ping.iter().any(|answer| answer["status"] == "success")
    });

    let from = SipClient::new(&run); // makes the headers; the socket above is the phone
    let via = format!("SIP/2.0/UDP {caller};rport;branch=z9hG4bKmedia");
    let invite = of(&from, "alice", "INVITE", "sip:bob@example.test").replacing("Via", &via);
    let offer = with_body(&invite, &sdp("192.168.7.7"));
    let _ = phone.send_to(offer.as_bytes(), lb.sip());
    let seen = received(&member, "INVITE");
    assert!(seen.contains(&format!("c=IN IP4 {media}")), "{seen}");
    assert!(!seen.contains("IP4 192.168.7.7"), "{seen}");
    let request: SipMessage = seen.parse().unwrap_or_else(|_| panic!("{seen}"));
    let reply =
        SipMessage::reply(&request, 200, "OK", "ccp").with("Contact", format!("<sip:{ccp}>"));
    let answer = with_body(&reply, &sdp("10.9.9.9"));
    let _ = member.send_to(answer.as_bytes(), lb.sip());
    let answered = received(&phone, "SIP/2.0 200");
    assert!(
        answered.contains(&format!("c=IN IP4 {media}")),
        "{answered}"
    );
    assert!(!answered.contains("10.9.9.9"), "{answered}");
}
