//! Counts the call of a message where it goes: at its selection, once however often the INVITE
//! comes, and again when it fails over. [`crate::calls`] has the counting itself.

use kamailio::message::{Message, Route};
use kamscale_shm::{Member, Observed, Pool};

use crate::calls::{self, Counted};
use crate::memory::{self, Memory};
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
///
/// A call that comes back after it was sent to another pool (a spiral) is counted in both: on the member
/// that sent it back, too.
#[inline(never)]
pub fn track<'a, M: Message>(
    observed: &Observed,
    msg: &mut M,
    pool: &Pool<'a>,
    picked: Member<'a>,
    hold: impl FnOnce() -> Option<Held<'a>>,
) -> Option<Member<'a>> {
    // The same message selecting again is no retransmission: its new choice moves the call.
    let memory = msg.recall(memory::NAME);
    let selects_again = memory.is_some();
    let memory = memory.and_then(|bytes| Memory::from_bytes(&bytes));
    let here = |word| match &memory {
        Some(memory) => is_at_last(word, memory.tried()),
        None => Counted::from_word(word).is_some_and(|at| !is_elsewhere(pool, at)),
    };
    let counted = msg.with_pass(here, |word| {
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

/// In a failure route the member of the last try has refused the call, whatever it said: see
/// [`calls::failed`], which hears only of what the caller gets in the end.
pub fn note_refusal<M: Message>(observed: &Observed, msg: &M, pool: &Pool<'_>, memory: &Memory) {
    let slot = memory.tried().last().copied().map(usize::from);
    let row = slot.and_then(|slot| observed.member(slot));
    if let Some(row) = row.filter(|_| msg.route() == Route::Failure) {
        row.note_refusal();
        if let Some(sums) = observed.pool(pool.slot()) {
            // Relaxed: selections look closer from now on; the timer process counts anew.
            sums.refusing.store(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Counts a call with a sticky key, which has failed, on the member that `hold` finds; it gets the
/// entry that the call had of its key. `None`: the request has no dialog; `Some(None)`: no member
/// takes it.
#[inline(never)]
pub fn move_with_key<'a, M: Message>(
    observed: &Observed,
    msg: &mut M,
    tried: &[u16],
    hold: impl FnOnce(Option<usize>) -> Option<Held<'a>>,
) -> Option<Option<Member<'a>>> {
    msg.with_pass(
        |word| is_at_last(word, tried),
        |word| {
            // Out of the word first: while this decides, nobody else can give the call's key back.
            let held = hold(calls::take_entry(word))?;
            calls::count(observed, word, &held.member, held.entry);
            Some(held.member)
        },
    )
}

/// Counts a call that has failed on this member.
pub fn move_to<M: Message>(observed: &Observed, msg: &mut M, tried: &[u16], member: &Member<'_>) {
    msg.with_pass(
        |word| is_at_last(word, tried),
        |word| calls::count(observed, word, member, None),
    );
}

/// Whether a call is counted in another pool of the table.
fn is_elsewhere(pool: &Pool<'_>, at: Counted) -> bool {
    let is = |m: Member<'_>| at.is(&m);
    !pool.members().any(is) && pool.everybody().any(is)
}

/// Whether the call with this word is counted where the request was sent to last.
fn is_at_last(word: usize, tried: &[u16]) -> bool {
    let last = tried.last().copied().map(usize::from);
    Counted::from_word(word).is_some_and(|at| Some(at.slot) == last)
}
