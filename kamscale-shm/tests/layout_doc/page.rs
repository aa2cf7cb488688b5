//! The page as a whole: its text, the limits, and its parts in their order.

use std::fmt::Write;

use kamscale_shm::layout::{
    DESIRED_MAGIC, DesiredFile, MAJOR, MINOR, OBSERVED_MAGIC, ObservedFile, READY,
};
use kamscale_shm::limits::{
    DEFAULT_HASH_BITS, DEFAULT_WEIGHT, HASH_BITS, HISTORY_SLOTS, HISTORY_WORDS, INBOX_SLOTS,
    INBOX_WORDS, KEY_GROUPS, KEYS_PER_GROUP, MAX_ATTRIBUTES_BYTES, MAX_FEATURES, MAX_MEMBERS,
    MAX_NAME_BYTES, MAX_NODES, MAX_OVERFLOWS, MAX_POOLS, MAX_PROCESSES, MAX_TABLE_BYTES,
    MAX_TABLE_WORDS, MAX_URI_BYTES, TABLE_SLOTS,
};

use crate::files::{common_structures, desired_structures, observed_structures};
use crate::records::write_table;
use crate::structure::write_structure;

const TOP: &str = "\
# Shared memory: the two files

This page is written by a test from the code (`BLESS=1 cargo test -p kamscale-shm --test layout_doc`);
change it there.

| file | written by | read by | holds |
|---|---|---|---|
| `INSTANCE.observed` | Kamailio, all its processes | the agent | requests per feature, calls and health per member, what each process applied |
| `INSTANCE.desired` | the agent | Kamailio, all its processes | the pool table: pools, members, states, weights, capacities |
| `INSTANCE.kamailio.lock` | Kamailio | | locked as long as a process of that Kamailio lives; its pid |
| `INSTANCE.agent.lock` | the agent | | locked as long as the agent lives; its pid |

Every byte has one writing side; the other side maps the file read-only. Either side may die at any
instruction: the kernel gives its lock up, and who comes next finds a whole table and whole counters.
All numbers are in the byte order of the machine, all fields are atomics, and all of the rest is zero.
Mode 0660 whatever the umask is: Kamailio and the agent share a group.

## Ordering rules

A new file is made under another name (`INSTANCE.observed.new`), filled, marked `ready`, and renamed
into place; a file in place is never cut or made anew. Who finds the file at the path to be another
one than it has mapped, or its own one `closed`, opens the new one.

| who writes | how | who reads | and then has |
|---|---|---|---|
| maker of a file: all of it, then `ready` | Release | opener: `ready` first | Acquire: everything before it |
| maker of a successor: `closed` in the old file, then the rename | Release | who has the old one mapped | the advice to look again |
| agent: odd stamp, **Release fence**, length and words | Relaxed | worker: words, **Acquire fence**, stamp again | who saw one new word sees that the stamp changed, and drops the copy |
| agent: even stamp | Release | worker: stamp before the copy | Acquire: every word of that generation |
| agent: `generation`, last | Release | worker: `generation`, first | Acquire: the even stamp, so a table that was announced is there |
| Kamailio's timer: `desired_epoch` + 1 | Release | worker, at each request | that it must open the file again |
| worker: `generation` in its row, after it uses the table | Release | agent | Acquire: that no request of that process goes by an older table |
| either side: `heartbeat_ns` | Release | the other | the age of the last sign of life |
| any process: `id` of a member row, by exchange | AcqRel | all | whose numbers these are; the override says it once more itself |
| any process: a word of a sticky key, by compare-and-swap | AcqRel | all processes | what the swap before left: a key has one entry, and no entry is free while a call counts on it |
| any process: the bit of a group of sticky keys, after the change | Release | the sharing process: all bits, by exchange | AcqRel: what was changed before the bit was set |
| dmq's process: the `turn` of a message, last | Release | the sharing process: `turn`, first | Acquire: the whole message; and its own store of the next turn, Release, tells that the place is free |
| counters | Relaxed | agent | numbers that only grow, each right for itself; not one moment of all |

A publisher that dies leaves an odd stamp (or a whole slot) to which no `generation` points; the next
one goes on from `generation` and writes over it. Readers never write to the table and never wait: a
copy that was overtaken is tried again a few times, and then at the next request.

## Version rule

";

fn limits() -> Vec<(&'static str, String, &'static str)> {
    let bits = format!("{} to {}", HASH_BITS.start(), HASH_BITS.end());
    vec![
        (
            "MAX_FEATURES",
            MAX_FEATURES.to_string(),
            "features that may be declared",
        ),
        ("MAX_POOLS", MAX_POOLS.to_string(), "pools in one table"),
        (
            "MAX_MEMBERS",
            MAX_MEMBERS.to_string(),
            "members in one table, over all pools",
        ),
        (
            "MAX_PROCESSES",
            MAX_PROCESSES.to_string(),
            "processes of one Kamailio",
        ),
        (
            "MAX_NAME_BYTES",
            MAX_NAME_BYTES.to_string(),
            "bytes of a name: feature, pool, member",
        ),
        (
            "MAX_URI_BYTES",
            MAX_URI_BYTES.to_string(),
            "bytes of a member's URI",
        ),
        (
            "MAX_ATTRIBUTES_BYTES",
            MAX_ATTRIBUTES_BYTES.to_string(),
            "bytes of a member's attributes",
        ),
        (
            "MAX_OVERFLOWS",
            MAX_OVERFLOWS.to_string(),
            "pools through which a request may overflow",
        ),
        (
            "MAX_TABLE_BYTES",
            MAX_TABLE_BYTES.to_string(),
            "bytes of one encoded table",
        ),
        (
            "MAX_TABLE_WORDS",
            MAX_TABLE_WORDS.to_string(),
            "words of one encoded table",
        ),
        (
            "TABLE_SLOTS",
            TABLE_SLOTS.to_string(),
            "slots: publications of time that a reader has to copy one",
        ),
        (
            "KEY_GROUPS",
            KEY_GROUPS.to_string(),
            "groups of entries for sticky keys",
        ),
        (
            "KEYS_PER_GROUP",
            KEYS_PER_GROUP.to_string(),
            "entries of one group",
        ),
        (
            "MAX_NODES",
            MAX_NODES.to_string(),
            "other nodes that share with this one",
        ),
        (
            "INBOX_SLOTS",
            INBOX_SLOTS.to_string(),
            "messages of other nodes that wait",
        ),
        (
            "INBOX_WORDS",
            INBOX_WORDS.to_string(),
            "words for one of them",
        ),
        (
            "HISTORY_SLOTS",
            HISTORY_SLOTS.to_string(),
            "publications whose changes are remembered",
        ),
        (
            "HISTORY_WORDS",
            HISTORY_WORDS.to_string(),
            "words for the changes of one of them",
        ),
        ("HASH_BITS", bits, "bits of a pool's row table"),
        (
            "DEFAULT_HASH_BITS",
            DEFAULT_HASH_BITS.to_string(),
            "of a pool that does not say",
        ),
        (
            "DEFAULT_WEIGHT",
            DEFAULT_WEIGHT.to_string(),
            "of a member that does not say",
        ),
    ]
}

/// What `docs/shm-layout.md` must be.
pub(crate) fn page() -> String {
    let mut page = TOP.to_owned();
    let (observed, desired) = (size_of::<ObservedFile>(), size_of::<DesiredFile>());
    writeln!(
        page,
        "Both files have layout {MAJOR}.{MINOR}. Another major version is refused by both sides, \
         which then name both; a minor version may only use what was padding. Magic numbers: \
         `{OBSERVED_MAGIC:#018x}` and `{DESIRED_MAGIC:#018x}`; `READY` is `{READY:#010x}`. The \
         observed file has {observed} bytes, the desired file {desired} (sparse: pages are taken \
         when they are written). The limits are part of the layout:\n\n\
         | limit | is | of |\n|---|---:|---|"
    )
    .unwrap();
    for (name, is, of) in limits() {
        writeln!(page, "| `{name}` | {is} | {of} |").unwrap();
    }
    for (title, structures) in [
        ("Both files", common_structures()),
        ("The desired file", desired_structures()),
        ("The observed file", observed_structures()),
    ] {
        writeln!(page, "\n## {title}").unwrap();
        structures
            .iter()
            .for_each(|s| write_structure(&mut page, s));
    }
    write_table(&mut page);
    page
}
