//! What a configuration means, in words: the answer of `kamscale check`.

use std::fmt::Write;

use super::{Config, InventoryConfig, PoolConfig};
use crate::plan::{Mode, Policy, SignalPolicy, Target};

/// One paragraph per pool.
pub fn describe(config: &Config) -> String {
    let agent = &config.agent;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "The agent publishes instance \"{}\" in {} every {} s, keeps its state in {} and serves {}.",
        agent.instance,
        agent.shm_dir.display(),
        agent.interval_s,
        agent.state_file.display(),
        agent.listen.values().join(" and "),
    );
    if let Some(pool) = &config.nodes.pool {
        let _ = writeln!(
            text,
            "This node, {}, shares the pools with the other members of pool {pool}, as the inventory has \
             them: they come and go without a restart.",
            config.nodes.name()
        );
    }
    if let Some(inventory) = &config.inventory {
        let _ = writeln!(text, "{}", describe_inventory(config, inventory));
    }
    for (name, pool) in &config.pools {
        let _ = writeln!(text, "{}", describe_pool(config, name, pool));
    }
    for (name, stack) in &config.stacks {
        let machines = stack.pools.iter();
        let machines: Vec<String> = machines.map(|(pool, n)| format!("{n} {pool}")).collect();
        let policy = stack.policy(name, &config.pools);
        let what = format!("stacks of {}", machines.join(" and "));
        let _ = writeln!(text, "Stack {name}: {}", describe_policy(&policy, &what));
    }
    if config.pools.is_empty() {
        text.push_str("There are no pools: add a [pools.NAME] section.\n");
    }
    text
}

fn describe_inventory(config: &Config, inventory: &InventoryConfig) -> String {
    let file = inventory.file.display();
    let whose = match &config.lease {
        None => "this instance".to_owned(),
        Some(lease) if inventory.instances.is_empty() => {
            format!("all instances below {} in etcd", lease.prefix)
        }
        Some(_) => format!("the instances {}", inventory.instances.join(", ")),
    };
    format!("The members of all pools of {whose} are listed in {file}.")
}

fn describe_pool(config: &Config, name: &str, pool: &PoolConfig) -> String {
    let policy = pool.policy(name);
    if let Some((stack, section)) = config.stack_of(name) {
        let count = section.pools.get(name).copied().unwrap_or(0);
        return format!(
            "Pool {name}: {count} members of {} calls in each stack {stack}.",
            policy.capacity_calls
        );
    }
    if !pool.has_actuator() {
        let fixed = pool.members.len();
        return format!("Pool {name}: paused, nobody scales it; {fixed} fixed members.");
    }
    let what = format!("members of {} calls", policy.capacity_calls);
    format!("Pool {name}: {}", describe_policy(&policy, &what))
}

/// What a policy does, in sentences.
fn describe_policy(policy: &Policy, what: &str) -> String {
    let mode = match policy.mode {
        Mode::Paused => "paused, nobody scales it",
        Mode::On => "scaled out and in",
        Mode::OutOnly => "scaled out only",
        Mode::Advise => "only says what it would do",
    };
    let max = match policy.max {
        u32::MAX => "no limit".to_owned(),
        max => max.to_string(),
    };
    let mut text = format!("{mode}, {} to {max} {what}.", policy.min);
    if policy.mode == Mode::Paused {
        return text;
    }
    growth(&mut text, policy);
    shrinkage(&mut text, policy);
    limits(&mut text, policy);
    text
}

fn growth(text: &mut String, policy: &Policy) {
    let aim = match policy.target {
        Target::Load => format!(
            "Above {:.0} % load members are added",
            policy.scale_out_load * 100.0
        ),
        Target::ErlangB { blocking } => format!(
            "Members are added so that at most {} % of the calls would find all capacity taken (Erlang B)",
            blocking * 100.0
        ),
        Target::ErlangC { wait } => format!(
            "Members are added so that at most {} % of the callers would wait (Erlang C)",
            wait * 100.0
        ),
        Target::AnswerTime { answer_s, hold_s } => format!(
            "Members are added so that callers would be answered within {answer_s} s on average \
             (Erlang C, calls of {hold_s} s)"
        ),
    };
    let _ = write!(
        text,
        " {aim}, at most {:.0} % more every {} s, {} booting at once; a member is expected to take \
         {} s to boot until that is known better. From {:.0} % load on, {} times the active members \
         are wanted at least.",
        policy.max_growth_share * 100.0,
        policy.cooldown_out_s,
        policy.max_booting,
        policy.boot_s,
        policy.surge_load * 100.0,
        policy.surge_step,
    );
    for signal in &policy.signals {
        text.push_str(&describe_signal(signal));
    }
    if policy.spare > 0 {
        let _ = write!(text, " {} more than needed are kept.", policy.spare);
    }
    if policy.survive_losses > 0 {
        let losses = policy.survive_losses;
        let _ = write!(text, " The load still fits when {losses} are lost.");
    }
    for floor in &policy.floors {
        let calm = if floor.inhibit_scale_in {
            ", and nothing is removed meanwhile"
        } else {
            ""
        };
        let _ = write!(
            text,
            " \"{}\": at least {} from \"{}\" ({}) on for {} s{calm}.",
            floor.name, floor.min, floor.cron, floor.time_zone, floor.duration_s
        );
    }
}

fn describe_signal(signal: &SignalPolicy) -> String {
    let of = signal
        .of
        .as_ref()
        .map_or(String::new(), |of| format!(" of {of}"));
    let each = if signal.kind.is_share() {
        String::new()
    } else {
        format!(" of {} {} per member", signal.capacity, signal.kind.unit())
    };
    format!(
        " So they are above {:.0} % {}{of}{each}, unless it is older than {} s; they go below {:.0} %.",
        signal.scale_out_load * 100.0,
        signal.kind.name(),
        signal.max_age_s,
        signal.scale_in_load * 100.0,
    )
}

fn shrinkage(text: &mut String, policy: &Policy) {
    if policy.mode == Mode::OutOnly {
        text.push_str(" Nothing is removed.");
        return;
    }
    let _ = write!(
        text,
        " Below {:.0} % for {} s the emptiest is drained (one per {} s, at most {:.0} % in ten \
         minutes, none that is new for {} s), and stopped after {} s with 0 calls or after {} s at \
         the latest. When demand falls by {:.0} % at once, nothing is removed for {} s.",
        policy.scale_in_load * 100.0,
        policy.stabilization_s,
        policy.cooldown_in_s,
        policy.max_shrink_share * 100.0,
        policy.protect_new_s,
        policy.empty_for_s,
        policy.drain_timeout_s,
        policy.outage_drop * 100.0,
        policy.outage_guard_s,
    );
}

fn limits(text: &mut String, policy: &Policy) {
    if let Some(hours) = policy.budget_member_hours {
        let _ = write!(
            text,
            " No more is added once {hours} member-hours were used within 24 h."
        );
    }
    if policy.fallback_members > 0 {
        let _ = write!(
            text,
            " Without data for {} s it has at least {}.",
            policy.fallback_after_s, policy.fallback_members
        );
    }
}
