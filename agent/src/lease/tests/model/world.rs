//! A fake etcd with a clock of its own, in which requests and answers are lost or come late.
//!
//! It keeps etcd's promises and no more: a lease lives at least as long as it was granted for, and a
//! transaction is one step. That real servers behave so is what the other tests show.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::lease::LeaseError;
use crate::lease::etcd::Transport;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It arrives, and the answer; each takes so long.
    Fine(u64, u64),
    /// It is given up after so long and never arrives.
    Lost(u64),
    /// It arrives; its answer does not.
    Unanswered(u64),
    /// It is given up, and arrives when [`Step::Arrive`] says so.
    Late(u64),
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now_ms: u64,
    revision: u64,
    granted: u64,
    /// When each lease ends, and how long it lives when renewed.
    leases: BTreeMap<u64, (u64, u64)>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) fates: VecDeque<Fate>,
    pub(super) late: VecDeque<(String, Value)>,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) value: Value,
    pub(super) created: u64,
    changed: u64,
    lease: u64,
}

fn number(value: &Value) -> u64 {
    value.as_str().map_or(0, |text| text.parse().unwrap())
}

impl World {
    pub(super) fn pass(&mut self, time_ms: u64) {
        self.now_ms += time_ms;
        let now_ms = self.now_ms;
        self.leases.retain(|_, (end_ms, _)| *end_ms > now_ms);
        self.drop_orphans();
    }

    fn drop_orphans(&mut self) {
        let leases = &self.leases;
        self.keys
            .retain(|_, key| key.lease == 0 || leases.contains_key(&key.lease));
    }

    pub(super) fn carry_out(&mut self, path: &str, body: &Value) -> Value {
        let now_ms = self.now_ms;
        let id = number(&body["ID"]);
        match path {
            "/v3/lease/grant" => {
                self.granted += 1;
                let ttl_ms = number(&body["TTL"]) * 1000;
                self.leases.insert(self.granted, (now_ms + ttl_ms, ttl_ms));
                json!({"ID": self.granted.to_string(), "TTL": body["TTL"]})
            }
            "/v3/lease/keepalive" => match self.leases.get_mut(&id) {
                Some((end_ms, ttl_ms)) => {
                    *end_ms = now_ms + *ttl_ms;
                    json!({"result": {"TTL": (*ttl_ms / 1000).to_string()}})
                }
                None => json!({"result": {}}),
            },
            "/v3/lease/revoke" => {
                self.leases.remove(&id);
                self.drop_orphans();
                json!({})
            }
            "/v3/kv/range" => self.read(body),
            "/v3/kv/txn" => self.transact(body),
            _ => panic!("{path}"),
        }
    }

    fn read(&self, range: &Value) -> Value {
        let Some(key) = self.keys.get(range["key"].as_str().unwrap()) else {
            return json!({});
        };
        json!({"kvs": [{
            "key": range["key"], "value": key.value, "lease": key.lease.to_string(),
            "create_revision": key.created.to_string(), "mod_revision": key.changed.to_string(),
        }]})
    }

    fn transact(&mut self, body: &Value) -> Value {
        let holds = |compare: &Value| {
            let key = self.keys.get(compare["key"].as_str().unwrap());
            match compare["target"].as_str().unwrap() {
                "CREATE" => key.map_or(0, |k| k.created) == number(&compare["create_revision"]),
                _ => key.map_or(0, |k| k.changed) == number(&compare["mod_revision"]),
            }
        };
        if !body["compare"].as_array().unwrap().iter().all(holds) {
            let reads = body["failure"].as_array().unwrap().iter();
            let responses: Vec<_> = reads
                .map(|r| json!({"response_range": self.read(&r["request_range"])}))
                .collect();
            let revision = (self.revision + 1).to_string();
            return json!({"header": {"revision": revision}, "responses": responses});
        }
        self.revision += 1;
        // Revision 1 is that of the empty store.
        let revision = self.revision + 1;
        for operation in body["success"].as_array().unwrap() {
            let put = &operation["request_put"];
            let (name, lease) = (put["key"].as_str().unwrap(), number(&put["lease"]));
            let created = self.keys.get(name).map_or(revision, |key| key.created);
            let value = put["value"].clone();
            let key = Key {
                value,
                created,
                changed: revision,
                lease,
            };
            self.keys.insert(name.to_owned(), key);
        }
        self.drop_orphans();
        json!({"header": {"revision": revision.to_string()}, "succeeded": true})
    }
}

#[derive(Clone, Default)]
pub(super) struct Fake(pub(super) Arc<Mutex<World>>);

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

#[async_trait]
impl Transport for Fake {
    async fn call(
        &self,
        path: &str,
        body: Vec<u8>,
        _deadline: tokio::time::Instant,
    ) -> Result<Vec<u8>, LeaseError> {
        let mut world = self.0.lock().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let fate = world.fates.pop_front().unwrap_or(Fate::Fine(1, 1));
        let (before_ms, after_ms) = match fate {
            Fate::Fine(before_ms, after_ms) => (before_ms, after_ms),
            Fate::Lost(ms) | Fate::Unanswered(ms) | Fate::Late(ms) => (ms / 2, ms / 2),
        };
        world.pass(before_ms);
        let mut answer = None;
        match fate {
            Fate::Fine(..) => answer = Some(world.carry_out(path, &body)),
            Fate::Unanswered(_) => drop(world.carry_out(path, &body)),
            Fate::Late(_) => world.late.push_back((path.to_owned(), body)),
            Fate::Lost(_) => {}
        }
        world.pass(after_ms);
        let answer = answer.map(|answer| answer.to_string().into_bytes());
        answer.ok_or(LeaseError::Away {
            tried: "fate".into(),
        })
    }
}
