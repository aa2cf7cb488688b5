//! etcd's v3 API as JSON: its requests and answers, nothing about leading.
//!
//! Bytes are base64, 64-bit numbers are strings, and what is zero or empty is left out:
//! <https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/> and api/etcdserverpb/rpc.proto.

use std::fmt::Debug;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::LeaseError;

/// Brings a request to some server of the cluster and its answer back.
#[async_trait]
pub(super) trait Transport: Send + Sync + Debug {
    /// The body of a good answer, before `deadline`.
    async fn call(
        &self,
        path: &str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, LeaseError>;
}

/// The requests that the lease needs.
#[derive(Debug)]
pub(super) struct Etcd(Box<dyn Transport>);

/// The gRPC code of something that is not there.
const NOT_FOUND: u32 = 5;

impl Etcd {
    pub(super) fn new(transport: Box<dyn Transport>) -> Etcd {
        Etcd(transport)
    }

    /// A new lease of so many seconds; its number.
    pub(super) async fn grant(&self, ttl_s: u64, deadline: Instant) -> Result<u64, LeaseError> {
        let path = "/v3/lease/grant";
        let body = json!({"TTL": ttl_s.to_string()});
        let granted: Granted = self.call(path, &body, deadline).await?;
        if granted.id.0 == 0 || granted.ttl.0 < ttl_s {
            return Err(not_etcd(path, "a lease without number or time"));
        }
        Ok(granted.id.0)
    }

    /// The seconds that a lease has again; 0 if it is gone.
    pub(super) async fn keep_alive(&self, id: u64, deadline: Instant) -> Result<u64, LeaseError> {
        let body = json!({"ID": id.to_string()});
        let kept: Kept = self.call("/v3/lease/keepalive", &body, deadline).await?;
        Ok(kept.result.ttl.0)
    }

    pub(super) async fn revoke(&self, id: u64, deadline: Instant) -> Result<(), LeaseError> {
        let body = json!({"ID": id.to_string()});
        let answer = self.call("/v3/lease/revoke", &body, deadline).await;
        match answer.map(|_: Value| ()) {
            Err(LeaseError::Refused { code, .. }) if code == NOT_FOUND => Ok(()),
            other => other,
        }
    }

    /// One key, or all from it to before `end`.
    pub(super) async fn range(
        &self,
        key: &str,
        end: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<KeyValue>, LeaseError> {
        let mut body = json!({"key": encoded(key.as_bytes())});
        if let Some(end) = end {
            body["range_end"] = encoded(end.as_bytes());
        }
        let range: Range = self.call("/v3/kv/range", &body, deadline).await?;
        Ok(range.kvs)
    }

    /// The revision of the newest change to a key from `key` to before `end` that is still there; 0 if none
    /// is.
    pub(super) async fn newest(
        &self,
        key: &str,
        end: &str,
        deadline: Instant,
    ) -> Result<u64, LeaseError> {
        let body = json!({
            "key": encoded(key.as_bytes()), "range_end": encoded(end.as_bytes()),
            "sort_target": "MOD", "sort_order": "DESCEND", "limit": "1", "keys_only": true,
        });
        let range: Range = self.call("/v3/kv/range", &body, deadline).await?;
        Ok(range.kvs.first().map_or(0, |key| key.mod_revision.0))
    }

    pub(super) async fn txn(
        &self,
        compare: &[Value],
        success: &[Value],
        failure: &[Value],
        deadline: Instant,
    ) -> Result<Txn, LeaseError> {
        let path = "/v3/kv/txn";
        let body = json!({"compare": compare, "success": success, "failure": failure});
        let txn: Txn = self.call(path, &body, deadline).await?;
        if txn.header.revision.0 == 0 {
            return Err(not_etcd(path, "no revision"));
        }
        Ok(txn)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        deadline: Instant,
    ) -> Result<T, LeaseError> {
        let body = body.to_string().into_bytes();
        let answer = self.0.call(path, body, deadline).await?;
        serde_json::from_slice(&answer).map_err(|error| not_etcd(path, error))
    }
}

pub(super) fn not_etcd(path: &str, problem: impl ToString) -> LeaseError {
    LeaseError::Answer {
        path: path.into(),
        problem: problem.to_string(),
    }
}

fn encoded(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// A condition: the key was made at this revision (0: it is not there).
pub(super) fn create_revision_is(key: &str, revision: u64) -> Value {
    json!({"key": encoded(key.as_bytes()), "target": "CREATE", "create_revision": revision.to_string()})
}

/// A condition: the key was last changed at this revision (0: it is not there).
pub(super) fn mod_revision_is(key: &str, revision: u64) -> Value {
    json!({"key": encoded(key.as_bytes()), "target": "MOD", "mod_revision": revision.to_string()})
}

/// An operation: puts a value, which goes with its lease.
pub(super) fn put(key: &str, value: &[u8], lease: Option<u64>) -> Value {
    let lease = lease.unwrap_or(0).to_string();
    json!({"request_put": {"key": encoded(key.as_bytes()), "value": encoded(value), "lease": lease}})
}

/// An operation: removes a key.
pub(super) fn delete(key: &str) -> Value {
    json!({"request_delete_range": {"key": encoded(key.as_bytes())}})
}

/// An operation: reads a key.
pub(super) fn get(key: &str) -> Value {
    json!({"request_range": {"key": encoded(key.as_bytes())}})
}

/// What a transaction did.
#[derive(Debug, Deserialize)]
pub(super) struct Txn {
    pub(super) header: Header,
    /// Whether all conditions held.
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    responses: Vec<OneOf>,
}

impl Txn {
    /// What the operation with this index read.
    pub(super) fn range(&self, index: usize) -> &[KeyValue] {
        let range = self.responses.get(index).and_then(|one| one.range.as_ref());
        range.map_or(&[], |range| &range.kvs)
    }
}

#[derive(Debug, Deserialize)]
struct OneOf {
    #[serde(rename = "response_range")]
    range: Option<Range>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Header {
    /// Of the whole store, after the request.
    pub(super) revision: Number,
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

/// A key as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    pub(super) key: Bytes,
    #[serde(default)]
    pub(super) value: Bytes,
    pub(super) create_revision: Number,
    pub(super) mod_revision: Number,
    #[serde(default)]
    pub(super) lease: Number,
}

#[derive(Debug, Deserialize)]
struct Granted {
    #[serde(rename = "ID", default)]
    id: Number,
    #[serde(rename = "TTL", default)]
    ttl: Number,
}

#[derive(Debug, Deserialize)]
struct Kept {
    result: Granted,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map(Number).map_err(D::Error::custom)
    }
}

#[derive(Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let bytes = STANDARD.decode(text.as_bytes());
        bytes.map(Bytes).map_err(D::Error::custom)
    }
}
