//! The RPC commands: their names and which report they give.

use std::ffi::CStr;

use kamailio::rpc::{Args, Fault, RpcCommand, Value};

use super::with;
use crate::server::Server;
use crate::worker::Worker;
use crate::{explain, nodes, processes, publications, report};

fn answer(
    f: impl FnOnce(&'static Server, &mut Worker) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    with(f).unwrap_or_else(|| Err(Fault::internal("the module is not initialized")))
}

/// `kamscale.status`
pub(super) struct Status;

impl RpcCommand for Status {
    const NAME: &'static CStr = c"kamscale.status";
    const DOC: &'static CStr = c"Table in use, agent, and what was applied or refused";

    fn run(_: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| Ok(report::status(server, worker)))
    }
}

/// `kamscale.features`
pub(super) struct Features;

impl RpcCommand for Features {
    const NAME: &'static CStr = c"kamscale.features";
    const DOC: &'static CStr = c"Requests per feature since the start: offered, admitted and refused, and what is allowed now";
    const ARRAY: bool = true;

    fn run(_: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| Ok(report::features(server, worker)))
    }
}

/// `kamscale.pools [FIRST [COUNT]]`
pub(super) struct Pools;

impl RpcCommand for Pools {
    const NAME: &'static CStr = c"kamscale.pools";
    const DOC: &'static CStr =
        c"Pools with members, calls, capacity and selections; parameters: [FIRST [COUNT]]";
    const ARRAY: bool = true;

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| report::pools(server, worker, args))
    }
}

/// `kamscale.members POOL [FIRST [COUNT]]`
pub(super) struct Members;

impl RpcCommand for Members {
    const NAME: &'static CStr = c"kamscale.members";
    const DOC: &'static CStr =
        c"Members of a pool with state, calls and capacity; parameters: POOL [FIRST [COUNT]]";
    const ARRAY: bool = true;

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| report::members(server, worker, args))
    }
}

/// `kamscale.set_state POOL MEMBER STATE`
pub(super) struct SetState;

impl RpcCommand for SetState {
    const NAME: &'static CStr = c"kamscale.set_state";
    const DOC: &'static CStr =
        c"The operator's word on a member; parameters: POOL MEMBER draining|disabled|active";

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| report::set_state(server, worker, args))
    }
}

/// `kamscale.probe [on|off]`
pub(super) struct Probe;

impl RpcCommand for Probe {
    const NAME: &'static CStr = c"kamscale.probe";
    const DOC: &'static CStr =
        c"Lets members be probed, or nobody until it is taken back; parameters: [on|off]";

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, _| report::probe(server, args))
    }
}

/// `kamscale.workers`
pub(super) struct Workers;

impl RpcCommand for Workers {
    const NAME: &'static CStr = c"kamscale.workers";
    const DOC: &'static CStr = c"Which generation each process uses, and since when";
    const ARRAY: bool = true;

    fn run(_: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| Ok(processes::workers(server, worker)))
    }
}

/// `kamscale.publications [COUNT]`
pub(super) struct Publications;

impl RpcCommand for Publications {
    const NAME: &'static CStr = c"kamscale.publications";
    const DOC: &'static CStr =
        c"What the agent's last publications changed, newest first; parameters: [COUNT]";
    const ARRAY: bool = true;

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| publications::publications(server, worker, args))
    }
}

/// `kamscale.explain POOL KEY [ALGORITHM [FIRST [COUNT]]]`
pub(super) struct Explain;

impl RpcCommand for Explain {
    const NAME: &'static CStr = c"kamscale.explain";
    const DOC: &'static CStr =
        c"Which member a key gets, and why not the others; parameters: POOL \
        KEY [ALGORITHM [FIRST [COUNT]]]";

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, worker| explain::explain(server, worker, args))
    }
}

/// `kamscale.nodes`
pub(super) struct Nodes;

impl RpcCommand for Nodes {
    const NAME: &'static CStr = c"kamscale.nodes";
    const DOC: &'static CStr =
        c"Other nodes with which calls and sticky keys are shared, and messages";

    fn run(_: &mut Args<'_>) -> Result<Value, Fault> {
        answer(|server, _| Ok(nodes::nodes(server)))
    }
}
