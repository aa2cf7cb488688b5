//! Whether the prober is believed: what a member answers counts, its silence only while others answer.

use kamailio::double::Answer;
use kamscale_shm::MemberSpec;

use super::ward::{Ward, ok, probing};
use crate::selection::Usable;
use crate::tests::member;

/// Members with these names, which have answered well so far.
fn ward(names: &[&str]) -> Ward {
    let members: Vec<MemberSpec> = names.iter().map(|name| member(name)).collect();
    let mut ward = Ward::new(&members, Some(probing(1000)));
    ward.turns(60, ok);
    ward
}

/// From now on these say so, or nothing; all others answer well. Long enough to be noticed.
fn say(ward: &mut Ward, names: &[&str], what: impl Fn() -> Option<Answer>) {
    for _ in 0..120 {
        for probe in ward.turn() {
            let is = |name: &&str| probe.uri == member(name).uri.as_bytes();
            let answer = if names.iter().any(is) { what() } else { ok() };
            if let Some(mut answer) = answer {
                crate::health::answered(ward.server, probe.token.to_word(), &mut answer);
            }
        }
    }
    crate::sums::refresh(ward.server, &mut ward.worker);
}

/// Whether the prober is suspected, and how many members take something new and keep what they have.
fn taken(ward: &mut Ward) -> (bool, usize, usize) {
    let server = ward.server;
    let pool = ward.table().pool(0).unwrap();
    let usable = Usable::new(server, &pool, &[]);
    let taking = pool.members().filter(|m| usable.is(m)).count();
    let keeping = pool.members().filter(|m| usable.keeps(m)).count();
    (usable.is_panic(), taking, keeping)
}

fn silence() -> Option<Answer> {
    None
}

#[test]
fn when_most_of_a_pool_is_silent_all_of_it_is_used_and_keeps_its_rooms() {
    let mut ward = ward(&["a", "b", "c", "d"]);
    say(&mut ward, &["a", "b"], silence);
    assert_eq!(taken(&mut ward), (false, 2, 2), "half of them is not most");
    say(&mut ward, &["a", "b", "c"], silence);
    assert_eq!(taken(&mut ward), (true, 4, 4), "three of four");
    say(&mut ward, &["a"], silence);
    assert_eq!(taken(&mut ward), (false, 3, 3));
}

#[test]
fn what_members_do_answer_is_believed_however_many_they_are() {
    let down = || Some(Answer::reply(200).with("X-Kamscale", "state=down"));
    let mut ward = ward(&["a", "b", "c", "d"]);
    say(&mut ward, &["a", "b", "c"], down);
    assert_eq!(taken(&mut ward), (false, 1, 1), "they said it themselves");
    say(&mut ward, &["a", "b", "c"], || Some(Answer::reply(500)));
    assert_eq!(taken(&mut ward), (false, 1, 1), "they answer badly");
    say(&mut ward, &["a", "b", "c", "d"], || {
        Some(Answer::reply(503))
    });
    assert_eq!(taken(&mut ward), (false, 0, 4), "all are stopping");
}

#[test]
fn a_silent_majority_does_not_bring_back_who_said_that_it_is_down() {
    let mut ward = ward(&["a", "b", "c", "d"]);
    say(&mut ward, &["a", "b", "c"], silence);
    assert!(taken(&mut ward).0, "three of four");
    for _ in 0..120 {
        for probe in ward.turn() {
            if probe.uri == member("d").uri.as_bytes() {
                let mut answer = Answer::reply(200).with("X-Kamscale", "state=maint");
                crate::health::answered(ward.server, probe.token.to_word(), &mut answer);
            }
        }
    }
    crate::sums::refresh(ward.server, &mut ward.worker);
    assert_eq!(taken(&mut ward), (true, 3, 3));
}

#[test]
fn the_only_member_of_a_pool_can_be_down() {
    let mut ward = ward(&["a"]);
    say(&mut ward, &["a"], silence);
    assert_eq!(taken(&mut ward), (false, 0, 0));
}
