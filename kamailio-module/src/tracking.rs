//! Counts the call of a message where it goes: at its selection, once however often the INVITE
//! comes, and again when it fails over. [`crate::calls`] has the counting itself.

use kamailio::message::Message;
use kamscale_shm::{Member, Observed, Pool};

use crate::calls::{self, Counted};
use crate::memory;
use crate::sticky::Held;

/// Where the call is counted, if this is a retransmission of the INVITE that opened it.
pub fn counted_before<M: Message>(msg: &mut M) -> Option<Counted> {
    let selects_again = msg.recall(memory::NAME).is_some();
    let counted = msg.with_known_call(calls::counted).flatten();
    counted.filter(|_| !selects_again)
}

/// Counts the call on the member that `hold` finds. A retransmission of an INVITE that is counted
/// already goes where the first one went: it neither counts again nor moves. Without a dialog nothing
/// is counted, and the call goes to the picked member. `None`: `hold` found none.
#[inline(never)]
pub fn track<'a, M: Message>(
    observed: &Observed,
    msg: &mut M,
    pool: &Pool<'a>,
    picked: Member<'a>,
    hold: impl FnOnce() -> Option<Held<'a>>,
) -> Option<Member<'a>> {
    // The same message selecting again is no retransmission: its new choice moves the call.
    let selects_again = msg.recall(memory::NAME).is_some();
    let counted = msg.with_call(|word| {
        let before = calls::counted(word)
            .filter(|_| !selects_again)
            .and_then(|at| pool.members().find(|m| at.is(m)));
        before.or_else(|| {
            let held = hold()?;
            calls::count(observed, word, &held.member, held.entry);
            Some(held.member)
        })
    });
    counted.unwrap_or(Some(picked))
}

/// Counts a call with a sticky key, which has failed, on the member that `hold` finds; it gets the
/// entry that the call had of its key. `None`: the request has no dialog; `Some(None)`: no member
/// takes it.
#[inline(never)]
pub fn move_with_key<'a, M: Message>(
    observed: &Observed,
    msg: &mut M,
    hold: impl FnOnce(Option<usize>) -> Option<Held<'a>>,
) -> Option<Option<Member<'a>>> {
    msg.with_call(|word| {
        // Out of the word first: while this decides, nobody else can give the call's key back.
        let held = hold(calls::take_entry(word))?;
        calls::count(observed, word, &held.member, held.entry);
        Some(held.member)
    })
}
