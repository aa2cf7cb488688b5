//! RPC over kamcmd: runs a command and reads its answer, as text and as values.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::tools::tool;

/// Runs an RPC command; an error of Kamailio's is `Err`.
pub(crate) fn run(socket: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new(tool("kamcmd"))
        .args(["-s", &format!("unix:{}", socket.display())])
        .args(words)
        .output()
        .map_err(|e| format!("kamcmd: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    let failed = |t: &str| t.trim_start().to_ascii_lowercase().starts_with("error");
    if output.status.success() && !failed(&text) && !failed(&error) {
        Ok(text)
    } else {
        Err(format!("{text}{error}").trim().to_owned())
    }
}

/// What kamcmd printed, as values: `{ name: value }` and `[ ... ]` in lines. Values stay strings
/// unless they are whole numbers.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let mut values = Vec::new();
    while let Some(line) = lines.next() {
        values.push(value(line, &mut lines));
    }
    values
}

fn value<'a>(line: &str, lines: &mut impl Iterator<Item = &'a str>) -> Value {
    match line {
        "{" => structure(lines),
        "[" => {
            let mut items = Vec::new();
            while let Some(line) = lines.next().filter(|l| *l != "]") {
                items.push(value(line, lines));
            }
            Value::Array(items)
        }
        _ => scalar(line),
    }
}

/// Named fields; or values without names, as binrpc writes a list within a structure.
fn structure<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Value {
    let mut fields = Map::new();
    let mut items = Vec::new();
    while let Some(line) = lines.next().filter(|l| *l != "}") {
        if matches!(line, "{" | "[") {
            items.push(value(line, lines));
            continue;
        }
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        let found = value(rest.trim(), lines);
        match fields.entry(name.trim().to_owned()) {
            serde_json::map::Entry::Vacant(entry) => {
                entry.insert(found);
            }
            serde_json::map::Entry::Occupied(mut entry) => {
                // A list of structures repeats its name.
                let first = entry.get_mut();
                match first {
                    Value::Array(items) => items.push(found),
                    _ => *first = Value::Array(vec![first.take(), found]),
                }
            }
        }
    }
    if items.is_empty() {
        Value::Object(fields)
    } else {
        Value::Array(items)
    }
}

fn scalar(text: &str) -> Value {
    text.parse::<i64>()
        .map_or_else(|_| Value::from(text), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_lists_and_lines_are_read() {
        let text = "{\n\tIDX: 0\n\tDSC: main process - attendant\n}\n{\n\tIDX: 1\n\tL: [\n\t\ta\n\t\t{\n\t\t\tx: 1\n\t\t}\n\t]\n}\ncore:x = 3\n";
        let values = parse(text);
        assert_eq!(values[0]["DSC"], "main process - attendant");
        assert_eq!(values[1]["L"][1]["x"], 1);
        assert_eq!(values[2], "core:x = 3");
        let text = "{\n\ta: 1\n\tmany: {\n\t{\n\tx: 1\n\t}\n\t{\n\tx: 2\n\t}\n\t}\n\tb: 2\n}\n";
        let values = parse(text);
        assert_eq!(values[0]["many"][1]["x"], 2);
        assert_eq!(values[0]["b"], 2);
    }
}
