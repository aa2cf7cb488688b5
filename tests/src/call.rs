//! One call of a [`SipClient`]: every message of it is sent when the test says so, and never by
//! itself (but for the ACK that a refused INVITE must get).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::SipClient;
use crate::message::SipMessage;
use crate::wait::PATIENCE;

/// A call, from its INVITE on.
#[derive(Debug)]
pub struct Call<'a> {
    client: &'a SipClient,
    target: SocketAddr,
    invite: SipMessage,
    replies: Vec<SipMessage>,
}

impl<'a> Call<'a> {
    pub(crate) fn start(client: &'a SipClient, target: SocketAddr, invite: SipMessage) -> Self {
        client.send(&invite, target);
        Self::of(client, target, invite)
    }

    /// The call of an INVITE that was sent already.
    pub(crate) fn of(client: &'a SipClient, target: SocketAddr, invite: SipMessage) -> Self {
        Self {
            client,
            target,
            invite,
            replies: Vec::new(),
        }
    }

    /// Sends the very same INVITE once more.
    pub fn send_again(&self) {
        self.client.send(&self.invite, self.target);
    }

    /// Tries again as a caller does after a refusal: the same Call-ID and tag, the next number. An
    /// attempt of its own.
    #[must_use]
    pub fn try_again(&self) -> Self {
        let number = self.number() + 1;
        let invite = self.invite.clone().replacing("Via", &self.client.via());
        let invite = invite.replacing("CSeq", &format!("{number} INVITE"));
        Self::start(self.client, self.target, invite)
    }

    /// The number of its INVITE.
    fn number(&self) -> u32 {
        self.invite.cseq().map_or(1, |(number, _)| number)
    }

    /// Its Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.invite.header("Call-ID").unwrap_or_default()
    }

    /// What was answered so far.
    #[must_use]
    pub fn replies(&self) -> &[SipMessage] {
        &self.replies
    }

    /// Waits for the next reply to the INVITE.
    pub fn next_reply(&mut self, patience: Duration) -> Option<SipMessage> {
        let end = Instant::now() + patience;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let message = self.client.receive(rest)?;
            let ours = message.header("Call-ID") == Some(self.call_id());
            if ours && message.cseq().is_some_and(|(_, m)| m == "INVITE") {
                self.replies.push(message.clone());
                return Some(message);
            }
        }
    }

    /// Waits for the final reply; a refusal is acknowledged at once, a 200 is left to [`Self::ack`].
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn final_reply(&mut self) -> SipMessage {
        loop {
            let reply = self.next_reply(PATIENCE);
            let reply = reply.unwrap_or_else(|| panic!("no final reply to {}", self.call_id()));
            match reply.status() {
                Some(200..300) => return reply,
                Some(300..) => {
                    self.acknowledge_refusal(&reply);
                    return reply;
                }
                _ => {}
            }
        }
    }

    /// Notes a final reply to the INVITE that was received otherwise, and acknowledges it.
    pub fn take(&mut self, reply: SipMessage) {
        let is_answered = reply.status().is_some_and(|s| s < 300);
        if !is_answered {
            self.acknowledge_refusal(&reply);
        }
        self.replies.push(reply);
        if is_answered {
            self.ack();
        }
    }

    /// The status of [`Self::final_reply`].
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn final_status(&mut self) -> u16 {
        self.final_reply().status().unwrap_or(0)
    }

    /// Waits for the 200 and acknowledges it.
    ///
    /// # Panics
    /// If another final reply comes, or none.
    #[track_caller]
    pub fn answered(&mut self) {
        let reply = self.final_reply();
        assert_eq!(reply.status(), Some(200), "{}", reply.start_line());
        self.ack();
    }

    /// Acknowledges the 200.
    pub fn ack(&self) {
        let ack = self.in_dialog("ACK", self.number());
        self.client.send(&ack, self.target);
    }

    /// Hangs up and returns the status of the answer.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn bye(&self) -> u16 {
        let bye = self.in_dialog("BYE", self.number() + 1);
        let reply = self.client.exchange(&bye, self.target, PATIENCE);
        let status = reply.as_ref().and_then(SipMessage::status);
        status.unwrap_or_else(|| panic!("no answer to the BYE of {}", self.call_id()))
    }

    /// Gives up an INVITE that is not answered yet; the 487 comes as the final reply.
    pub fn cancel(&self) {
        let cancel = self.sibling("CANCEL");
        self.client.send(&cancel, self.target);
    }

    /// A request within the dialog that the 200 made, along its recorded route.
    ///
    /// # Panics
    /// If no 200 was received.
    #[must_use]
    #[track_caller]
    pub fn in_dialog(&self, method: &str, cseq: u32) -> SipMessage {
        let made = self.replies.iter().rfind(|r| r.status() == Some(200));
        let made = made.unwrap_or_else(|| panic!("{} is not answered", self.call_id()));
        let uri = made.uri_of("Contact").unwrap_or("sip:nowhere@127.0.0.1");
        let mut request = SipMessage::request(method, uri)
            .with("Via", self.client.via())
            .with("Max-Forwards", 70);
        let routes = made.headers("Record-Route").flat_map(|h| h.split(','));
        let routes: Vec<&str> = routes.map(str::trim).collect();
        for route in routes.iter().rev() {
            request = request.with("Route", route);
        }
        request
            .with("From", self.invite.header("From").unwrap_or_default())
            .with("To", made.header("To").unwrap_or_default())
            .with("Call-ID", self.call_id())
            .with("CSeq", format!("{cseq} {method}"))
    }

    /// A request that shares the INVITE's transaction.
    fn sibling(&self, method: &str) -> SipMessage {
        let uri = self.invite.start_line().split(' ').nth(1);
        let copied = |name| self.invite.header(name).unwrap_or_default();
        SipMessage::request(method, uri.unwrap_or_default())
            .with("Via", copied("Via"))
            .with("Max-Forwards", 70)
            .with("From", copied("From"))
            .with("To", copied("To"))
            .with("Call-ID", copied("Call-ID"))
            .with("CSeq", format!("{} {method}", self.number()))
    }

    fn acknowledge_refusal(&self, reply: &SipMessage) {
        let mut ack = self.sibling("ACK");
        ack = ack.replacing("To", reply.header("To").unwrap_or_default());
        self.client.send(&ack, self.target);
    }
}
