//! One message between nodes, as text: what a node says of itself at one moment. It must fit into a
//! datagram with its SIP headers. Whatever is not understood is refused as a whole.
//!
//! ```text
//! kamscale/1 INSTANCE BOOT TIME [ask]
//! k KEY MEMBER VERSION    this node has calls of the key, at this member
//! k KEY                   it has none any more
//! K FROM TO               of the keys from FROM to TO it has no others than those in this message
//! m MEMBER CALLS          so many calls has this node on the member
//! M FROM TO               likewise
//! ```
//! All numbers are hexadecimal; INSTANCE, KEY and MEMBER are hashes.

use std::fmt::Write;
use std::ops::RangeInclusive;

/// Longest text: with some 450 bytes of SIP headers below the smallest MTU in use.
pub(super) const MAX_BYTES: usize = 880;
/// Longest line.
const LINE_BYTES: usize = 48;
/// First word of a message, with the version of this form.
const VERSION: &str = "kamscale/1";

/// Where a node's calls of a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    /// The member's identity.
    pub(super) member: u64,
    /// How often the key was moved, as far as the node knows.
    pub(super) version: u32,
}

/// What can be said of a key or a member in one line.
pub(super) trait Said: Copy + Eq {
    /// The letter of its lines; a whole range has the capital one.
    const LETTER: char;
    /// The words that follow the identity; nothing for what there is none of.
    fn write(said: Option<Self>, line: &mut String);
    /// The same back.
    fn read(words: &[u64]) -> Option<Option<Self>>;
}

impl Said for Hold {
    const LETTER: char = 'k';

    fn write(said: Option<Self>, line: &mut String) {
        if let Some(hold) = said {
            let _ = write!(line, " {:x} {:x}", hold.member, hold.version);
        }
    }

    fn read(words: &[u64]) -> Option<Option<Self>> {
        match *words {
            [] => Some(None),
            [member, version] => {
                let version = u32::try_from(version).ok()?;
                Some(Some(Self { member, version }))
            }
            _ => None,
        }
    }
}

/// Calls on a member.
impl Said for u32 {
    const LETTER: char = 'm';

    fn write(said: Option<Self>, line: &mut String) {
        let _ = write!(line, " {:x}", said.unwrap_or(0));
    }

    fn read(words: &[u64]) -> Option<Option<Self>> {
        match *words {
            [calls] => Some(Some(Self::try_from(calls).ok()?).filter(|calls| *calls > 0)),
            _ => None,
        }
    }
}

/// What a message says of keys, or of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<V> {
    /// Of these it says all that there is.
    pub(super) whole: Option<RangeInclusive<u64>>,
    /// What it says, by identity; `None`: there is none.
    pub(super) items: Vec<(u64, Option<V>)>,
}

impl<V> Default for Part<V> {
    fn default() -> Self {
        let (whole, items) = (None, Vec::new());
        Self { whole, items }
    }
}

/// A message that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The hash of the sender's instance.
    pub(super) instance: u64,
    /// Which life of the sender: a later one has a larger number.
    pub(super) boot: u64,
    /// When it was said, by the sender's clock; no two messages of one life have the same.
    pub(super) time: u64,
    /// The sender does not know all yet.
    pub(super) asks: bool,
    /// Of keys.
    pub(super) keys: Part<Hold>,
    /// Of calls on members.
    pub(super) calls: Part<u32>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// Why it is none, for the log.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let (version, words) = head.split_first().unwrap_or((&"", &[]));
        if *version != VERSION {
            return Err(format!("it begins with {version:?}, not with {VERSION}"));
        }
        let (asks, words) = match words {
            [words @ .., "ask"] => (true, words),
            words => (false, words),
        };
        let head = numbers(words).ok_or("its first line is no such line")?;
        let [instance, boot, time] = head[..] else {
            return Err("its first line has other words".to_owned());
        };
        let mut message = Self {
            instance,
            boot,
            time,
            asks,
            ..Self::default()
        };
        for line in lines {
            message
                .add(line)
                .ok_or_else(|| format!("no such line: {line:?}"))?;
        }
        Ok(message)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let (letter, words) = words.split_first()?;
        let numbers = numbers(words)?;
        match *letter {
            "k" => item(&mut self.keys, &numbers),
            "m" => item(&mut self.calls, &numbers),
            "K" => whole(&mut self.keys, &numbers),
            "M" => whole(&mut self.calls, &numbers),
            _ => None,
        }
    }
}

fn numbers(words: &[&str]) -> Option<Vec<u64>> {
    let number = |word: &&str| u64::from_str_radix(word, 16).ok();
    words.iter().map(number).collect()
}

fn item<V: Said>(part: &mut Part<V>, words: &[u64]) -> Option<()> {
    let (id, words) = words.split_first()?;
    part.items.push((*id, V::read(words)?));
    Some(())
}

fn whole<V>(part: &mut Part<V>, words: &[u64]) -> Option<()> {
    match *words {
        [from, to] if from <= to && part.whole.is_none() => {
            part.whole = Some(from..=to);
            Some(())
        }
        _ => None,
    }
}

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Draft {
    text: String,
}

impl Draft {
    /// Says nothing yet but that the sender lives.
    #[must_use]
    pub(super) fn new(instance: u64, boot: u64, time: u64, asks: bool) -> Self {
        let ask = if asks { " ask" } else { "" };
        let text = format!("{VERSION} {instance:x} {boot:x} {time:x}{ask}");
        Self { text }
    }

    /// Whether another item, and the line of a range, have room.
    #[must_use]
    pub(super) fn has_room(&self) -> bool {
        self.text.len() + 2 * LINE_BYTES <= MAX_BYTES
    }

    /// Says something of one key or member.
    pub(super) fn item<V: Said>(&mut self, id: u64, said: Option<V>) {
        let _ = write!(self.text, "\n{} {id:x}", V::LETTER);
        V::write(said, &mut self.text);
    }

    /// Says that there is nothing else in a range.
    pub(super) fn whole<V: Said>(&mut self, range: &RangeInclusive<u64>) {
        let letter = V::LETTER.to_ascii_uppercase();
        let _ = write!(
            self.text,
            "\n{letter} {:x} {:x}",
            range.start(),
            range.end()
        );
    }

    /// The text.
    #[must_use]
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was_written_and_fits_into_a_datagram() {
        let mut draft = Draft::new(u64::MAX, u64::MAX, u64::MAX, true);
        let mut keys = Part::default();
        let hold = Hold {
            member: u64::MAX,
            version: u32::MAX,
        };
        let mut number = u64::MAX;
        while draft.has_room() {
            let said = (number % 3 > 0).then_some(hold);
            draft.item(number, said);
            keys.items.push((number, said));
            number -= 1;
        }
        draft.whole::<Hold>(&(5..=u64::MAX));
        keys.whole = Some(5..=u64::MAX);
        let text = draft.finish();
        assert!(text.len() <= MAX_BYTES, "{} bytes", text.len());
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!((message.keys, message.asks), (keys, true));
        assert_eq!(message.calls, Part::default());
    }

    #[test]
    fn calls_come_back_and_none_is_none() {
        let mut draft = Draft::new(1, 2, 3, false);
        draft.item(7, Some(0x1f_u32));
        draft.item::<u32>(8, None);
        draft.whole::<u32>(&(0..=u64::MAX));
        let message = Message::parse(draft.finish().as_bytes()).unwrap();
        assert_eq!((message.instance, message.boot, message.time), (1, 2, 3));
        assert_eq!(message.calls.items, [(7, Some(0x1f)), (8, None)]);
        assert_eq!(message.calls.whole, Some(0..=u64::MAX));
    }

    #[test]
    fn whatever_else_it_is_it_is_refused_whole() {
        let head = "kamscale/1 1 2 3";
        for (text, why) in [
            ("", "begins with"),
            ("kamscale/2 1 2 3", "begins with"),
            ("kamscale/1 1 2", "other words"),
            ("kamscale/1 1 2 3 4", "other words"),
            ("kamscale/1 1 2 x", "no such line"),
            (&format!("{head}\nk"), "no such line"),
            (&format!("{head}\nk 1 2"), "no such line"),
            (&format!("{head}\nk 1 2 100000000"), "no such line"),
            (&format!("{head}\nm 1 2 3"), "no such line"),
            (&format!("{head}\nK 2 1"), "no such line"),
            (&format!("{head}\nK 1 2\nK 1 2"), "no such line"),
            (&format!("{head}\nz 1"), "no such line"),
            (&format!("{head}\nk 1\n\nk 2"), "no such line"),
        ] {
            let error = Message::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(Message::parse(b"kamscale/1 \xff").is_err());
    }
}
