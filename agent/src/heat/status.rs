//! The status of a stack or resource, as `CREATE_COMPLETE`: what was done last, and how far it is.

use serde::{Deserialize, Deserializer};

/// What was done to it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing yet: it is only planned.
    Init,
    /// Made.
    Create,
    /// Changed.
    Update,
    /// Removed.
    Delete,
    /// Looked at, or marked.
    Check,
    /// Undone after a failure.
    Rollback,
    /// Something else, as `SUSPEND`.
    Other,
}

/// How far that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Under way.
    InProgress,
    /// Done.
    Complete,
    /// It failed.
    Failed,
}

/// Both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What was done last.
    pub action: Action,
    /// How far that is.
    pub phase: Phase,
}

impl Status {
    /// From Heat's word; `None` if it is none of Heat's.
    pub fn parse(word: &str) -> Option<Status> {
        let (action, phase) = [
            ("_IN_PROGRESS", Phase::InProgress),
            ("_COMPLETE", Phase::Complete),
            ("_FAILED", Phase::Failed),
        ]
        .into_iter()
        .find_map(|(end, phase)| Some((word.strip_suffix(end)?, phase)))?;
        let action = match action {
            "INIT" => Action::Init,
            "CREATE" => Action::Create,
            "UPDATE" => Action::Update,
            "DELETE" => Action::Delete,
            "CHECK" => Action::Check,
            "ROLLBACK" => Action::Rollback,
            _ => Action::Other,
        };
        Some(Status { action, phase })
    }

    /// Whether it is going or gone, by whatever order.
    pub fn is_leaving(self) -> bool {
        self.action == Action::Delete
    }

    /// Whether it is not there yet.
    pub fn is_coming(self) -> bool {
        self.action == Action::Init
            || self.action == Action::Create && self.phase == Phase::InProgress
    }

    /// Whether what was done last failed; a marked resource is one of these.
    pub fn is_failed(self) -> bool {
        self.phase == Phase::Failed
    }

    /// Whether it could not be made.
    pub fn is_stillborn(self) -> bool {
        self.is_failed() && self.action == Action::Create
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Status, D::Error> {
        let word = String::deserialize(from)?;
        Status::parse(&word)
            .ok_or_else(|| serde::de::Error::custom(format!("{word:?} is no status of Heat's")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heats_words_are_understood_and_others_refused() {
        let status = |word| Status::parse(word).unwrap();
        assert!(status("CREATE_IN_PROGRESS").is_coming() && status("INIT_COMPLETE").is_coming());
        assert!(status("DELETE_FAILED").is_leaving() && status("DELETE_FAILED").is_failed());
        assert!(status("CREATE_FAILED").is_stillborn() && !status("CHECK_FAILED").is_stillborn());
        assert_eq!(status("SNAPSHOT_COMPLETE").action, Action::Other);
        assert_eq!(Status::parse("MARVELLOUS"), None);
    }
}
