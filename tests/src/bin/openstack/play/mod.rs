//! The scenarios by name. Each is a function of its own file; it plays, and panics at a broken promise.

mod agent_decides;
mod aodh_decides;
mod aodh_faults;
mod aodh_prometheus;
mod errors;
mod faults;
mod load;
mod quota;
mod turn;
mod two_nodes;

use crate::stage::Scene;

/// What may run beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Others: it has its own stacks, addresses and processes.
    Others,
    /// Nothing in the full run, because its moments are figures; else others.
    OthersInShort,
    /// Nothing: it stops services, or is measured.
    Nothing,
}

/// In which form of the run it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Always,
    Full,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) beside: Beside,
    pub(crate) form: Form,
    pub(crate) play: fn(&Scene<'_>),
}

const fn beside_others(name: &'static str, play: fn(&Scene<'_>)) -> Scenario {
    Scenario {
        name,
        beside: Beside::Others,
        form: Form::Always,
        play,
    }
}

/// One that takes minutes of waiting.
const fn long(name: &'static str, play: fn(&Scene<'_>)) -> Scenario {
    Scenario {
        name,
        beside: Beside::Others,
        form: Form::Full,
        play,
    }
}

const fn timed(name: &'static str, play: fn(&Scene<'_>)) -> Scenario {
    Scenario {
        name,
        beside: Beside::OthersInShort,
        form: Form::Always,
        play,
    }
}

const fn alone(name: &'static str, form: Form, play: fn(&Scene<'_>)) -> Scenario {
    Scenario {
        name,
        beside: Beside::Nothing,
        form,
        play,
    }
}

/// All of them, in the order in which they are played.
pub(crate) const ALL: &[Scenario] = &[
    timed(
        "Aodh scales an autoscaling group",
        aodh_decides::there_and_back,
    ),
    timed(
        "the agent scales a resource group",
        agent_decides::resource_group,
    ),
    timed(
        "the agent scales an autoscaling group",
        agent_decides::autoscaling_group,
    ),
    timed(
        "the agent makes a stack for each member",
        agent_decides::stack_per_member,
    ),
    beside_others(
        "two nodes over Gnocchi: one decision, removal waits for both",
        two_nodes::over_gnocchi,
    ),
    beside_others(
        "two nodes over Prometheus: one decision, removal waits for both",
        two_nodes::over_prometheus,
    ),
    beside_others("the agent is killed in the middle", faults::agent_killed),
    beside_others(
        "a member of a group that fails is replaced",
        errors::member_of_group_fails,
    ),
    beside_others(
        "a member's stack that fails is replaced",
        errors::stack_of_member_fails,
    ),
    beside_others("wrong credentials", errors::wrong_credentials),
    beside_others("the stack is missing", errors::missing_stack),
    beside_others("the template is missing", errors::missing_template),
    beside_others("the stack is deleted by somebody", errors::stack_deleted),
    beside_others("a member is deleted by somebody", errors::member_deleted),
    beside_others("somebody else updates the stack", errors::conflict),
    beside_others(
        "a unit of several machines comes and goes as one",
        agent_decides::unit_of_machines,
    ),
    beside_others(
        "the agent is killed in a hold",
        aodh_decides::agent_killed_in_hold,
    ),
    long(
        "a deletion is held until Heat gives it up",
        aodh_faults::hold_times_out,
    ),
    alone(
        "Heat and Keystone are away in the middle",
        Form::Always,
        faults::heat_and_keystone,
    ),
    alone("Gnocchi and Aodh are away", Form::Always, aodh_faults::play),
    alone(
        "the tokens are revoked in the middle",
        Form::Always,
        faults::token_revoked,
    ),
    alone(
        "every service is away in the middle",
        Form::Full,
        faults::all_services,
    ),
    alone("Heat hangs in the middle", Form::Full, faults::heat_hangs),
    alone("a limit of Heat's is reached", Form::Full, quota::of_heat),
    alone("Nova's quota is reached", Form::Full, quota::of_nova),
    alone(
        "Aodh scales by Prometheus",
        Form::Full,
        aodh_prometheus::there_and_back,
    ),
    alone("requests per second", Form::Always, load::requests),
    alone("Aodh as it is installed", Form::Full, load::stock_aodh),
    // Last: it leaves much in Gnocchi.
    alone("10,000 members", Form::Full, load::many_members),
];
