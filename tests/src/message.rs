//! A SIP message as text with a few questions about it. It must not be a SIP stack.

use std::fmt;
use std::str::FromStr;

/// A request or a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipMessage {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl SipMessage {
    /// A request without headers.
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Self {
        Self {
            start: format!("{method} {uri} SIP/2.0"),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// A reply to `request`: its Via, Record-Route, From, To (with `tag`), Call-ID and CSeq.
    #[must_use]
    pub fn reply(request: &Self, status: u16, reason: &str, tag: &str) -> Self {
        let mut reply = Self {
            start: format!("SIP/2.0 {status} {reason}"),
            headers: Vec::new(),
            body: String::new(),
        };
        for (name, value) in &request.headers {
            let copied = ["via", "record-route", "from", "to", "call-id", "cseq"];
            if copied.contains(&name.to_ascii_lowercase().as_str()) {
                let to = name.eq_ignore_ascii_case("to") && !value.contains(";tag=");
                let tag = if to && status > 100 { tag } else { "" };
                let mark = if tag.is_empty() { "" } else { ";tag=" };
                reply
                    .headers
                    .push((name.clone(), format!("{value}{mark}{tag}")));
            }
        }
        reply
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// The same with another value of a header.
    #[must_use]
    pub fn replacing(mut self, name: &str, value: &str) -> Self {
        for header in &mut self.headers {
            if header.0.eq_ignore_ascii_case(name) {
                value.clone_into(&mut header.1);
            }
        }
        self
    }

    /// The same with this body; its Content-Type is a header like others.
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.start
            .split(' ')
            .next()
            .filter(|m| !m.starts_with("SIP/"))
    }

    /// The status code of a reply.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let rest = self.start.strip_prefix("SIP/2.0 ")?;
        rest.get(..3)?.parse().ok()
    }

    /// First value of a header, by its full name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All values of a header, in their order.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let of = move |h: &&(String, String)| h.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of).map(|h| h.1.as_str())
    }

    /// The URI between the angle brackets of a header.
    #[must_use]
    pub fn uri_of(&self, name: &str) -> Option<&str> {
        let value = self.header(name)?;
        let open = value.find('<')? + 1;
        Some(&value[open..open + value[open..].find('>')?])
    }

    /// Number and method of the CSeq header.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The first line.
    #[must_use]
    pub fn start_line(&self) -> &str {
        &self.start
    }
}

impl fmt::Display for SipMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.start)?;
        for (name, value) in &self.headers {
            write!(f, "{name}: {value}\r\n")?;
        }
        let length = self.body.len();
        write!(f, "Content-Length: {length}\r\n\r\n{}", self.body)
    }
}

/// Not a SIP message.
#[derive(Clone, Copy, Debug)]
pub struct NotSip;

impl FromStr for SipMessage {
    type Err = NotSip;

    fn from_str(text: &str) -> Result<Self, NotSip> {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n").take_while(|l| !l.is_empty());
        let start = lines.next().ok_or(NotSip)?.to_owned();
        if !start.contains("SIP/2.0") {
            return Err(NotSip);
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let known = name.trim() != "Content-Length";
            known.then(|| (name.trim().to_owned(), value.trim().to_owned()))
        };
        Ok(Self {
            start,
            headers: lines.filter_map(header).collect(),
            body: body.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_keeps_what_the_request_said_and_adds_a_tag() {
        let request: SipMessage = SipMessage::request("INVITE", "sip:a@b")
            .with("Via", "SIP/2.0/UDP h")
            .with("To", "<sip:a@b>")
            .with("CSeq", "7 INVITE")
            .to_string()
            .parse()
            .unwrap();
        assert_eq!(request.method(), Some("INVITE"));
        let reply: SipMessage = SipMessage::reply(&request, 200, "OK", "t1")
            .to_string()
            .parse()
            .unwrap();
        assert_eq!(reply.status(), Some(200));
        assert_eq!(reply.header("to"), Some("<sip:a@b>;tag=t1"));
        assert_eq!(reply.cseq(), Some((7, "INVITE")));
        assert!("rubbish".parse::<SipMessage>().is_err());
    }
}
