//! Where in the text of a TOML file a key stands, for errors that name line and key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of a byte offset, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// The byte offset of a key; of the nearest table around it if the key itself is not written.
pub(super) fn offset_of(text: &str, path: &[String]) -> usize {
    let Ok(root) = DeTable::parse(text) else {
        return 0;
    };
    let mut table = root.get_ref();
    let mut offset = 0;
    let mut rest = path;
    while let Some((name, tail)) = rest.split_first() {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        offset = key.span().start;
        rest = tail;
        let mut value = value;
        while let (Some(array), Some((index, tail))) =
            (value.get_ref().as_array(), rest.split_first())
            && let Some(element) = index
                .parse::<usize>()
                .ok()
                .and_then(|index| array.get(index))
        {
            offset = element.span().start;
            value = element;
            rest = tail;
        }
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    offset
}

/// The full name of the key whose name or value covers a byte offset.
pub(super) fn key_at(text: &str, offset: usize) -> String {
    let mut path = Vec::new();
    if let Ok(root) = DeTable::parse(text) {
        descend(root.get_ref(), offset, &mut path);
    }
    if path.is_empty() {
        key_of_line(text, offset)
    } else {
        path.join(".")
    }
}

fn descend(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) {
    for (key, value) in table {
        let before = path.len();
        path.push(key.get_ref().to_string());
        if covers(&key.span(), offset) && !value.get_ref().is_table() {
            return;
        }
        if descend_value(value, offset, path) {
            return;
        }
        if covers(&key.span(), offset) {
            return;
        }
        path.truncate(before);
    }
}

fn descend_value(value: &Spanned<DeValue<'_>>, offset: usize, path: &mut Vec<String>) -> bool {
    match value.get_ref() {
        DeValue::Table(table) => {
            let before = path.len();
            descend(table, offset, path);
            path.len() > before || covers(&value.span(), offset)
        }
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                path.push(index.to_string());
                if descend_value(element, offset, path) {
                    return true;
                }
                path.pop();
            }
            covers(&value.span(), offset)
        }
        _ => covers(&value.span(), offset),
    }
}

fn covers(span: &Range<usize>, offset: usize) -> bool {
    span.contains(&offset)
}

/// For text that is no TOML at all: what stands before the `=` of that line.
fn key_of_line(text: &str, offset: usize) -> String {
    let line = text
        .lines()
        .nth(line_of(text, offset) - 1)
        .unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    if key.is_empty() {
        "(no key)".into()
    } else {
        key.into()
    }
}
