//! The journal: every event, to the log, to the audit file and to whoever asks the API.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decision::Decision;

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
    /// As JSON: a tree of values takes four times as much, and people rarely look.
    kept: Arc<Mutex<VecDeque<Box<str>>>>,
    /// The newest decision of each pool, with its input.
    newest: Arc<Mutex<BTreeMap<String, Arc<Decision>>>>,
    audit_file: Option<PathBuf>,
}

impl Journal {
    /// With an audit file, if one is wanted.
    pub fn new(audit_file: Option<PathBuf>) -> Journal {
        Journal {
            kept: Arc::default(),
            newest: Arc::default(),
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
        self.append(&event);
        self.keep(&event);
    }

    /// Records a decision: one line in the log, one with all that it depended on in the audit file.
    pub fn record_decision(&self, pool: &str, decision: &Decision) {
        let plan = &decision.plan;
        let shown = |part: &dyn Fn() -> serde_json::Result<String>| part().unwrap_or_default();
        tracing::info!(
            event = "decision",
            pool,
            want = plan.want,
            cause = plan.cause.name(),
            actions = shown(&|| serde_json::to_string(&plan.actions)),
            advice = shown(&|| serde_json::to_string(&plan.advice)),
            signals = shown(&|| serde_json::to_string(&plan.signals)),
            bounds = shown(&|| serde_json::to_string(&plan.bounds)),
            reason = plan.reason,
        );
        let mut event = Event::new("decision").pool(pool).reason(&plan.reason);
        if let Ok(Value::Object(mut parts)) = serde_json::to_value(plan) {
            parts.remove("reason");
            event.detail = parts;
        }
        self.keep(&event);
        if self.audit_file.is_some() {
            let input = serde_json::to_value(&decision.input).unwrap_or_default();
            self.append(&event.with("input", input));
        }
    }

    /// Remembers a decision, of record or not, as the newest of its pool; answers the one before.
    pub fn note_decision(&self, pool: &str, decision: Arc<Decision>) -> Option<Arc<Decision>> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.get_mut(pool) {
            Some(known) => Some(std::mem::replace(known, decision)),
            None => newest.insert(pool.to_owned(), decision),
        }
    }

    /// The newest decision about a pool.
    pub fn newest_decision(&self, pool: &str) -> Option<Arc<Decision>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(pool).cloned()
    }

    fn keep(&self, event: &Event) {
        let line = serde_json::to_string(event).unwrap_or_default();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(line.into());
    }

    fn append(&self, event: &Event) {
        if let Err(error) = self.try_append(event) {
            tracing::error!("audit_file: {error}; check its path and rights");
        }
    }

    /// The file is opened anew for each event: events are rare, and rotation needs no signal.
    fn try_append(&self, event: &Event) -> std::io::Result<()> {
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
        self.recent_of(limit, |_| true)
    }

    /// The newest events that pass the test, oldest first.
    pub fn recent_of(&self, limit: usize, test: impl Fn(&Event) -> bool) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = kept.iter().rev();
        let newest = newest.filter_map(|line| serde_json::from_str(line).ok());
        let mut events: Vec<Event> = newest.filter(|event| test(event)).take(limit).collect();
        events.reverse();
        events
    }
}
