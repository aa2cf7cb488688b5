//! Commands of operators: members that come, drain, resume and go by hand.

use kamscale_shm::MemberOptions;
use serde::{Deserialize, Serialize};

use super::{Agent, SignalRequest};
use crate::actuator::Handle;
use crate::dns::is_name;
use crate::journal::Event;
use crate::state::{Member, Origin, Stage};

/// Which member, and what it is like if it is new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// Its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// Where requests go (add).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Calls that it may carry (add, set); that of the pool's `member` section if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_calls: Option<u32>,
    /// Share of requests (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// For the algorithm `serial` (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// The local socket that its requests leave by (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// What scripts may read of it (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
    /// The proxy before it (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Whether it is probed (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
    /// From of its probes (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_from: Option<String>,
    /// Socket that its probes leave by (add, set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_socket: Option<String>,
    /// Without waiting for its calls to end (remove).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
}

impl MemberRequest {
    /// What Kamailio needs of the new member beside the numbers.
    pub(super) fn options(&self, mut options: MemberOptions) -> MemberOptions {
        let texts = [
            (&mut options.socket, &self.socket),
            (&mut options.attributes, &self.attributes),
            (&mut options.proxy, &self.proxy),
            (&mut options.probe_from, &self.probe_from),
            (&mut options.probe_socket, &self.probe_socket),
        ];
        for (text, wanted) in texts {
            if let Some(wanted) = wanted {
                text.clone_from(wanted);
            }
        }
        options.probe = self.probe.unwrap_or(options.probe);
        options
    }
}

/// What an operator may ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A new member that somebody else runs.
    Add(MemberRequest),
    /// No new requests; it stays.
    Drain(MemberRequest),
    /// Requests again.
    Resume(MemberRequest),
    /// Other values; without any those of the configuration again.
    Set(MemberRequest),
    /// It goes, when it is empty or at once.
    Remove(MemberRequest),
    /// Nobody scales this pool, or any, until it is resumed.
    PausePool(Option<String>),
    /// A pause is taken back.
    ResumePool(Option<String>),
    /// A measurement for the next decisions.
    Signal(SignalRequest),
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such pool or member.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
}

pub(super) type Answer = Result<String, CommandError>;

impl Agent {
    pub(super) fn command(&mut self, command: Command, now_s: f64) -> Answer {
        if !self.may_act() {
            let leader = self
                .leader()
                .unwrap_or_else(|| "the node that leads".into());
            let why = format!("this node only follows; give the command on {leader}");
            return Err(CommandError::Conflict(why));
        }
        let answer = match command {
            Command::Add(request) => self.add(&request, now_s),
            Command::Drain(request) => self.drain(&request, now_s),
            Command::Resume(request) => self.resume(&request, now_s),
            Command::Set(request) => self.set(&request),
            Command::Remove(request) => self.remove(&request, now_s),
            Command::PausePool(pool) => self.pause(pool.as_deref(), now_s),
            Command::ResumePool(pool) => self.resume_pools(pool.as_deref(), now_s),
            Command::Signal(request) => self.take_signal(&request, now_s),
        };
        if answer.is_ok() {
            self.save(now_s, false);
        }
        answer
    }

    fn add(&mut self, request: &MemberRequest, now_s: f64) -> Answer {
        let (pool, name) = (&request.pool, &request.name);
        let Some(config) = self.config.pools.get(pool) else {
            return Err(self.no_pool(pool));
        };
        if !kamscale_shm::spec::is_name(name) {
            let rule = "a name has 1 to 63 of A-Z a-z 0-9 _ . -";
            return Err(CommandError::Invalid(format!(
                "\"{name}\" cannot name a member: {rule}"
            )));
        }
        let uri = request.uri.as_deref().unwrap_or_default();
        if !kamscale_shm::spec::is_uri(uri) {
            return Err(CommandError::Invalid(format!(
                "\"{uri}\" is no SIP URI; write sip:192.0.2.1:5060"
            )));
        }
        let capacity_calls = request
            .capacity_calls
            .unwrap_or(config.member.capacity_calls);
        if capacity_calls == 0 {
            let why = "capacity 0 makes the load unknown; give the calls that it may carry";
            return Err(CommandError::Invalid(why.into()));
        }
        let options = request.options(config.member.options());
        options
            .check()
            .map_err(|fault| CommandError::Invalid(format!("{}: {}", fault.key, fault.why)))?;
        let state = self.state.pools.entry(pool.clone()).or_default();
        if state.members.contains_key(name) {
            return Err(CommandError::Conflict(format!(
                "pool {pool} has a member {name} already; take another name, or resume that one"
            )));
        }
        let member = Member {
            uri: uri.into(),
            located: None,
            capacity_calls,
            weight: request.weight.unwrap_or(config.member.weight),
            options,
            priority: request.priority.unwrap_or(config.member.priority),
            is_set: false,
            origin: Origin::Command,
            stage: Stage::Active,
            since_s: now_s,
            active_since_s: Some(now_s),
            handle: Handle::Manual,
            stack: None,
        };
        state.members.insert(name.clone(), member);
        let event = Event::new("member_active")
            .member(pool, name)
            .with("uri", uri);
        self.journal.record(event.reason("added by an operator"));
        Ok(match is_name(uri) {
            true => format!("{pool}/{name} is active as soon as the address of its name is known"),
            false => format!("{pool}/{name} is active"),
        })
    }

    fn drain(&mut self, request: &MemberRequest, now_s: f64) -> Answer {
        let (pool, name) = (&request.pool, &request.name);
        match self.stage(pool, name)? {
            Stage::Held => return Ok(format!("{pool}/{name} drains already")),
            Stage::Active | Stage::Draining | Stage::Leaving => {}
            Stage::Booting => return Err(conflict(pool, name, "is still booting; remove it")),
            Stage::Stopping => return Err(conflict(pool, name, "is being stopped")),
        }
        self.enter(
            pool,
            name,
            Stage::Held,
            "member_draining",
            "drained by an operator",
            now_s,
        );
        Ok(format!(
            "{pool}/{name} takes no new requests; it stays until it is resumed or removed"
        ))
    }

    fn resume(&mut self, request: &MemberRequest, now_s: f64) -> Answer {
        let (pool, name) = (&request.pool, &request.name);
        match self.stage(pool, name)? {
            Stage::Active => return Ok(format!("{pool}/{name} is active already")),
            Stage::Held | Stage::Draining | Stage::Leaving => {}
            Stage::Booting => return Err(conflict(pool, name, "is still booting")),
            Stage::Stopping => return Err(conflict(pool, name, "is being stopped; add a new one")),
        }
        self.enter(
            pool,
            name,
            Stage::Active,
            "member_active",
            "resumed by an operator",
            now_s,
        );
        Ok(format!("{pool}/{name} is active"))
    }

    fn remove(&mut self, request: &MemberRequest, now_s: f64) -> Answer {
        let (pool, name) = (&request.pool, &request.name);
        let stage = self.stage(pool, name)?;
        if self
            .config
            .pools
            .get(pool)
            .is_some_and(|config| config.members.iter().any(|member| member.name == *name))
        {
            let why = "stands in the configuration and would be back after a restart; \
                       take it out there and reload (SIGHUP)";
            return Err(conflict(pool, name, why));
        }
        if stage == Stage::Stopping {
            return Ok(format!("{pool}/{name} is being stopped already"));
        }
        let stack = self
            .state
            .member_mut(pool, name)
            .and_then(|member| member.stack);
        if request.now || stage == Stage::Booting {
            let reason = "removed by an operator, at once";
            self.enter(pool, name, Stage::Stopping, "member_removed", reason, now_s);
            self.fail_stack_of(pool, stack, now_s);
            return Ok(format!(
                "{pool}/{name} is out of the pool and is being stopped"
            ));
        }
        if stage != Stage::Leaving {
            let reason = "an operator removes it when it is empty";
            self.enter(pool, name, Stage::Leaving, "member_draining", reason, now_s);
            self.fail_stack_of(pool, stack, now_s);
        }
        let calls = self.seen.calls(pool, name);
        let calls = calls.map_or("an unknown number of".into(), |calls| calls.to_string());
        Ok(format!(
            "{pool}/{name} drains ({calls} calls) and goes when it is empty"
        ))
    }

    pub(super) fn stage(&self, pool: &str, name: &str) -> Result<Stage, CommandError> {
        let Some(state) = self.state.pools.get(pool) else {
            return Err(self.no_pool(pool));
        };
        match state.members.get(name) {
            Some(member) => Ok(member.stage),
            None => {
                let names: Vec<&str> = state.members.keys().map(String::as_str).collect();
                let names = if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                };
                let problem = format!("pool {pool} has no member {name}; it has: {names}");
                Err(CommandError::NotFound(problem))
            }
        }
    }

    pub(super) fn no_pool(&self, pool: &str) -> CommandError {
        let names = self.config.pools.keys().chain(self.config.stacks.keys());
        let names: Vec<&str> = names.map(String::as_str).collect();
        CommandError::NotFound(format!(
            "there is no pool {pool}; agent.toml has: {}",
            names.join(", ")
        ))
    }
}

fn conflict(pool: &str, name: &str, why: &str) -> CommandError {
    CommandError::Conflict(format!("{pool}/{name} {why}"))
}
