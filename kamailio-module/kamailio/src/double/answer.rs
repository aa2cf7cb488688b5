//! The answer of the double to a request that the server sent on its own.

use std::borrow::Cow;

use crate::uac;

/// An answer whose parts a test sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// See [`uac::Answer::code`].
    pub code: u16,
    /// See [`uac::Answer::is_reply`].
    pub reply: bool,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// What another side replied.
    pub fn reply(code: u16) -> Self {
        Self {
            code,
            reply: true,
            headers: Vec::new(),
        }
    }

    /// What comes of it when nobody replies.
    pub fn timeout() -> Self {
        Self {
            code: 408,
            ..Self::default()
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl uac::Answer for Answer {
    fn code(&self) -> u16 {
        self.code
    }

    fn is_reply(&self) -> bool {
        self.reply
    }

    fn header(&mut self, name: &str) -> Option<Cow<'_, str>> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| Cow::Borrowed(value.as_str()))
    }
}
