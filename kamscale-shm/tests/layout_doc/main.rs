//! Writes `docs/shm-layout.md` from the code and compares it with the committed page. Offsets and
//! sizes come from the compiler, bit places are checked against an encoded table, and a field, a
//! structure or a limit that is not described here fails. `BLESS=1` rewrites the page.

#![cfg(test)]

mod bits;
mod example;
mod files;
mod options;
mod page;
mod records;
mod structure;

use kamscale_shm::encode;
use kamscale_shm::layout::{DESIRED_MAGIC, OBSERVED_MAGIC};
use kamscale_shm::rows::NOBODY;
use kamscale_shm::snapshot::RANK_OFFSET;
use kamscale_shm::spec::DesiredState;

use page::page;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/shm-layout.md");

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
    for name in declared(include_str!("../../src/layout.rs"), "struct") {
        // `Line` is an alignment only and shows in the fields that have it.
        let described = name == "Line" || page.contains(&format!("\n### {name}\n"));
        assert!(described, "structure {name} is not described");
    }
    for name in declared(include_str!("../../src/limits.rs"), "const") {
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
