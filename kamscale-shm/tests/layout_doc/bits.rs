//! How the page shows a record: which bits of which word hold what, each checked against a word that
//! the encoder made.

use std::fmt::Write;

/// Some bits of one word of a record, and what they hold in [`crate::example::Example`].
pub(crate) struct Bits {
    word: usize,
    from: u32,
    bits: u32,
    what: &'static str,
    example: u64,
}

pub(crate) const fn bits(
    word: usize,
    from: u32,
    bits: u32,
    what: &'static str,
    example: u64,
) -> Bits {
    Bits {
        word,
        from,
        bits,
        what,
        example,
    }
}

/// Checks every bit of the record against the encoder's, and that none is forgotten.
pub(crate) fn write_bits(page: &mut String, title: &str, record: &[u64], rows: &[Bits]) {
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
