//! The limits of one instance. They are part of the layout: changing one is a new layout version.
//! Beyond a limit there is an error that names it, never a silent cut.

/// Features (kinds of demand) that may be declared.
pub const MAX_FEATURES: usize = 64;
/// Pools in one table.
pub const MAX_POOLS: usize = 1024;
/// Members in one table, over all pools.
pub const MAX_MEMBERS: usize = 16_384;
/// Processes of one Kamailio (its `core.psx` list).
pub const MAX_PROCESSES: usize = 512;
/// Bytes of a name of a feature, pool or member.
pub const MAX_NAME_BYTES: usize = 63;
/// Bytes of a member's URI.
pub const MAX_URI_BYTES: usize = 255;
/// Bytes of a member's attributes ([`crate::options`]).
pub const MAX_ATTRIBUTES_BYTES: usize = 1023;
/// Pools through which a request may overflow, one after the other.
pub const MAX_OVERFLOWS: usize = 8;
/// Bytes of one encoded table: what a slot can hold.
pub const MAX_TABLE_BYTES: usize = 16 << 20;
/// Words of one encoded table.
pub const MAX_TABLE_WORDS: usize = MAX_TABLE_BYTES / 8;
/// Slots that the publisher fills in turn; a reader has that many publications of time to copy one.
pub const TABLE_SLOTS: usize = 4;
/// Groups of entries for sticky keys ([`crate::keys`]).
pub const KEY_GROUPS: usize = 1 << 15;
/// Entries of one group; with its head it fills two cache lines.
pub const KEYS_PER_GROUP: usize = 7;
/// Other nodes that share calls and sticky keys with this one.
pub const MAX_NODES: usize = 32;
/// Messages of other nodes that wait to be read.
pub const INBOX_SLOTS: usize = 512;
/// Words for one of them.
pub const INBOX_WORDS: usize = 142;
/// Publications whose changes are remembered.
pub const HISTORY_SLOTS: usize = 64;
/// Words for the changes of one of them: with its head a page.
pub const HISTORY_WORDS: usize = 510;
/// Fewest and most bits of a pool's row table ([`crate::rows`]): 1 Ki to 1 Mi rows of two bytes.
pub const HASH_BITS: core::ops::RangeInclusive<u8> = 10..=20;
/// Rows (as bits) of a pool that does not say otherwise: a member's share is right to about
/// 2 % in a pool of 4 and 11 % in a pool of 100.
pub const DEFAULT_HASH_BITS: u8 = 12;
/// Weight of a member that does not say otherwise.
pub const DEFAULT_WEIGHT: u16 = 100;
