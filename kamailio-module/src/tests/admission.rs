//! Admission over real shared files: what passes, what does not, what is counted.

use kamailio::double::Message;
use kamailio::message::Method;
use kamscale_shm::bucket::Allowance;

use super::Site;
use crate::admission::admit;
use crate::code;

/// The second feature of a [`Site`].
const CONFERENCE: usize = 1;
/// One request in an hour, and three at once.
const THREE: Allowance = Allowance {
    interval_ns: 3_600_000_000_000,
    ahead_ns: 2 * 3_600_000_000_000,
};

impl Site {
    fn admit(&mut self, msg: &mut Message) -> i32 {
        admit(self.server, &mut self.worker, msg, CONFERENCE)
    }

    /// (offered, admitted, refused)
    fn counted(&self) -> (u64, u64, u64) {
        self.server.observed.requests(CONFERENCE)
    }
}

#[test]
fn everything_passes_until_an_agent_says_otherwise_and_then_what_it_says() {
    let mut site = Site::of(1);
    let mut invite = Message::new(Method::Invite);
    for _ in 0..5 {
        assert_eq!(site.admit(&mut invite), code::OK);
    }
    site.publisher
        .admit(CONFERENCE, "conference", Some(THREE), None);
    let codes: Vec<i32> = (0..5).map(|_| site.admit(&mut invite)).collect();
    assert_eq!(codes, [1, 1, 1, code::NO, code::NO]);
    assert_eq!(site.counted(), (0, 8, 2));
    site.publisher.admit(CONFERENCE, "conference", None, None);
    assert_eq!(site.admit(&mut invite), code::OK);
}

#[test]
fn a_rate_of_another_feature_in_its_row_is_not_obeyed() {
    let mut site = Site::of(1);
    let nothing = Some(Allowance::new(0.0, 1.0));
    site.publisher.admit(CONFERENCE, "queue", nothing, None);
    assert_eq!(site.admit(&mut Message::new(Method::Invite)), code::OK);
    site.publisher
        .admit(CONFERENCE, "conference", nothing, None);
    assert_eq!(site.admit(&mut Message::new(Method::Invite)), code::NO);
    site.publisher.admit(4000, "conference", nothing, None);
}

#[test]
fn what_belongs_to_a_call_passes_uncounted_and_emergency_calls_pass_counted() {
    let mut site = Site::of(1);
    let nothing = Some(Allowance::new(0.0, 1.0));
    site.publisher
        .admit(CONFERENCE, "conference", nothing, None);
    for method in [Method::Ack, Method::Cancel, Method::Prack] {
        assert_eq!(site.admit(&mut Message::new(method)), code::OK);
    }
    let mut within = Message::new(Method::Invite);
    within.to_tag = true;
    assert_eq!(site.admit(&mut within), code::OK);
    assert_eq!(site.counted(), (0, 0, 0));
    let mut emergency = Message::new(Method::Invite);
    emergency.request_uri = Some(b"urn:service:sos.fire".to_vec());
    assert_eq!(site.admit(&mut emergency), code::OK);
    emergency.request_uri = Some(b"sip:112@example.org".to_vec());
    assert_eq!(site.admit(&mut emergency), code::OK);
    emergency.request_uri = Some(b"sip:113@example.org".to_vec());
    assert_eq!(site.admit(&mut emergency), code::NO);
    assert_eq!(site.counted(), (0, 2, 1));
}
