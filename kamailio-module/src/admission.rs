//! Which requests are let in while a pool has less room than there is demand. The agent says how
//! fast each feature may come; a token bucket that all processes share keeps to it. Counts what it
//! lets in and what it refuses: refused demand is demand, too.

use kamailio::message::{Message, Method};
use kamscale_shm::bucket::take;
use kamscale_shm::clock;
use kamscale_shm::observed::add;

use crate::code;
use crate::server::Server;
use crate::worker::Worker;

/// Lets one request of a feature in, or not. What belongs to a call or transaction that was let in
/// passes uncounted; so does everything if the module cannot say.
pub fn admit<M: Message>(server: &Server, worker: &mut Worker, msg: &mut M, feature: usize) -> i32 {
    if belongs_to_another(msg) {
        return code::OK;
    }
    worker.refresh(server);
    let row = worker.row(server);
    let (Some(row), Some(bucket)) = (row, server.observed.bucket(feature)) else {
        return code::OK;
    };
    let now_ns = clock::monotonic_ns();
    let is_let_in = match worker.allowance(feature, server.feature_id(feature), now_ns) {
        None => true,
        Some(allowance) => {
            let taken = take(bucket, allowance, now_ns);
            // An emergency call takes its token like any other, and does not need it.
            taken.is_ok() || is_emergency(msg, &server.settings.emergency)
        }
    };
    let (counts, code) = match is_let_in {
        true => (&row.admitted, code::OK),
        false => (&row.refused, code::NO),
    };
    if let Some(counter) = counts.0.get(feature) {
        add(counter, 1);
    }
    code
}

/// Whether refusing this request would break off something that was let in: a request within a
/// dialog, or one about another request.
fn belongs_to_another<M: Message>(msg: &mut M) -> bool {
    let method = msg.method();
    matches!(method, Method::Cancel | Method::Ack | Method::Prack) || msg.has_to_tag()
}

/// Whether the R-URI is one of these: a URN (RFC 5031) or the user of a SIP or tel URI.
fn is_emergency<M: Message>(msg: &M, numbers: &[String]) -> bool {
    let Some(uri) = msg.request_uri() else {
        return false;
    };
    numbers
        .iter()
        .any(|number| is_called(uri, number.as_bytes()))
}

/// Whether a URI names this service or number. A service names those below it as well:
/// `urn:service:sos` is also `urn:service:sos.fire`.
fn is_called(uri: &[u8], wanted: &[u8]) -> bool {
    let is_urn = |text: &[u8]| {
        text.get(..4)
            .is_some_and(|s| s.eq_ignore_ascii_case(b"urn:"))
    };
    if is_urn(wanted) {
        let head = uri.get(..wanted.len());
        let next = uri.get(wanted.len());
        return head.is_some_and(|head| head.eq_ignore_ascii_case(wanted))
            && next.is_none_or(|byte| matches!(byte, b'.' | b';' | b'?'));
    }
    user(uri) == wanted
}

/// The user of a SIP or tel URI, without a password and parameters; empty if there is none.
fn user(uri: &[u8]) -> &[u8] {
    let Some(colon) = uri.iter().position(|byte| *byte == b':') else {
        return b"";
    };
    let (scheme, rest) = (&uri[..colon], &uri[colon + 1..]);
    let is_tel = scheme.eq_ignore_ascii_case(b"tel");
    let user = match rest.iter().position(|byte| *byte == b'@') {
        Some(at) => &rest[..at],
        None if is_tel => rest,
        None => return b"",
    };
    let end = user
        .iter()
        .position(|byte| matches!(byte, b':' | b';' | b'?'));
    &user[..end.unwrap_or(user.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emergency_numbers_and_services_are_known_in_every_form_of_uri() {
        for (uri, wanted, is) in [
            ("sip:112@example.org", "112", true),
            (
                "sips:112;phone-context=+49:x@example.org;user=phone",
                "112",
                true,
            ),
            ("tel:112;phone-context=+49", "112", true),
            ("TEL:112", "112", true),
            ("sip:1122@example.org", "112", false),
            ("sip:112", "112", false),
            ("sip:alice@112", "112", false),
            ("urn:service:sos", "urn:service:sos", true),
            ("URN:service:SOS.fire", "urn:service:sos", true),
            ("urn:service:sosial", "urn:service:sos", false),
            ("urn:service", "urn:service:sos", false),
            ("", "112", false),
        ] {
            assert_eq!(
                is_called(uri.as_bytes(), wanted.as_bytes()),
                is,
                "{uri} for {wanted}"
            );
        }
    }
}
