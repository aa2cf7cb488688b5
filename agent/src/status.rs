//! Status: what the agent says about itself; the contract between daemon, API and command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nodes::Shares;
use crate::plan::Action;

/// The loop's sign of life after each round: little, as mostly nobody looks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    /// When the round ended, in unix seconds.
    pub now_s: f64,
    /// Whether Kamailio is attached and a table is published.
    pub ready: bool,
    /// The generation in force.
    pub generation: u64,
    /// What is wrong with Kamailio, if anything.
    pub problem: Option<String>,
}

/// Everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The agent's version.
    pub version: String,
    /// The instance it serves.
    pub instance: String,
    /// The node's name among all that serve the same pools.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The revision of the shared table that this node applied; 0 without one.
    #[serde(default)]
    pub revision: u64,
    /// How much of the host is used, if it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Shares>,
    /// The pool that the host is a member of, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_pool: Option<String>,
    /// Where this node stands among several; nothing if it is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesStatus>,
    /// What was asked of OpenStack since the agent's start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cloud: Vec<CloudStatus>,
    /// Why this node's measurements do not arrive where they are sent, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent: Option<String>,
    /// When the agent started, in unix seconds.
    pub started_s: f64,
    /// When this was true, in unix seconds.
    pub now_s: f64,
    /// Whether Kamailio is attached and a table is published.
    pub ready: bool,
    /// Kamailio as it was seen.
    pub kamailio: KamailioStatus,
    /// The generation in force.
    pub generation: u64,
    /// The smallest generation among workers that serve requests.
    pub applied_generation_min: Option<u64>,
    /// Features with their demand.
    pub features: Vec<FeatureStatus>,
    /// Pools by name.
    pub pools: BTreeMap<String, PoolStatus>,
    /// Stacks by name; their members are all machines, as `POOL/NAME`, but `want` and the limits
    /// count stacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, PoolStatus>,
}

/// This node among several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodesStatus {
    /// Whether this node decides.
    pub leads: bool,
    /// The node that decides, if it is another and known.
    pub leader: Option<String>,
    /// Nodes that do not report, in words: nothing is removed while there is one.
    pub silent: Option<String>,
    /// Why the lease, or the reports of the others, cannot be read, if so.
    pub problem: Option<String>,
}

/// Exchanges with one service of OpenStack by one method; every try counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudStatus {
    /// Its type in the catalog, as `orchestration`.
    pub service: String,
    /// GET, POST and so on.
    pub method: String,
    /// All of them.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// How long they took in sum.
    pub seconds: f64,
}

/// Kamailio as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KamailioStatus {
    /// Whether it was seen alive.
    pub attached: bool,
    /// If not, why; or why its data cannot be used.
    pub problem: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Another one after each of its starts.
    pub boot_id: Option<u64>,
    /// Seconds since its last sign of life.
    pub heartbeat_age_s: Option<f64>,
    /// Its processes that serve requests.
    pub workers: Vec<WorkerStatus>,
}

/// One process of Kamailio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its process id.
    pub pid: u32,
    /// The generation it uses.
    pub generation: u64,
    /// Tables it applied.
    pub applied: u64,
    /// Tables it refused.
    pub rejected: u64,
}

/// One feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatus {
    /// Its name.
    pub name: String,
    /// Requests since Kamailio's start.
    pub requests: u64,
    /// Those of them that `ks_admit()` let in.
    #[serde(default)]
    pub admitted: u64,
    /// Those of them that `ks_admit()` refused.
    #[serde(default)]
    pub refused: u64,
    /// Requests per second that it lets in now; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_per_s: Option<f64>,
    /// Requests per second, 30 s mean.
    pub requests_per_s: Option<f64>,
}

/// Decisions by action, and by the cause of the decision.
pub type DecisionCounts = BTreeMap<String, BTreeMap<String, u64>>;

/// One pool or stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// on, out_only, advise, paused: what holds now.
    pub mode: String,
    /// The stack that it belongs to; that is scaled, not the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Since when an operator has paused it, in unix seconds; the configured mode waits meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since_s: Option<f64>,
    /// Never fewer members.
    pub min: u32,
    /// Never more members.
    pub max: Option<u32>,
    /// Members wanted by the last decision.
    pub want: u32,
    /// Calls on active members.
    pub calls: u64,
    /// Calls on active members by this node alone.
    #[serde(default)]
    pub calls_here: u64,
    /// Calls that active members may carry.
    pub capacity_calls: u64,
    /// Why what makes its members cannot be reached, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Calls per capacity.
    pub load: Option<f64>,
    /// Calls begun on its members since Kamailio's start.
    #[serde(default)]
    pub started: u64,
    /// Times a member was found for a request.
    pub selected: u64,
    /// Times none was to be had.
    pub refused: u64,
    /// What the last decision does.
    pub actions: Vec<Action>,
    /// Its cause, as one of few words.
    pub cause: String,
    /// The last decision, in words.
    pub reason: String,
    /// Decisions since the agent started.
    pub decisions: DecisionCounts,
    /// Members by name.
    pub members: BTreeMap<String, MemberStatus>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Where requests go, as it was configured.
    pub uri: String,
    /// Of its host name, if the URI has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameStatus>,
    /// joining, active, draining or stopping.
    pub state: String,
    /// Who brought it: plan, config or command.
    pub origin: String,
    /// Whether an operator keeps it out, by command or in Kamailio.
    pub held: bool,
    /// Whether it goes as soon as it is empty, by command.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Calls now; unknown if Kamailio does not say.
    pub calls: Option<u32>,
    /// Those by this node alone; `None` if that is not known.
    #[serde(default)]
    pub calls_here: Option<u32>,
    /// Calls that it may carry.
    pub capacity_calls: u32,
    /// Share of requests.
    pub weight: u16,
    /// For the algorithm `serial`.
    pub priority: u16,
    /// Whether Kamailio found it down.
    pub down: bool,
    /// Failures that scripts reported.
    pub failures: u64,
    /// When its state began, in unix seconds.
    pub since_s: f64,
    /// Its process, if the agent started one.
    pub pid: Option<u32>,
}

/// The host name in a member's URI.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NameStatus {
    /// The URI with the address where requests go; none while it was never found.
    pub address: Option<String>,
    /// When it was found last, in unix seconds; not known after a restart until it was looked up.
    pub found_s: Option<f64>,
    /// Why it cannot be found now, if so.
    pub problem: Option<String>,
}

impl NameStatus {
    /// In one word: `found`; `kept`, at the address that it had; `unknown`, as it was never found.
    pub fn state(&self) -> &'static str {
        match (&self.address, &self.problem) {
            (Some(_), None) => "found",
            (Some(_), Some(_)) => "kept",
            (None, _) => "unknown",
        }
    }
}
