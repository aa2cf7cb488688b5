//! The values of one member, changed at run time: nothing else of the table moves.

use super::Agent;
use super::command::{Answer, CommandError, MemberRequest};
use super::reconcile::usual;
use crate::journal::Event;

impl Agent {
    /// Sets what the request names and leaves the rest. Without anything the values of the
    /// configuration are taken again.
    pub(super) fn set(&mut self, request: &MemberRequest) -> Answer {
        let (pool, name) = (&request.pool, &request.name);
        self.stage(pool, name)?;
        if request.uri.is_some() {
            let why = "a member keeps its URI; add another member, and remove this one";
            return Err(CommandError::Invalid(why.into()));
        }
        if request.capacity_calls == Some(0) {
            let why = "capacity 0 makes the load unknown; give the calls that it may carry";
            return Err(CommandError::Invalid(why.into()));
        }
        let Some(config) = self.config.pools.get(pool) else {
            return Err(self.no_pool(pool));
        };
        let Some(member) = self.state.member_mut(pool, name) else {
            return Err(self.no_pool(pool));
        };
        let mut new = member.clone();
        new.is_set = request.sets_anything();
        if new.is_set {
            new.capacity_calls = request.capacity_calls.unwrap_or(new.capacity_calls);
            new.weight = request.weight.unwrap_or(new.weight);
            new.priority = request.priority.unwrap_or(new.priority);
            new.options = request.options(new.options);
        } else {
            usual(&mut new, name, config);
        }
        let checked = new.options.check();
        checked.map_err(|fault| CommandError::Invalid(format!("{}: {}", fault.key, fault.why)))?;
        let (weight, capacity) = (new.weight, new.capacity_calls);
        let by = if new.is_set {
            "set by an operator"
        } else {
            "as the configuration has it again"
        };
        *member = new;
        let event = Event::new("member_set").member(pool, name);
        let event = event
            .with("weight", weight)
            .with("capacity_calls", capacity);
        self.journal.record(event.reason(by));
        Ok(format!(
            "{pool}/{name} has weight {weight} and takes {capacity} calls, {by}"
        ))
    }
}

impl MemberRequest {
    /// Whether it names any value.
    fn sets_anything(&self) -> bool {
        let numbers = self.capacity_calls.is_some()
            || self.weight.is_some()
            || self.priority.is_some()
            || self.probe.is_some();
        let texts = [
            &self.socket,
            &self.attributes,
            &self.proxy,
            &self.probe_from,
            &self.probe_socket,
        ];
        numbers || texts.iter().any(|text| text.is_some())
    }
}
