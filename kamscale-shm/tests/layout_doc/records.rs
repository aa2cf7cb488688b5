//! The records of a table, bit by bit, and what each holds in the example.

use kamscale_shm::encode::{self, RECORD_WORDS, SOURCE_WORDS};
use kamscale_shm::rows::RowTable;
use kamscale_shm::spec::{MemberSpec, PoolSpec};
use kamscale_shm::{checksum, member_id, xxh3};

use crate::bits::{Bits, bits, write_bits};
use crate::example::{
    ACTIVE_AT, Example, FIRST_SLOT, MEMBERS_AT, OPTIONS_AT, POOL_SLOT, POOLS_AT, ROWS_AT,
    SOURCES_AT, STRINGS_AT, example,
};
use crate::options::{member_texts, pool_texts, write_options};

const TABLE: &str = "
## The table in a slot

Words of 64 bits. A reader copies them, checks the checksum and every offset, index and length of the
copy once, and uses the copy; a table that fails is refused as a whole, and the old one stays.

```text
header (8 words) | pools (8 each, by name hash) | members (8 each, pool by pool)
| active lists (1 word per active member, by falling priority) | sources (2 words per address, by hash)
| rows (4 per word) | options (8 words for each pool or member that has any) | strings
```
";

/// The part of the page on the table in a slot.
pub(crate) fn write_table(page: &mut String) {
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
    write_options(page, &example);
    let name = &example.first.name;
    let text: &[u8] = &example.words[STRINGS_AT].to_ne_bytes();
    assert_eq!(
        &text[..5],
        &name.as_bytes()[..5],
        "the strings begin elsewhere"
    );
}

impl Example {
    pub(crate) fn strings_of(pool: &PoolSpec) -> usize {
        let members = pool.members.iter().map(|m| {
            let options = member_texts(m);
            options.concat().len() + m.uri.len() + m.name.len()
        });
        pool_texts(pool).concat().len() + pool.name.len() + members.sum::<usize>()
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
            bits(7, 0, 32, "first word of the options", OPTIONS_AT as u64),
            bits(7, 32, 32, "records of options", 2),
        ]
    }

    fn pool(&self) -> Vec<Bits> {
        let rows = ROWS_AT + (1 << 11) / 4;
        let before = Self::strings_of(&self.first) + pool_texts(&self.second).concat().len();
        let name = (8 * STRINGS_AT + before) as u64;
        let members = (MEMBERS_AT + 3 * RECORD_WORDS) as u64;
        vec![
            bits(
                0,
                0,
                64,
                "XXH3-64 of its name; the records are sorted by it",
                xxh3(self.second.name.as_bytes()),
            ),
            bits(1, 0, 32, "its name: byte of the table", name),
            bits(1, 32, 32, "its name: bytes", self.second.name.len() as u64),
            bits(
                2,
                0,
                32,
                "its slot: the index of its `PoolCounts`",
                u64::from(POOL_SLOT),
            ),
            bits(2, 32, 16, "rows, as bits", 11),
            bits(2, 48, 16, "its options, counted from 1; 0: none", 1),
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
            bits(7, 0, 64, "first word of its members' records", members),
        ]
    }

    fn member(&self) -> Vec<Bits> {
        let m = &self.second.members[2];
        let strings = Self::strings_of(&self.first) + Self::strings_of(&self.second);
        let name = 8 * STRINGS_AT + strings - m.name.len();
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
            bits(2, 48, 16, "its options, counted from 1; 0: none", 2),
            bits(3, 0, 32, "capacity; 0: not limited", 25),
            bits(3, 32, 32, "its pool's index", 1),
            bits(4, 0, 32, "its URI: byte of the table", uri as u64),
            bits(4, 32, 16, "its URI: bytes", m.uri.len() as u64),
            bits(4, 48, 16, "`host[:port]`: offset in the URI", 4),
            bits(5, 0, 32, "its name: byte of the table", name as u64),
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
