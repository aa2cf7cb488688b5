//! The queue of messages under the model checker, with two places for one word: every interleaving of
//! two writers and the reader. The code is the file that ships; only the atomics are loom's.

#![cfg(test)]

mod limits {
    pub(crate) const INBOX_WORDS: usize = 1;
}
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../src/inbox.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the crate")]
mod inbox;

use inbox::{Inbox, InboxSlot};
use loom::sync::Arc;
use loom::thread;
use sync::AtomicU64;

struct Shared {
    put: AtomicU64,
    taken: AtomicU64,
    slots: Vec<InboxSlot>,
}

impl Shared {
    fn new(slots: usize) -> Self {
        let slot = |_| InboxSlot {
            turn: AtomicU64::new(0),
            length: AtomicU64::new(0),
            words: [AtomicU64::new(0)],
        };
        Self {
            put: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            slots: (0..slots).map(slot).collect(),
        }
    }

    fn inbox(&self) -> Inbox<'_> {
        Inbox::new(&self.put, &self.taken, &self.slots)
    }
}

fn take(shared: &Shared) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    shared.inbox().take(&mut message).then_some(message)
}

#[test]
fn messages_come_out_whole_and_once() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(2));
        let writer = |text: &'static [u8]| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || assert!(shared.inbox().put(text), "there is room"))
        };
        let writers = [writer(b"one"), writer(b"second")];
        let mut came: Vec<Vec<u8>> = take(&shared).into_iter().collect();
        for writer in writers {
            writer.join().unwrap();
        }
        came.extend(std::iter::from_fn(|| take(&shared)));
        came.sort();
        assert_eq!(came, [b"one".to_vec(), b"second".to_vec()]);
    });
}

#[test]
fn a_place_is_used_again_only_when_it_has_been_read() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(1));
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || [&b"a"[..], b"bb"].map(|text| shared.inbox().put(text)))
        };
        let early = take(&shared);
        let put = writer.join().unwrap();
        let mut came: Vec<Vec<u8>> = early.into_iter().collect();
        came.extend(std::iter::from_fn(|| take(&shared)));
        let texts = [&b"a"[..], b"bb"].into_iter().zip(put);
        let expected: Vec<_> = texts
            .filter(|(_, put)| *put)
            .map(|(text, _)| text)
            .collect();
        assert_eq!(came, expected, "lost, torn or doubled");
        assert!(put[0] && !shared.inbox().put(b"123456789"), "too long");
    });
}
