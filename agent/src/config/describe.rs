//! What a configuration means, in words: the answer of `kamscale check`.

use std::fmt::Write;

use super::{Config, PoolConfig};
use crate::plan::Mode;

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
    for (name, pool) in &config.pools {
        let _ = writeln!(text, "{}", describe_pool(name, pool));
    }
    if config.pools.is_empty() {
        text.push_str("There are no pools: add a [pools.NAME] section.\n");
    }
    text
}

fn describe_pool(name: &str, pool: &PoolConfig) -> String {
    let fixed = pool.members.len();
    let mode = match pool.mode() {
        Mode::Paused => {
            return format!("Pool {name}: paused, nobody scales it; {fixed} fixed members.");
        }
        Mode::On => "scaled out and in",
        Mode::OutOnly => "scaled out only",
        Mode::Advise => "only says what it would do",
    };
    let max = pool
        .max
        .map_or("no limit".to_owned(), |max| max.to_string());
    format!(
        "Pool {name}: {mode}, {} to {max} members of {} calls. Above {:.0} % load members are added \
         (at most every {} s, {} at once booting); below {:.0} % for {} s the emptiest is drained \
         (one per {} s), and stopped after {} s with 0 calls or after {} s at the latest.",
        pool.min,
        pool.member.capacity_calls,
        pool.scale_out_load * 100.0,
        pool.cooldown_out_s,
        pool.max_booting,
        pool.scale_in_load * 100.0,
        pool.stabilization_s,
        pool.cooldown_in_s,
        pool.empty_for_s,
        pool.drain_timeout_s,
    )
}
