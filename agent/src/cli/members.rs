//! Options of the commands that change members.

use clap::Args;
use clap::builder::BoolishValueParser;
use serde_json::{Value, json};

/// A member that somebody else runs. What is left out is as in the pool's `member` section.
#[derive(Debug, Args)]
pub(super) struct NewMember {
    /// Its pool
    pool: String,
    /// Its name
    name: String,
    /// Where requests go, as sip:192.0.2.1:5060
    uri: String,
    #[command(flatten)]
    values: Values,
}

/// Other values for a member that is there.
#[derive(Debug, Args)]
pub(super) struct MemberValues {
    /// Its pool
    pool: String,
    /// Its name
    name: String,
    #[command(flatten)]
    values: Values,
}

#[derive(Debug, Args)]
struct Values {
    /// Calls that it may carry
    #[arg(long)]
    capacity: Option<u32>,
    /// Share of requests against its siblings
    #[arg(long)]
    weight: Option<u16>,
    /// For the algorithm serial: the highest is used first
    #[arg(long)]
    priority: Option<u16>,
    /// Socket of Kamailio that its requests leave by, as udp:10.0.0.1:5060, or a socket's name
    #[arg(long)]
    local_socket: Option<String>,
    /// What scripts may read of it, as "key=value;key=value"
    #[arg(long)]
    attributes: Option<String>,
    /// URI of the proxy before it: for its probes, and for ks_select_domain()
    #[arg(long)]
    proxy: Option<String>,
    /// Whether it is probed: on or off
    #[arg(long, value_parser = BoolishValueParser::new())]
    probe: Option<bool>,
    /// From of its probes
    #[arg(long)]
    probe_from: Option<String>,
    /// Socket of Kamailio that its probes leave by
    #[arg(long)]
    probe_socket: Option<String>,
}

impl NewMember {
    /// As the API takes it.
    pub(super) fn body(self) -> Value {
        let body = json!({"pool": self.pool, "name": self.name, "uri": self.uri});
        self.values.fill(body)
    }
}

impl MemberValues {
    /// As the API takes it.
    pub(super) fn body(self) -> Value {
        self.values
            .fill(json!({"pool": self.pool, "name": self.name}))
    }
}

impl Values {
    fn fill(self, mut body: Value) -> Value {
        for (key, value) in [
            ("capacity_calls", self.capacity.map(Value::from)),
            ("weight", self.weight.map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("socket", self.local_socket.map(Value::from)),
            ("attributes", self.attributes.map(Value::from)),
            ("proxy", self.proxy.map(Value::from)),
            ("probe", self.probe.map(Value::from)),
            ("probe_from", self.probe_from.map(Value::from)),
            ("probe_socket", self.probe_socket.map(Value::from)),
        ] {
            if let Some(value) = value {
                body[key] = value;
            }
        }
        body
    }
}
