//! Writes `docs/shm-layout.md` from the code and compares it with the committed page. Offsets and
//! sizes come from the compiler, bit places are checked against an encoded table, and a field, a
//! structure or a limit that is not described here fails. `BLESS=1` rewrites the page.

#![cfg(test)]

use std::fmt::Write;
use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64};

use kamscale_shm::encode::{self, Placement, RECORD_WORDS, SOURCE_WORDS};
use kamscale_shm::layout::{
    DESIRED_MAGIC, DesiredFile, Header, Line, MAJOR, MINOR, MemberRow, NameRow, OBSERVED_MAGIC,
    ObservedFile, PoolCounts, ProcessRow, READY, ServerRow, TableSlot,
};
use kamscale_shm::limits::{
    DEFAULT_HASH_BITS, DEFAULT_WEIGHT, HASH_BITS, MAX_FEATURES, MAX_MEMBERS, MAX_NAME_BYTES,
    MAX_POOLS, MAX_PROCESSES, MAX_TABLE_BYTES, MAX_TABLE_WORDS, MAX_URI_BYTES, TABLE_SLOTS,
};
use kamscale_shm::rows::{NOBODY, RowTable};
use kamscale_shm::snapshot::RANK_OFFSET;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::{checksum, member_id, xxh3};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/shm-layout.md");

// ---------------------------------------------------------------- structures

struct Field {
    name: &'static str,
    kind: String,
    offset: usize,
    size: usize,
    meaning: &'static str,
}

struct Structure {
    name: &'static str,
    what: &'static str,
    size: usize,
    align: usize,
    fields: Vec<Field>,
}

/// A structure and all of its fields. The pattern has no `..`, so that a field that is not listed
/// does not compile; nor does one of another type than the page says.
macro_rules! structure {
    ($name:ident, $what:literal, $($field:ident: $kind:ty = $meaning:literal),+ $(,)?) => {{
        fn _complete(value: &$name) {
            let $name { $($field),+ } = value;
            $(let _: &$kind = $field;)+
        }
        Structure {
            name: stringify!($name),
            what: $what,
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: vec![$(Field {
                name: stringify!($field),
                kind: stringify!($kind).replace("AtomicU", "u").replace("AtomicI", "i"),
                offset: offset_of!($name, $field),
                size: size_of::<$kind>(),
                meaning: $meaning,
            }),+],
        }
    }};
}

fn common_structures() -> Vec<Structure> {
    vec![structure!(
        Header,
        "The head of either file. Written by the file's one writer before `ready`; `heartbeat_ns` \
         and `closed` also later, and `pid` again by an agent that takes the file over.",
        magic: AtomicU64 = "`KSOBSERV` or `KSDESIRE`, as bytes.",
        major: AtomicU32 = "Version of the layout: another one is refused by both sides.",
        minor: AtomicU32 = "Grows when padding comes into use.",
        total_bytes: AtomicU64 = "Size of the whole file; must be what the reader's own layout has.",
        boot_id: AtomicU64 = "Drawn anew when the file is made, never 0: counters start again with \
            another one.",
        pid: AtomicU32 = "The writing process: Kamailio's main process, or the agent.",
        closed: AtomicU32 = "1 once the writer has ended in order, or another file is about to \
            take this one's place: look for the successor.",
        heartbeat_ns: AtomicU64 = "`CLOCK_MONOTONIC` at the writer's last sign of life.",
        ready: AtomicU32 = "`READY`, stored last: without it nothing else may be believed.",
    )]
}

fn desired_structures() -> Vec<Structure> {
    vec![
        structure!(
            DesiredFile,
            "The whole file `INSTANCE.desired`.",
            header: Header = "Its head.",
            generation: Line<AtomicU64> = "The generation that readers shall use; 0 before the \
                first. Every request loads it, so it has a pair of cache lines to itself.",
            slots: [TableSlot; TABLE_SLOTS] = "Generation *g* is in slot *g* modulo their number.",
        ),
        structure!(
            TableSlot,
            "One slot of the publication.",
            stamp: AtomicU64 = "2 x generation when whole, odd while being written, 0 when never \
                written.",
            length: AtomicU64 = "Words of the table.",
            words: [AtomicU64; MAX_TABLE_WORDS] = "The table (below); what lies behind its length \
                is left over from longer ones.",
        ),
    ]
}

fn observed_structures() -> Vec<Structure> {
    vec![
        structure!(
            ObservedFile,
            "The whole file `INSTANCE.observed`.",
            header: Header = "Its head.",
            server: ServerRow = "What concerns all of Kamailio.",
            features: [NameRow; MAX_FEATURES] = "Names of the features, in the order of their \
                counters.",
            members: [MemberRow; MAX_MEMBERS] = "What is known of each member, by its slot.",
            processes: [ProcessRow; MAX_PROCESSES] = "What each process did, by its `process_no`.",
        ),
        structure!(
            ServerRow,
            "What concerns all of Kamailio. Written before the fork, and then by its timer process.",
            desired_epoch: AtomicU64 = "Grows when another desired file is there: the workers open \
                it at their next request.",
            now_s: AtomicU64 = "Kamailio's own clock in seconds, which does not begin at 0.",
            calls_tracked: AtomicU32 = "1 if calls are counted (the dialog module is loaded).",
            features: AtomicU32 = "How many features are declared.",
            processes: AtomicU32 = "How many processes Kamailio has; 0 before it knows.",
        ),
        structure!(
            NameRow,
            "A name.",
            bytes: [AtomicU8; 64] = "Its bytes, then zeros; at most 63 are used.",
        ),
        member_row(),
        process_row(),
        structure!(
            PoolCounts,
            "What one process selected from one pool.",
            selected: AtomicU64 = "Times a member was found.",
            refused: AtomicU64 = "Times no member was to be had.",
        ),
    ]
}

fn member_row() -> Structure {
    structure!(
        MemberRow,
        "What Kamailio knows of one member. Written by all its processes, hence by \
         read-modify-write. A process that counts on a row first claims it for the member's id.",
        id: AtomicU64 = "Whose row it is: XXH3-64 of `pool`, NUL, `member`; 0 before anybody used \
            it. Whoever finds another id there looks past the rest.",
        calls: AtomicI64 = "Calls that it carries now. Below 0 counts as 0.",
        down_until_s: AtomicU64 = "Out of selection until `now_s` (passive detection); 0 \
            or past: up. Cleared for another owner.",
        override_word: AtomicU64 = "The operator's word: 0 none, else 1 + the state's number in \
            the low 3 bits and the id, shifted by them, above; it speaks of that member alone. The \
            next Kamailio takes it over.",
        failures: AtomicU64 = "Times a script marked it as failed. Cleared for another owner.",
        calls_total: AtomicU64 = "Calls that were ever counted on the slot, whoever owned it.",
    )
}

fn process_row() -> Structure {
    structure!(
        ProcessRow,
        "What one process did. Only that process writes its row, so plain adding is enough; the \
         sums are the reader's. Counters only grow.",
        pid: AtomicU32 = "Process id; 0 for a row without a process, which is not summed.",
        rank: AtomicU32 = "Kamailio's rank, plus 128: above 128 a worker that serves requests.",
        generation: AtomicU64 = "The generation it uses; 0: none that an agent published.",
        applied_ns: AtomicU64 = "`CLOCK_MONOTONIC` when it applied that generation.",
        applied: AtomicU64 = "Tables it applied.",
        rejected: AtomicU64 = "Tables it refused because they were not valid.",
        torn: AtomicU64 = "Copies it gave up because the publisher was faster.",
        panics: AtomicU64 = "Panics its guard caught.",
        features: Line<[AtomicU64; MAX_FEATURES]> = "Requests per feature.",
        pools: [PoolCounts; MAX_POOLS] = "Selections per pool, by the pool's slot.",
    )
}

fn write_structure(page: &mut String, structure: &Structure) {
    let Structure {
        name,
        what,
        size,
        align,
        fields,
    } = structure;
    writeln!(
        page,
        "\n### {name}\n\n{what} {size} bytes, aligned to {align}.\n"
    )
    .unwrap();
    page.push_str("| offset | size | field | type | meaning |\n|---:|---:|---|---|---|\n");
    let mut end = 0;
    for field in fields {
        let Field {
            name,
            kind,
            offset,
            size,
            meaning,
        } = field;
        assert!(
            *offset >= end,
            "{name} begins within the field before: list them in order"
        );
        write_padding(page, end, *offset);
        writeln!(
            page,
            "| {offset} | {size} | `{name}` | `{kind}` | {meaning} |"
        )
        .unwrap();
        end = offset + size;
    }
    write_padding(page, end, *size);
}

fn write_padding(page: &mut String, from: usize, to: usize) {
    if from < to {
        writeln!(page, "| {from} | {} | | | padding, zero |", to - from).unwrap();
    }
}

// ---------------------------------------------------------------- words of a table

/// Some bits of one word of a record, and what they hold in [`Example`].
struct Bits {
    word: usize,
    from: u32,
    bits: u32,
    what: &'static str,
    example: u64,
}

const fn bits(word: usize, from: u32, bits: u32, what: &'static str, example: u64) -> Bits {
    Bits {
        word,
        from,
        bits,
        what,
        example,
    }
}

/// A table with two pools, of which the second record and its last member are looked at, so that
/// no number is 0 by chance.
struct Example {
    words: Vec<u64>,
    first: PoolSpec,
    second: PoolSpec,
}

const FIRST_SLOT: u32 = 40;
const POOL_SLOT: u32 = 9;

fn example() -> Example {
    let member = |name: &str, uri: &str, state, weight| MemberSpec {
        name: name.to_owned(),
        uri: uri.to_owned(),
        state,
        weight,
        priority: 3,
        capacity: 25,
    };
    let (active, draining) = (DesiredState::Active, DesiredState::Draining);
    let pool = |name: &str| PoolSpec {
        name: name.to_owned(),
        hash_bits: 11,
        members: vec![
            member("m1", "sip:10.0.0.1:5070", active, 100),
            member("m2", "sip:m2.example.net", draining, 100),
            member("m3", "sip:10.0.0.3:5071;transport=tcp", active, 50),
        ],
    };
    let mut pools = ["conference", "queue"].map(pool);
    pools.sort_by_key(|p| xxh3(p.name.as_bytes()));
    let spec = TableSpec {
        pools: pools.to_vec(),
    };
    let rows = [0, 1].map(|i| RowTable::new(11, &encode::weighted(&pools[i])));
    let placed = [(0, &rows[0]), (3, &rows[1])].map(|(from, rows)| Placement {
        slot: POOL_SLOT,
        member_slots: (FIRST_SLOT + from..).take(3).collect(),
        rows,
    });
    let words = encode::encode(&spec, &placed, 77).unwrap();
    let [first, second] = pools;
    Example {
        words,
        first,
        second,
    }
}

const POOLS_AT: usize = RECORD_WORDS;
const MEMBERS_AT: usize = POOLS_AT + 2 * RECORD_WORDS;
const ACTIVE_AT: usize = MEMBERS_AT + 6 * RECORD_WORDS;
const SOURCES_AT: usize = ACTIVE_AT + 4;
const ROWS_AT: usize = SOURCES_AT + 4 * SOURCE_WORDS;
const STRINGS_AT: usize = ROWS_AT + 2 * (1 << 11) / 4;

impl Example {
    fn strings_of(pool: &PoolSpec) -> usize {
        let members = pool.members.iter().map(|m| m.uri.len() + m.name.len());
        pool.name.len() + members.sum::<usize>()
    }

    fn header(&self) -> Vec<Bits> {
        let strings = Self::strings_of(&self.first) + Self::strings_of(&self.second);
        let sum = checksum::of(&self.words[encode::CHECKED_FROM..]);
        vec![
            bits(
                0,
                0,
                64,
                "`KSTABLE` and the version of this encoding (1), as bytes",
                encode::MAGIC,
            ),
            bits(1, 0, 64, "words of the table", self.words.len() as u64),
            bits(
                2,
                0,
                64,
                "checksum: XXH3-64 of the words from word 3 on",
                sum,
            ),
            bits(3, 0, 64, "generation", 77),
            bits(4, 0, 32, "pools", 2),
            bits(4, 32, 32, "members, over all pools", 6),
            bits(5, 0, 32, "first word of the sources", SOURCES_AT as u64),
            bits(5, 32, 32, "sources", 4),
            bits(6, 0, 32, "first word of the strings", STRINGS_AT as u64),
            bits(6, 32, 32, "bytes of strings", strings as u64),
            bits(7, 0, 64, "unused, zero", 0),
        ]
    }

    fn pool(&self) -> Vec<Bits> {
        let rows = ROWS_AT + (1 << 11) / 4;
        let name = Self::strings_of(&self.first) as u64;
        vec![
            bits(
                0,
                0,
                64,
                "XXH3-64 of its name; the records are sorted by it",
                xxh3(self.second.name.as_bytes()),
            ),
            bits(1, 0, 32, "its name: offset in the strings", name),
            bits(1, 32, 32, "its name: bytes", self.second.name.len() as u64),
            bits(
                2,
                0,
                32,
                "its slot: the index of its `PoolCounts`",
                u64::from(POOL_SLOT),
            ),
            bits(2, 32, 32, "rows, as bits", 11),
            bits(3, 0, 32, "its first member, over all pools", 3),
            bits(3, 32, 32, "its members", 3),
            bits(
                4,
                0,
                32,
                "first word of its active list",
                ACTIVE_AT as u64 + 2,
            ),
            bits(4, 32, 32, "its active members", 2),
            bits(5, 0, 32, "first word of its rows", rows as u64),
            bits(5, 32, 32, "unused, must be zero", 0),
            bits(6, 0, 64, "capacity of its active members together", 50),
            bits(7, 0, 64, "unused, zero", 0),
        ]
    }

    fn member(&self) -> Vec<Bits> {
        let m = &self.second.members[2];
        let strings = Self::strings_of(&self.first) + Self::strings_of(&self.second);
        let name = strings - m.name.len();
        let uri = name - m.uri.len();
        vec![
            bits(
                0,
                0,
                64,
                "its id: XXH3-64 of pool, NUL, member",
                member_id(&self.second.name, "m3"),
            ),
            bits(
                1,
                0,
                32,
                "its slot: the index of its `MemberRow`",
                u64::from(FIRST_SLOT) + 5,
            ),
            bits(
                1,
                32,
                8,
                "desired state: 0 joining, 1 active, 2 draining, 3 disabled",
                1,
            ),
            bits(1, 40, 8, "what its host is: 4 or 6 an address, 0 a name", 4),
            bits(
                1,
                48,
                16,
                "port, if its host is an address (5060 or 5061 if not said)",
                5071,
            ),
            bits(2, 0, 16, "weight", 50),
            bits(2, 16, 16, "live weight: the weight if active, else 0", 50),
            bits(2, 32, 16, "priority", 3),
            bits(2, 48, 16, "unused, zero", 0),
            bits(3, 0, 32, "capacity; 0: not limited", 25),
            bits(3, 32, 32, "its pool's index", 1),
            bits(4, 0, 32, "its URI: offset in the strings", uri as u64),
            bits(4, 32, 16, "its URI: bytes", m.uri.len() as u64),
            bits(4, 48, 16, "`host[:port]`: offset in the URI", 4),
            bits(5, 0, 32, "its name: offset in the strings", name as u64),
            bits(5, 32, 16, "its name: bytes", 2),
            bits(
                5,
                48,
                16,
                "`host[:port]`: bytes",
                "10.0.0.3:5071".len() as u64,
            ),
            bits(6, 0, 64, "address, high half", 0),
            bits(
                7,
                0,
                64,
                "address, low half (IPv4 as `::ffff:a.b.c.d`)",
                0xffff_0a00_0003,
            ),
        ]
    }

    /// The second active member (m3, weight 50 of 150) leaves the rest of its turn to the first.
    fn active(&self) -> Vec<Bits> {
        let threshold = ((50 * 2) << 32) / 150;
        vec![
            bits(0, 0, 16, "the member, by its index in the pool", 2),
            bits(0, 16, 16, "its alias: who has the rest of its turn", 0),
            bits(
                0,
                32,
                32,
                "its part of the turn, in 1/2^32 (all ones: the whole)",
                threshold,
            ),
        ]
    }

    fn source(&self) -> Vec<Bits> {
        let address = |m: &MemberSpec| u64::from(m.uri.as_bytes()[11] - b'0') | 0xffff_0a00_0000;
        let hash = |m| encode::source_hash(0, address(m));
        let members = self
            .first
            .members
            .iter()
            .chain(&self.second.members)
            .zip(0_u64..);
        let named = members.filter(|(m, _)| m.name != "m2");
        let (hash, member) = named.map(|(m, i)| (hash(m), i)).max().unwrap();
        vec![
            bits(
                0,
                0,
                64,
                "hash of the address; the entries are sorted by it",
                hash,
            ),
            bits(1, 0, 64, "the member, over all pools", member),
        ]
    }

    fn rows(&self) -> Vec<Bits> {
        let table = RowTable::new(11, &encode::weighted(&self.first));
        let owners: Vec<u64> = table.owners().take(4).map(u64::from).collect();
        vec![
            bits(
                0,
                0,
                16,
                "owner of row 4*n*, by its index in the pool; 65535: nobody",
                owners[0],
            ),
            bits(0, 16, 16, "owner of row 4*n* + 1", owners[1]),
            bits(0, 32, 16, "owner of row 4*n* + 2", owners[2]),
            bits(0, 48, 16, "owner of row 4*n* + 3", owners[3]),
        ]
    }
}

/// Checks every bit of the record against the encoder's, and that none is forgotten.
fn write_bits(page: &mut String, title: &str, record: &[u64], rows: &[Bits]) {
    writeln!(
        page,
        "\n### {title}\n\n| word | bits | holds |\n|---:|---:|---|"
    )
    .unwrap();
    let mut next = (0, 0);
    for Bits {
        word,
        from,
        bits,
        what,
        example,
    } in rows
    {
        assert_eq!(
            (*word, *from),
            next,
            "{title}: bits before {what:?} are missing or twice there"
        );
        let mask = u64::MAX >> (64 - bits);
        let is = record[*word] >> from & mask;
        assert_eq!(
            is, *example,
            "{title}: {what:?} does not stand in word {word}, bit {from}"
        );
        let until = from + bits;
        next = if until == 64 {
            (word + 1, 0)
        } else {
            (*word, until)
        };
        writeln!(page, "| {word} | {from}..{until} | {what} |").unwrap();
    }
    assert_eq!(
        next,
        (record.len(), 0),
        "{title}: the last bits are missing"
    );
}

fn write_table(page: &mut String) {
    let example = example();
    let part = |at: usize, words: usize| &example.words[at..at + words];
    page.push_str(TABLE);
    write_bits(
        page,
        "Header of a table",
        part(0, RECORD_WORDS),
        &example.header(),
    );
    let pool = part(POOLS_AT + RECORD_WORDS, RECORD_WORDS);
    write_bits(page, "Pool", pool, &example.pool());
    let member = part(MEMBERS_AT + 5 * RECORD_WORDS, RECORD_WORDS);
    write_bits(page, "Member", member, &example.member());
    write_bits(
        page,
        "Entry of an active list",
        part(ACTIVE_AT + 3, 1),
        &example.active(),
    );
    let source = part(SOURCES_AT + 3 * SOURCE_WORDS, SOURCE_WORDS);
    write_bits(page, "Source", source, &example.source());
    write_bits(
        page,
        "Word *n* of a pool's rows",
        part(ROWS_AT, 1),
        &example.rows(),
    );
    let name = &example.first.name;
    let text: &[u8] = &example.words[STRINGS_AT].to_ne_bytes();
    assert_eq!(
        &text[..5],
        &name.as_bytes()[..5],
        "the strings begin elsewhere"
    );
}

// ---------------------------------------------------------------- the page

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
| counters | Relaxed | agent | numbers that only grow, each right for itself; not one moment of all |

A publisher that dies leaves an odd stamp (or a whole slot) to which no `generation` points; the next
one goes on from `generation` and writes over it. Readers never write to the table and never wait: a
copy that was overtaken is tried again a few times, and then at the next request.

## Version rule

";

const TABLE: &str = "
## The table in a slot

Words of 64 bits. A reader copies them, checks the checksum and every offset, index and length of the
copy once, and uses the copy; a table that fails is refused as a whole, and the old one stays.

```text
header (8 words) | pools (8 each, by name hash) | members (8 each, pool by pool)
| active lists (1 word per active member, by falling priority) | sources (2 words per address, by hash)
| rows (4 per word) | strings (names and URIs)
```
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

fn page() -> String {
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

/// The names after `pub WORD ` in a source file of the crate.
fn declared(source: &str, word: &str) -> Vec<String> {
    let lines = source
        .lines()
        .filter_map(|l| l.strip_prefix("pub ")?.strip_prefix(word));
    let name = |l: &str| {
        l.trim()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap()
            .to_owned()
    };
    lines.map(name).collect()
}

#[test]
fn the_page_says_what_the_code_does() {
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    let mut lines = page
        .lines()
        .zip(committed.lines().chain(std::iter::repeat("")));
    let different = lines.find(|(is, was)| is != was);
    assert!(
        page == committed,
        "docs/shm-layout.md is not what the code does (now, committed): {different:?}; \
         `BLESS=1 cargo test -p kamscale-shm --test layout_doc` rewrites it"
    );
}

#[test]
fn no_structure_and_no_limit_is_forgotten() {
    let page = page();
    for name in declared(include_str!("../src/layout.rs"), "struct") {
        // `Line` is an alignment only and shows in the fields that have it.
        let described = name == "Line" || page.contains(&format!("\n### {name}\n"));
        assert!(described, "structure {name} is not described");
    }
    for name in declared(include_str!("../src/limits.rs"), "const") {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "limit {name} is not described"
        );
    }
}

#[test]
fn numbers_that_the_page_writes_out_are_those_of_the_code() {
    assert_eq!(NOBODY, 65535);
    assert_eq!(RANK_OFFSET, 128);
    assert_eq!(encode::CHECKED_FROM, 3);
    assert_eq!(encode::MAGIC.to_le_bytes(), *b"KSTABLE\x01");
    assert_eq!(OBSERVED_MAGIC.to_le_bytes(), *b"KSOBSERV");
    assert_eq!(DESIRED_MAGIC.to_le_bytes(), *b"KSDESIRE");
    for (number, name) in ["joining", "active", "draining", "disabled"]
        .iter()
        .enumerate()
    {
        let state = DesiredState::from_number(u8::try_from(number).unwrap()).unwrap();
        assert_eq!(state.name(), *name);
    }
}
