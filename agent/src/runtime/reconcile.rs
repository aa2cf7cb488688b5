//! Reconcile: what a configuration (new at start or by SIGHUP) means for the members that are there.

use super::{Agent, start};
use crate::actuator::Handle;
use crate::config::{Config, FixedMember, PoolConfig};
use crate::journal::Event;
use crate::state::{Member, Origin, PoolState, Stage};

impl Agent {
    /// Reads the file again; on any error the old configuration stays.
    pub(super) fn reload(&mut self, now_s: f64) {
        let loaded = Config::load(&self.config_file).map_err(|error| error.to_string());
        let result = loaded.and_then(|config| {
            let (old, new) = (&self.config.agent, &config.agent);
            if old.instance != new.instance
                || old.shm_dir != new.shm_dir
                || old.state_file != new.state_file
                || old.listen != new.listen
            {
                return Err(format!(
                    "{}: agent: instance, shm_dir, state_file and listen change only by a restart",
                    self.config_file.display()
                ));
            }
            if !self.config.reaches_as(&config) {
                return Err(format!(
                    "{}: cloud, gnocchi, prometheus, nodes, lease, host, dns and inventory, and the first \
                     `heat` section, change only by a restart",
                    self.config_file.display()
                ));
            }
            self.can_change_actuators(&config)?;
            self.reconcile(&config, now_s)?;
            Ok(config)
        });
        match result {
            Ok(config) => {
                let mut actuators = start::actuators(&config, self.services.cloud.as_ref());
                for (pool, actuator) in &mut actuators {
                    // One that goes on as before knows what it was asked for.
                    if let Some(known) = self.actuators.get(pool)
                        && makes_as(pool, &self.config, &config)
                    {
                        *actuator = known.clone();
                    }
                }
                self.actuators = actuators;
                self.journal.set_audit_file(config.agent.audit_file.clone());
                self.config = config;
                self.tabled = None;
                self.journal.record(Event::new("config_loaded"));
                self.publish_and_report(now_s);
            }
            Err(error) => {
                tracing::error!("the configuration stays as it was: {error}");
                self.journal
                    .record(Event::new("config_rejected").reason(error));
            }
        }
    }

    /// Two actuators that work on one group at the same time would make members twice.
    fn can_change_actuators(&self, config: &Config) -> Result<(), String> {
        for pool in config.pools.keys() {
            if !makes_as(pool, &self.config, config) && self.tasks.work_on(pool) {
                return Err(format!(
                    "{}: pools.{pool}: members of it are being made or removed just now, so what makes \
                     them cannot change; reload again when that is done",
                    self.config_file.display()
                ));
            }
        }
        Ok(())
    }

    /// Brings the members in line with a configuration. Nothing is changed if it is refused.
    pub(super) fn reconcile(&mut self, config: &Config, now_s: f64) -> Result<(), String> {
        for (name, pool) in &self.state.pools {
            let local = config
                .pools
                .get(name)
                .is_some_and(|pool| pool.local.is_some());
            let heat = config.heat_of(name).is_some();
            for (member, known) in &pool.members {
                let (section, is_there) = match known.handle {
                    Handle::Manual => continue,
                    Handle::Process { .. } => ("local", local),
                    Handle::Heat { .. } => ("heat", heat),
                };
                if !is_there {
                    return Err(format!(
                        "{}: pools.{name}: its `{section}` section is gone, but {name}/{member}, which \
                         that made, is still there; put the section back and run `kamscale member \
                         remove {name} {member}` first",
                        self.config_file.display()
                    ));
                }
            }
        }
        self.state
            .pools
            .retain(|name, _| config.pools.contains_key(name));
        for (name, pool) in &config.pools {
            let state = self.state.pools.entry(name.clone()).or_default();
            reconcile_members(state, pool, now_s);
        }
        Ok(())
    }
}

/// Whether a pool's members are made in the same way.
fn makes_as(pool: &str, old: &Config, new: &Config) -> bool {
    let local = |config: &Config| config.pools.get(pool).and_then(|pool| pool.local.clone());
    let unit = |config: &Config| config.stack_of(pool).map(|(_, stack)| stack.pools.clone());
    old.heat_of(pool) == new.heat_of(pool)
        && local(old) == local(new)
        && unit(old) == unit(new)
        && old.decider(pool) == new.decider(pool)
}

/// Gives a member the values of the configuration; one that an operator added has those of its pool.
pub(super) fn usual(member: &mut Member, name: &str, pool: &PoolConfig) {
    let template = &pool.member;
    (member.capacity_calls, member.weight) = (template.capacity_calls, template.weight);
    (member.priority, member.options) = (template.priority, template.options());
    if let Some(fixed) = pool.members.iter().find(|fixed| fixed.name == name) {
        let new = fixed_member(fixed, pool, member.since_s);
        (member.capacity_calls, member.weight) = (new.capacity_calls, new.weight);
        (member.priority, member.options) = (new.priority, new.options);
    }
}

fn reconcile_members(state: &mut PoolState, pool: &PoolConfig, now_s: f64) {
    let template = &pool.member;
    for (name, member) in &mut state.members {
        match member.origin {
            Origin::Plan if member.is_set => {}
            Origin::Plan => {
                member.capacity_calls = template.capacity_calls;
                member.weight = template.weight;
                member.options = template.options();
                member.priority = template.priority;
            }
            Origin::Config => {
                let stays = pool.members.iter().any(|fixed| fixed.name == *name);
                if !stays && !matches!(member.stage, Stage::Leaving | Stage::Stopping) {
                    member.enter(Stage::Leaving, now_s);
                }
            }
            Origin::Command => {}
        }
    }
    for fixed in &pool.members {
        let new = fixed_member(fixed, pool, now_s);
        match state.members.get_mut(&fixed.name) {
            Some(member) if member.origin != Origin::Plan => {
                member.set_uri(new.uri);
                if !member.is_set {
                    member.capacity_calls = new.capacity_calls;
                    member.weight = new.weight;
                    member.options = new.options;
                    member.priority = new.priority;
                }
                let returns = member.origin == Origin::Config && member.stage == Stage::Leaving;
                member.origin = Origin::Config;
                if returns {
                    member.enter(Stage::Active, now_s);
                }
            }
            // A name of the plan's own members stays with the one that carries calls.
            Some(_) => {}
            None => {
                state.members.insert(fixed.name.clone(), new);
            }
        }
    }
}

fn fixed_member(fixed: &FixedMember, pool: &PoolConfig, now_s: f64) -> Member {
    Member {
        uri: fixed.uri.clone(),
        located: None,
        capacity_calls: fixed.capacity_calls.unwrap_or(pool.member.capacity_calls),
        weight: fixed.weight.unwrap_or(pool.member.weight),
        options: fixed.options(&pool.member),
        priority: fixed.priority.unwrap_or(pool.member.priority),
        is_set: false,
        origin: Origin::Config,
        stage: Stage::Active,
        since_s: now_s,
        active_since_s: Some(now_s),
        handle: Handle::Manual,
        stack: None,
    }
}
