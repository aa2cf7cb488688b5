//! How the page shows a structure: its fields as the compiler places them, and the padding between.

use std::fmt::Write;

pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) meaning: &'static str,
}

pub(crate) struct Structure {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) fields: Vec<Field>,
}

/// A structure and all of its fields. The pattern has no `..`, so that a field that is not listed
/// does not compile; nor does one of another type than the page says.
macro_rules! structure {
    ($name:ident, $what:literal, $($field:ident: $kind:ty = $meaning:literal),+ $(,)?) => {{
        fn _complete(value: &$name) {
            let $name { $($field),+ } = value;
            $(let _: &$kind = $field;)+
        }
        $crate::structure::Structure {
            name: stringify!($name),
            what: $what,
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: vec![$($crate::structure::Field {
                name: stringify!($field),
                kind: stringify!($kind).replace("AtomicU", "u").replace("AtomicI", "i"),
                offset: std::mem::offset_of!($name, $field),
                size: size_of::<$kind>(),
                meaning: $meaning,
            }),+],
        }
    }};
}
pub(crate) use structure;

pub(crate) fn write_structure(page: &mut String, structure: &Structure) {
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
