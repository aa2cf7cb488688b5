//! The journal: every event, to the log, to the audit file and to whoever asks the API.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Events that the API can still show.
const KEPT: usize = 1000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unix seconds.
    pub t: f64,
    /// What happened, as `member_ready`.
    pub event: String,
    /// The pool, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The member, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What else belongs to it.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

impl Event {
    /// An event of this moment.
    pub fn new(event: &str) -> Event {
        Event {
            t: now_s(),
            event: event.into(),
            pool: None,
            member: None,
            reason: String::new(),
            detail: Map::new(),
        }
    }

    /// About a pool.
    pub fn pool(mut self, pool: &str) -> Event {
        self.pool = Some(pool.into());
        self
    }

    /// About a member.
    pub fn member(self, pool: &str, member: &str) -> Event {
        Event {
            member: Some(member.into()),
            ..self.pool(pool)
        }
    }

    /// Because of something.
    pub fn reason(mut self, reason: impl Into<String>) -> Event {
        self.reason = reason.into();
        self
    }

    /// With something else.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Event {
        self.detail.insert(name.into(), value.into());
        self
    }
}

/// The moment, in unix seconds.
pub fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Where events go.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    kept: Arc<Mutex<VecDeque<Event>>>,
    audit_file: Option<PathBuf>,
}

impl Journal {
    /// With an audit file, if one is wanted.
    pub fn new(audit_file: Option<PathBuf>) -> Journal {
        Journal {
            kept: Arc::default(),
            audit_file,
        }
    }

    /// Another audit file from now on.
    pub fn set_audit_file(&mut self, audit_file: Option<PathBuf>) {
        self.audit_file = audit_file;
    }

    /// Records an event.
    pub fn record(&self, event: Event) {
        let (pool, member) = (event.pool.as_deref(), event.member.as_deref());
        let detail = (!event.detail.is_empty()).then(|| Value::from(event.detail.clone()));
        tracing::info!(
            event = event.event,
            pool,
            member,
            reason = event.reason,
            detail = detail.map(tracing::field::display),
        );
        if let Err(error) = self.append(&event) {
            tracing::error!("audit_file: {error}; check its path and rights");
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event);
    }

    /// The file is opened anew for each event: events are rare, and rotation needs no signal.
    fn append(&self, event: &Event) -> std::io::Result<()> {
        let Some(file) = &self.audit_file else {
            return Ok(());
        };
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        File::options()
            .create(true)
            .append(true)
            .open(file)?
            .write_all(&line)
    }

    /// The newest events, oldest first.
    pub fn recent(&self, limit: usize) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .skip(kept.len().saturating_sub(limit))
            .cloned()
            .collect()
    }
}
