//! What fails over takes its room along only if nobody else is in it, or if the member is down.

use crate::code;
use crate::memory::MAX_TRIED;
use crate::tests::{Site, dialogs};

#[test]
fn the_first_call_of_a_room_fails_over_with_it() {
    let mut site = Site::of(3);
    let dialogs = dialogs(site.server);
    let (invite, _) = site.call(&dialogs, "c", "room");
    let mut seen = vec![site.member_of(&invite)];
    for _ in 0..2 {
        let mut failed = invite.failed();
        assert_eq!(site.next(&mut failed), 1);
        seen.push(site.member_of(&failed));
        let guest = site.joins(&dialogs, "guest", "room");
        assert_eq!(
            Some(&guest),
            seen.last(),
            "a guest goes where the room is now"
        );
        dialogs.end_call(b"guest");
    }
    assert_eq!(site.next(&mut invite.failed()), code::NO_MEMBER);
    assert_eq!(site.live_keys(), 0, "a call that goes nowhere holds a room");
    dialogs.end_call(b"c");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "a member was tried twice");
    assert_eq!((0..3).map(|i| site.calls(&format!("m{i}"))).sum::<u32>(), 0);
}

#[test]
fn a_call_that_was_tried_too_often_stays_counted_where_it_failed_last() {
    let mut site = Site::of(MAX_TRIED + 2);
    let dialogs = dialogs(site.server);
    let (invite, _) = site.call(&dialogs, "c", "room");
    let mut last = String::new();
    for _ in 1..MAX_TRIED {
        let mut failed = invite.failed();
        assert_eq!(site.next(&mut failed), 1);
        last = site.member_of(&failed);
    }
    assert_eq!(site.next(&mut invite.failed()), code::NO_MEMBER);
    assert_eq!(
        site.calls(&last),
        1,
        "moved to a member that it is not sent to"
    );
    assert_eq!(site.joins(&dialogs, "guest", "room"), last);
}

#[test]
fn a_guest_that_fails_does_not_pull_a_live_room_away_unless_its_member_is_down() {
    let mut site = Site::of(4);
    let dialogs = dialogs(site.server);
    let at = site.joins(&dialogs, "host", "room");
    let (guest, _) = site.call(&dialogs, "guest", "room");
    assert_eq!(
        site.next(&mut guest.failed()),
        code::NO_MEMBER,
        "it would be alone elsewhere"
    );
    assert_eq!(site.joins(&dialogs, "host again", "room"), at);
    dialogs.end_call(b"guest");

    let (second, _) = site.call(&dialogs, "second", "room");
    let mut failed = second.failed();
    site.mark_down(&mut failed);
    assert_eq!(site.next(&mut failed), 1);
    let now = site.member_of(&failed);
    assert_ne!(now, at);
    assert_eq!(
        site.joins(&dialogs, "third", "room"),
        now,
        "the new ones follow the key"
    );
    assert_eq!(site.calls(&at), 2, "the old ones stay where they are");
    for id in ["host", "host again", "second", "third"] {
        assert_eq!(site.live_keys(), 1);
        dialogs.end_call(id.as_bytes());
    }
    assert_eq!(site.live_keys(), 0);
}
