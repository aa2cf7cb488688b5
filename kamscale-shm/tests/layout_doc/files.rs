//! The structures of both files, field by field, and what each means.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use kamscale_shm::inbox::InboxSlot;
use kamscale_shm::keys::{KeyEntry, KeyGroup};
use kamscale_shm::layout::{
    AdmissionRow, DesiredFile, Header, HistorySlot, Line, MemberRow, NameRow, ObservedFile,
    PoolCounts, PoolRow, ProcessRow, ServerRow, TableSlot,
};
use kamscale_shm::limits::{
    HISTORY_SLOTS, HISTORY_WORDS, INBOX_SLOTS, INBOX_WORDS, KEY_GROUPS, KEYS_PER_GROUP,
    MAX_FEATURES, MAX_MEMBERS, MAX_NODES, MAX_POOLS, MAX_PROCESSES, MAX_TABLE_WORDS, TABLE_SLOTS,
};
use kamscale_shm::nodes::{NodeRow, Nodes};

use crate::structure::{Structure, structure};

pub(crate) fn common_structures() -> Vec<Structure> {
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

pub(crate) fn desired_structures() -> Vec<Structure> {
    vec![
        structure!(
            DesiredFile,
            "The whole file `INSTANCE.desired`.",
            header: Header = "Its head.",
            generation: Line<AtomicU64> = "The generation that readers shall use; 0 before the \
                first. Every request loads it, so it has a pair of cache lines to itself.",
            admission: [AdmissionRow; MAX_FEATURES] = "What is admitted of each feature, in the \
                order of the observed file; it moves every second, so it is not part of a table.",
            slots: [TableSlot; TABLE_SLOTS] = "Generation *g* is in slot *g* modulo their number.",
            history: [HistorySlot; HISTORY_SLOTS] = "What generation *g* changed, in slot *g* \
                modulo their number; whole before the generation is announced.",
        ),
        structure!(
            AdmissionRow,
            "What is admitted of one feature.",
            feature: AtomicU64 = "Whose row it is: XXH3-64 of the feature's name, stored last; any \
                other number: everything is admitted.",
            interval_ns: AtomicU64 = "Nanoseconds for one request; all ones: nothing is admitted.",
            ahead_ns: AtomicU64 = "How far requests may run ahead: (burst - 1) x interval.",
            until_ns: AtomicU64 = "Until when the row stands (`CLOCK_MONOTONIC`); 0: for as long as the \
                file does.",
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
        structure!(
            HistorySlot,
            "What one publication changed; for reports alone.",
            stamp: AtomicU64 = "As that of a `TableSlot`.",
            length: AtomicU64 = "Words of the record.",
            words: [AtomicU64; HISTORY_WORDS] = "A text, 8 bytes a word, filled up with zeros: a \
                line with the time (seconds since 1970) and the number of changes, then a line of \
                pool, member, what, from and to for each of them as long as there is room; tabs \
                divide.",
        ),
    ]
}

pub(crate) fn observed_structures() -> Vec<Structure> {
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
            buckets: [Line<AtomicU64>; MAX_FEATURES] = "The token bucket of each feature: the \
                moment, by `CLOCK_MONOTONIC` in nanoseconds, at which it would be full again. \
                Moved by compare-and-swap.",
            keys_refused: Line<AtomicU64> = "Times that no room was left for a sticky key.",
            keys: [KeyGroup; KEY_GROUPS] = "Which member holds which sticky key. A key is in one \
                of two groups.",
            pools: [PoolRow; MAX_POOLS] = "What is summed over each pool, by its slot.",
            nodes: Nodes = "What concerns other nodes; for Kamailio alone, zero unless it shares.",
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
            probing_off: AtomicU32 = "1 while an operator lets nobody be probed. Written by any \
                process, and kept over a restart.",
        ),
        structure!(
            NameRow,
            "A name.",
            bytes: [AtomicU8; 64] = "Its bytes, then zeros; at most 63 are used.",
        ),
        member_row(),
        process_row(),
        structure!(
            PoolRow,
            "What is summed over one pool, once a second. Written by the timer process alone.",
            calls: AtomicU64 = "Calls on its active members.",
            weight: AtomicU64 = "The weights of its active members together.",
            active: AtomicU32 = "How many members are active.",
            down: AtomicU32 = "How many of them do not answer probes.",
            steady: AtomicU32 = "How many of them have their whole weight, in a pool with slow start.",
            refusing: AtomicU32 = "How many of them refused calls of late.",
        ),
        structure!(
            PoolCounts,
            "What one process selected from one pool.",
            selected: AtomicU64 = "Times a member was found.",
            refused: AtomicU64 = "Times no member was to be had.",
        ),
        structure!(
            KeyGroup,
            "Room for a few sticky keys.",
            published: AtomicU64 = "The key that was published last of those whose first group \
                this is: 1 + its entry in the low 18 bits, the number of its claim in the next 18, \
                how many there were above; 0 before the first.",
            entries: [KeyEntry; KEYS_PER_GROUP] = "The keys, those of other groups among them.",
        ),
        structure!(
            KeyEntry,
            "One sticky key.",
            state: AtomicU64 = "Calls of the key in the low 18 bits, then 14 bits with its \
                member's slot, the upper 12 of the member's id, 2 with the phase (0 free, 1 \
                claimed, 2 live), 18 that count how often the entry was given back.",
            key: AtomicU64 = "Hash of pool and key; says nothing while the entry is free.",
        ),
        nodes(),
        structure!(
            NodeRow,
            "One other node. Written by the process that shares.",
            name: [AtomicU8; 64] = "Where its messages come from, `ADDRESS:PORT`, then zeros.",
            heard_ns: AtomicU64 = "`CLOCK_MONOTONIC` when it was heard last; 0: a free row.",
            boot: AtomicU64 = "When it started, by its own clock: milliseconds since 1970.",
            received: AtomicU64 = "Messages of it that were understood.",
            keys: AtomicU32 = "Sticky keys that it holds.",
            calls: AtomicU32 = "Calls that it has, on all members.",
            complete: AtomicU32 = "1 once it has told all that it has.",
        ),
        structure!(
            InboxSlot,
            "Room for one message of another node: a line with its name, then the body.",
            turn: AtomicU64 = "2n when the message of its n-th use may be written, 2n + 1 when it \
                may be read; n counts from 0.",
            length: AtomicU64 = "Bytes of the message.",
            words: [AtomicU64; INBOX_WORDS] = "The message, 8 bytes a word.",
        ),
    ]
}

fn nodes() -> Structure {
    structure!(
        Nodes,
        "What is known of and from other nodes. Written by the process that shares, but `lost`, \
         `put` and the inbox by who receives, and `changed` by every process.",
        sent: AtomicU64 = "Messages that this node sent.",
        received: AtomicU64 = "Messages of others that were understood.",
        refused: AtomicU64 = "Messages of others that were not.",
        lost: AtomicU64 = "Messages of others for which the inbox had no room.",
        not_sent: AtomicU64 = "Messages that dmq did not take.",
        unplaced: AtomicU64 = "Keys that other nodes hold and that have no entry here.",
        put: AtomicU64 = "Messages ever put into the inbox.",
        taken: AtomicU64 = "Messages ever taken out of it.",
        rows: [NodeRow; MAX_NODES] = "The other nodes.",
        calls: [AtomicU64; MAX_MEMBERS] = "Calls of other nodes on each member, by slot, in the low \
            half; above them the upper half of the member's id.",
        changed: [AtomicU64; KEY_GROUPS.div_ceil(64)] = "A bit for each group of keys that changed \
            since the sharing process looked.",
        held: [AtomicU64; (KEY_GROUPS * KEYS_PER_GROUP).div_ceil(64)] = "A bit for each entry on \
            which one call is counted for all other nodes that hold the key.",
        inbox: [InboxSlot; INBOX_SLOTS] = "Messages on their way.",
    )
}

fn member_row() -> Structure {
    structure!(
        MemberRow,
        "What Kamailio knows of one member. Written by all its processes, hence by \
         read-modify-write; the second half only if members are probed. A process that counts on a \
         row first claims it for the member's id.",
        id: AtomicU64 = "Whose row it is: XXH3-64 of `pool`, NUL, `member`; 0 before anybody used \
            it. Whoever finds another id there looks past the rest.",
        calls: AtomicI64 = "Calls that it carries now. Below 0 counts as 0.",
        down_until_s: AtomicU64 = "Out of selection until `now_s` (passive detection); 0 \
            or past: up. Cleared for another owner.",
        override_word: AtomicU64 = "The operator's word: 0 none, else 1 + the state's number in \
            the low 3 bits and the id, shifted by them, above; it speaks of that member alone. The \
            next Kamailio takes it over.",
        health_word: AtomicU64 = "What probing says, with the id above it likewise: 0 nothing, 1 new, \
            2 trusted unproven, 3 up, 4 down, 5 draining.",
        failures: AtomicU64 = "Times a script marked it as failed. Cleared for another owner.",
        calls_total: AtomicU64 = "Calls that were ever counted on the slot, whoever owned it.",
        held: AtomicU8 = "0 as long as nothing ever spoke against a member of the slot.",
        unused: AtomicU8 = "Zero.",
        refusals: AtomicU16 = "Calls that it refused of late, in sixteenths.",
        used_since_s: AtomicU32 = "Since when it takes requests; 0: it does not, or nobody saw yet that it does; 1: always.",
        probe_sent_ns: AtomicU64 = "`CLOCK_MONOTONIC` when the last probe was sent.",
        answer: AtomicU64 = "The answer to the last probe: its number in the high half, the status in \
            the low 16 bits, bit 16 if the member sent it, its own state in bits 20 and 21 (0 none, \
            1 active, 2 draining, 3 down); 0 none yet.",
        answered_ns: AtomicU64 = "`CLOCK_MONOTONIC` when it came; 0 never.",
        latency_us: AtomicU32 = "Time to an answer, smoothed; 0: none came yet.",
        last_code: AtomicU32 = "Status of the last answer; 408 if none came in time.",
        successes: AtomicU32 = "Good answers in a row.",
        misses: AtomicU32 = "Probes in a row without a good answer.",
        reported_calls: AtomicU32 = "Calls that it says it carries, plus 1; 0: it does not say.",
        reported_capacity: AtomicU32 = "Calls that it says it may carry, plus 1; 0 likewise.",
        reported_weight: AtomicU32 = "Per cent of its weight that it asks for, plus 1; 0 likewise.",
        probe: AtomicU32 = "Number of the last probe.",
        failure_window: AtomicU64 = "Failures that scripts marked of late: since which second (high \
            half), and how many. Cleared for another owner.",
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
        admitted: Line<[AtomicU64; MAX_FEATURES]> = "Those of them that `ks_admit()` let in.",
        refused: Line<[AtomicU64; MAX_FEATURES]> = "Those of them that `ks_admit()` refused.",
        pools: [PoolCounts; MAX_POOLS] = "Selections per pool, by the pool's slot.",
    )
}
