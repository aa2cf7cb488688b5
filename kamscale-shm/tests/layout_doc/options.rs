//! The records of options, bit by bit, and what each holds in the example.

use kamscale_shm::encode::RECORD_WORDS;
use kamscale_shm::spec::{MemberSpec, PoolSpec};

use crate::bits::{Bits, bits, write_bits};
use crate::example::{Example, OPTIONS_AT, STRINGS_AT};

/// The texts of a pool's options, as they follow each other.
pub(crate) fn pool_texts(pool: &PoolSpec) -> [&str; 4] {
    let probe = &pool.options.probe;
    [&probe.method, &probe.from, &probe.socket, &probe.codes]
}

/// The texts of a member's options, as they follow each other.
pub(crate) fn member_texts(member: &MemberSpec) -> [&str; 5] {
    let o = &member.options;
    [
        &o.socket,
        &o.attributes,
        &o.proxy,
        &o.probe_from,
        &o.probe_socket,
    ]
}

/// The part of the page on options.
pub(crate) fn write_options(page: &mut String, example: &Example) {
    let part = |number: usize| &example.words[OPTIONS_AT + RECORD_WORDS * number..][..RECORD_WORDS];
    write_bits(page, "Options of a pool", part(0), &pool(example));
    write_bits(page, "Options of a member", part(1), &member(example));
    page.push_str(
        "\nA text is its first byte in the table and its bytes; all of it zero: an empty text. A \
         number \"plus 1\" is absent if 0: then the module's parameter holds.\n",
    );
}

/// The rows of texts that begin at this byte.
fn texts(mut at: usize, texts: &[(&'static str, &str)]) -> Vec<Bits> {
    let mut rows = Vec::new();
    for (word, (what, text)) in texts.iter().enumerate() {
        rows.push(bits(word, 0, 32, what, at as u64));
        rows.push(bits(word, 32, 32, "its bytes", text.len() as u64));
        at += text.len();
    }
    rows
}

fn pool(example: &Example) -> Vec<Bits> {
    let [method, from, socket, codes] = pool_texts(&example.second);
    let at = 8 * STRINGS_AT + Example::strings_of(&example.first);
    let mut rows = texts(
        at,
        &[
            ("method of its probes: byte of the table", method),
            ("From of its probes", from),
            ("local socket of its probes", socket),
            ("answers that are good", codes),
        ],
    );
    let (slow, interval) = ("slow start, in seconds", "interval in ms, plus 1");
    rows.extend([
        bits(4, 0, 64, "unused, zero", 0),
        bits(5, 0, 32, slow, 30),
        bits(5, 32, 32, interval, 5001),
        bits(6, 0, 32, "timeout in ms, plus 1", 2001),
        bits(6, 32, 32, "failures, plus 1", 5),
        bits(7, 0, 16, "successes, plus 1", 3),
        bits(7, 16, 8, "1: capacity is respected", 1),
        bits(7, 24, 8, "panic threshold in percent, plus 1", 41),
        bits(7, 32, 16, "jitter in percent, plus 1", 21),
        bits(7, 48, 16, "index of the pool it overflows into, plus 1", 1),
    ]);
    rows
}

fn member(example: &Example) -> Vec<Bits> {
    let m = &example.second.members[2];
    let [socket, attributes, proxy, from, probe_socket] = member_texts(m);
    let strings = Example::strings_of(&example.first) + Example::strings_of(&example.second);
    let own = member_texts(m).concat().len() + m.uri.len() + m.name.len();
    let mut rows = texts(
        8 * STRINGS_AT + strings - own,
        &[
            ("its local socket: byte of the table", socket),
            ("its attributes", attributes),
            ("its proxy", proxy),
            ("From of its probes", from),
            ("local socket of its probes", probe_socket),
        ],
    );
    rows.extend([
        bits(5, 0, 64, "1: it is not probed", 1),
        bits(6, 0, 64, "unused, zero", 0),
        bits(7, 0, 64, "unused, zero", 0),
    ]);
    rows
}
