//! The names under which Gnocchi keeps what nodes measure: part of the project's public face.

use serde_json::{Value, json};
use uuid::Uuid;

/// The archive policy of all metrics.
pub const ARCHIVE_POLICY: &str = "kamscale";
/// The resource types.
pub const RESOURCE_TYPES: [&str; 4] = [
    "kamscale_node",
    "kamscale_pool",
    "kamscale_feature",
    "kamscale_member",
];
/// Measures of the last hour are accepted: an outage of Gnocchi may last so long.
pub(super) const BACK_WINDOW_S: u64 = 3600;
/// What must be kept of each: sums for demand and load, `last` for gauges.
pub(super) const AGGREGATION_METHODS: [&str; 5] = ["count", "last", "max", "mean", "sum"];
/// Granularity and time span kept, both in seconds.
pub(super) const GRANULARITIES_S: [(u64, u64); 2] = [(1, 3600), (60, 86_400)];
/// Of these the ids of resources are made.
const NAMESPACE: Uuid = Uuid::from_u128(0x5bd3_6a7e_1c0f_4c86_9f0e_7f4b_86a1_f3d9);

/// A kind of thing that is measured; a resource type each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Node,
    Pool,
    Feature,
    Member,
}

/// `kamscale.node.*`, in this order.
const NODE: [&str; 5] = [
    "kamscale.node.revision",
    "kamscale.node.boot",
    "kamscale.node.cpu",
    "kamscale.node.memory",
    "kamscale.node.network",
];
/// `kamscale.pool.*`, in this order.
const POOL: [&str; 5] = [
    "kamscale.pool.load",
    "kamscale.pool.calls",
    "kamscale.pool.capacity",
    "kamscale.pool.started",
    "kamscale.pool.refused_total",
];
/// `kamscale.feature.*`, in this order.
const FEATURE: [&str; 4] = [
    "kamscale.feature.offered",
    "kamscale.feature.admitted",
    "kamscale.feature.refused",
    "kamscale.feature.offered_total",
];
/// `kamscale.member.*`.
const MEMBER: [&str; 1] = ["kamscale.member.calls"];

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Node, Kind::Pool, Kind::Feature, Kind::Member];

    /// Its resource type.
    pub(super) fn resource_type(self) -> &'static str {
        match self {
            Kind::Node => RESOURCE_TYPES[0],
            Kind::Pool => RESOURCE_TYPES[1],
            Kind::Feature => RESOURCE_TYPES[2],
            Kind::Member => RESOURCE_TYPES[3],
        }
    }

    /// Its metrics.
    pub(super) fn metrics(self) -> &'static [&'static str] {
        match self {
            Kind::Node => &NODE,
            Kind::Pool => &POOL,
            Kind::Feature => &FEATURE,
            Kind::Member => &MEMBER,
        }
    }

    /// The attributes of its type beside `instance` and `node`, and whether each must be there.
    fn attributes(self) -> &'static [(&'static str, bool)] {
        match self {
            Kind::Node => &[("pool", false)],
            Kind::Pool => &[("pool", true)],
            Kind::Feature => &[("feature", true)],
            Kind::Member => &[("pool", true), ("member", true)],
        }
    }

    /// The body that creates its type.
    pub(super) fn definition(self) -> Value {
        let text = |required: bool| json!({"type": "string", "required": required, "min_length": 0, "max_length": 255});
        let mut attributes = json!({"instance": text(true), "node": text(true)});
        for (name, required) in self.attributes() {
            attributes[*name] = text(*required);
        }
        json!({"name": self.resource_type(), "attributes": attributes})
    }
}

/// A thing that is measured on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// The pool of a member; empty for others.
    pub(super) pool: String,
    /// Its name; empty for the node itself.
    pub(super) name: String,
}

impl Thing {
    /// The id of its resource: the same after every restart, and another in every project, as ids
    /// are shared by all projects of a Gnocchi.
    pub(super) fn id(&self, place: &Place) -> Uuid {
        let kind = self.kind.resource_type();
        let Place {
            project,
            instance,
            node,
            ..
        } = place;
        let parts = [project, instance, node, kind, &self.pool, &self.name];
        Uuid::new_v5(&NAMESPACE, parts.join("\0").as_bytes())
    }

    /// The body that creates its resource with its metrics.
    pub(super) fn resource(&self, place: &Place) -> Value {
        let mut body = json!({
            "id": self.id(place).to_string(),
            "instance": place.instance,
            "node": place.node,
            "metrics": metrics(self.kind.metrics()),
        });
        match self.kind {
            Kind::Node => {
                if let Some(pool) = &place.pool {
                    body["pool"] = pool.as_str().into();
                }
            }
            Kind::Pool => body["pool"] = self.name.as_str().into(),
            Kind::Feature => body["feature"] = self.name.as_str().into(),
            Kind::Member => {
                body["pool"] = self.pool.as_str().into();
                body["member"] = self.name.as_str().into();
            }
        }
        body
    }
}

/// The body that creates metrics of a resource.
pub(super) fn metrics(names: &[&str]) -> Value {
    let mut metrics = json!({});
    for name in names {
        metrics[*name] = json!({"archive_policy_name": ARCHIVE_POLICY});
    }
    metrics
}

/// Which node measures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The id of the project in Keystone.
    pub(super) project: String,
    /// Kamscale's instance.
    pub(super) instance: String,
    /// The node's name.
    pub(super) node: String,
    /// The pool that the node's host is a member of.
    pub(super) pool: Option<String>,
}

/// The body that creates the archive policy.
pub(super) fn archive_policy() -> Value {
    let coarsest_s = GRANULARITIES_S.iter().map(|(every_s, _)| *every_s).max();
    let definition = GRANULARITIES_S
        .map(|(granularity_s, span_s)| json!({"granularity": granularity_s, "timespan": span_s}));
    json!({
        "name": ARCHIVE_POLICY,
        // Counted in periods of the coarsest granularity.
        "back_window": BACK_WINDOW_S / coarsest_s.unwrap_or(1),
        "definition": definition,
        "aggregation_methods": AGGREGATION_METHODS,
    })
}
