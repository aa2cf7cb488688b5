//! A subscriber's phone: a [`SipClient`] that answers challenges (digest with qop `auth`), registers and calls.
//! The load balancer that a real phone has before it is played along: the phone adds its own address as Path.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::call::Call;
use crate::client::SipClient;
use crate::message::SipMessage;
use crate::wait::PATIENCE;

/// A phone with a subscriber's name and password.
#[derive(Debug)]
pub struct Phone {
    client: SipClient,
    user: String,
    domain: String,
    password: String,
    /// How often each answered challenge was used.
    count: AtomicU32,
}

/// So often a request is answered that its nonce is stale.
const STALE_MAX: u32 = 4;

/// The challenge in a reply, and the header that answers it.
fn challenge(reply: &SipMessage) -> Option<(&str, &'static str)> {
    match reply.status() {
        Some(401) => Some((reply.header("WWW-Authenticate")?, "Authorization")),
        Some(407) => Some((reply.header("Proxy-Authenticate")?, "Proxy-Authorization")),
        _ => None,
    }
}

impl Phone {
    /// A phone at this address.
    ///
    /// # Panics
    /// If the address cannot be had.
    #[must_use]
    #[track_caller]
    pub fn at(local: SocketAddr, user: &str, domain: &str, password: &str) -> Self {
        Self {
            client: SipClient::at(local),
            user: user.into(),
            domain: domain.into(),
            password: password.into(),
            count: AtomicU32::new(0),
        }
    }

    /// Its socket, for what it gets.
    #[must_use]
    pub fn client(&self) -> &SipClient {
        &self.client
    }

    /// Its subscriber's address.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("sip:{}@{}", self.user, self.domain)
    }

    /// A request of the subscriber to somebody of the domain.
    #[must_use]
    pub fn request(&self, method: &str, to: &str) -> SipMessage {
        let local = self.client.address();
        let uri = format!("sip:{to}@{}", self.domain);
        let request = self.client.request(method, &uri);
        let tag = request.header("From").and_then(|f| f.split_once(";tag="));
        let from = format!("<{}>;tag={}", self.uri(), tag.map_or("t", |(_, tag)| tag));
        let contact = format!("<sip:{}@{local}>", self.user);
        request
            .replacing("From", &from)
            .replacing("Contact", &contact)
    }

    /// The request's final answer; a challenge is answered once, and once more each time that says no
    /// more than that the nonce is stale (RFC 7616, 3.3), as phones do.
    ///
    /// # Panics
    /// If no answer comes.
    #[track_caller]
    pub fn ask(&self, request: &SipMessage, target: SocketAddr) -> SipMessage {
        let mut reply = self.exchange(request, target);
        let mut asked = request.clone();
        for attempt in 0..STALE_MAX {
            let stale = challenge(&reply).is_some_and(|(text, _)| text.contains("stale=true"));
            let Some(again) = self
                .answering(&asked, &reply)
                .filter(|_| attempt == 0 || stale)
            else {
                break;
            };
            reply = self.exchange(&again, target);
            asked = again;
        }
        reply
    }

    #[track_caller]
    fn exchange(&self, request: &SipMessage, target: SocketAddr) -> SipMessage {
        let reply = self.client.exchange(request, target, PATIENCE);
        reply.unwrap_or_else(|| panic!("no answer to {}", request.start_line()))
    }

    /// The same request with an answer to the challenge in the reply, if that is one.
    #[must_use]
    pub fn answering(&self, request: &SipMessage, reply: &SipMessage) -> Option<SipMessage> {
        let (challenge, name) = challenge(reply)?;
        let mut words = request.start_line().split(' ');
        let (method, uri) = (words.next()?, words.next()?);
        let answer = self.digest(challenge, method, uri)?;
        let (number, _) = request.cseq()?;
        let again = request.clone().replacing("Via", &self.client.via());
        let again = again.replacing("CSeq", &format!("{} {method}", number + 1));
        Some(match again.header(name) {
            Some(_) => again.replacing(name, &answer),
            None => again.with(name, answer),
        })
    }

    fn digest(&self, challenge: &str, method: &str, uri: &str) -> Option<String> {
        let value = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let (realm, nonce, qop) = (value("realm")?, value("nonce")?, value("qop")?);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let count = format!("{count:08x}");
        let (user, secret) = (&self.user, &self.password);
        let hex = |text: String| format!("{:x}", md5::compute(text));
        let (ha1, ha2) = (
            hex(format!("{user}:{realm}:{secret}")),
            hex(format!("{method}:{uri}")),
        );
        let response = hex(format!("{ha1}:{nonce}:{count}:c0ffee:{qop}:{ha2}"));
        Some(format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", qop={qop}, \
             nc={count}, cnonce=\"c0ffee\", response=\"{response}\", algorithm=MD5"
        ))
    }

    /// A REGISTER of this phone.
    #[must_use]
    pub fn registration(&self) -> SipMessage {
        let local = self.client.address();
        let request = self.request("REGISTER", &self.user);
        let (_, rest) = request.start_line().split_once('@').unwrap_or_default();
        let register = SipMessage::request(
            "REGISTER",
            &format!("sip:{}", rest.trim_end_matches(" SIP/2.0")),
        );
        let headers = [
            "Via",
            "Max-Forwards",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
        ];
        let copied = headers.iter().fold(register, |register, name| {
            register.with(name, request.header(name).unwrap_or_default())
        });
        let path = format!(
            "<sip:{local};lr;received=sip:{}%3A{}>",
            local.ip(),
            local.port()
        );
        copied
            .with("Path", path)
            .with("Supported", "path")
            .with("Expires", 300)
    }

    /// Registers; the status of the answer.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn register(&self, target: SocketAddr) -> u16 {
        self.ask(&self.registration(), target).status().unwrap_or(0)
    }

    /// Calls somebody of the domain, and answers the challenge; the rest of the call is up to the caller.
    ///
    /// # Panics
    /// If no answer comes.
    #[track_caller]
    pub fn call(&self, target: SocketAddr, to: &str) -> Call<'_> {
        let invite = self.request("INVITE", to);
        let mut first = Call::start(&self.client, target, invite.clone());
        let reply = first.final_reply();
        match self.answering(&invite, &reply) {
            Some(again) => Call::start(&self.client, target, again),
            None => panic!(
                "{} is not challenged: {}",
                invite.start_line(),
                reply.start_line()
            ),
        }
    }
}
