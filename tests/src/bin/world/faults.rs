//! What is broken during a story, each thing once, and what lived on it. It only breaks; whether the platform survived is
//! judged like every other run.

use std::time::{Duration, Instant};

use kamscale_tests::Watch;

use crate::course::Moment;
use crate::database;
use crate::platform::Platform;
use crate::story::Kind;

/// A new machine is looked for as long.
const COMES: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Dns,
    Database,
    DatabaseProxy,
    Balancer,
    Ccp,
    Media,
    Leader,
    Partition,
    NeverReady,
}

/// A fault, and the story in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) word: &'static str,
    pub(crate) kind: Kind,
    what: Break,
}

/// What was broken, when, and how many calls were on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Injected {
    pub(crate) what: String,
    /// The host that was killed, or cut off from a load balancer.
    pub(crate) host: Option<String>,
    pub(crate) t: f64,
    pub(crate) lived: u32,
    /// Whether calls go through it at all.
    pub(crate) carries: bool,
}

const fn fault(word: &'static str, kind: Kind, what: Break) -> Fault {
    Fault { word, kind, what }
}

/// All of them.
pub(crate) const ALL: [Fault; 9] = [
    fault("fault.dns_killed", Kind::ByStack, Break::Dns),
    fault("fault.database_killed", Kind::ByStack, Break::Database),
    fault(
        "fault.database_proxy_killed",
        Kind::ByStack,
        Break::DatabaseProxy,
    ),
    fault("fault.lb_killed", Kind::ByStack, Break::Balancer),
    fault("fault.ccp_killed", Kind::ByStack, Break::Ccp),
    fault("fault.media_killed", Kind::ByFeature, Break::Media),
    fault("fault.leader_killed", Kind::ByStack, Break::Leader),
    fault("fault.lb_ccp_partition", Kind::ByStack, Break::Partition),
    fault("fault.never_ready", Kind::ByStack, Break::NeverReady),
];

impl Fault {
    /// Whether a member of a pool is gone for good by it, so that the story is over when its newcomer serves, and the next one
    /// needs another world.
    pub(crate) fn is_final(self) -> bool {
        matches!(self.what, Break::Ccp | Break::Media)
    }

    /// Whether the host that was killed is one that an operator boots anew, as nobody else does.
    fn is_rebuilt(self) -> bool {
        matches!(
            self.what,
            Break::Dns | Break::Database | Break::DatabaseProxy | Break::Balancer
        )
    }

    /// What an operator does about it while the story goes on; the host that boots anew.
    pub(crate) fn rebuild(self, injected: &Injected) -> Result<Option<String>, String> {
        let host = injected.host.clone().filter(|_| self.is_rebuilt());
        if let Some(host) = &host {
            Platform::script("rebuild.sh", &[host])?;
        }
        Ok(host)
    }

    /// Breaks it, at this moment of the story.
    pub(crate) fn inject(
        self,
        platform: &Platform,
        now: &Moment,
        t: impl Fn() -> f64,
    ) -> Result<Injected, String> {
        let (host, lived) = match self.what {
            Break::Dns => ("dns1".into(), 0),
            Break::Database => {
                let node = database::active_node().ok_or("no node of the database has clients")?;
                (node.into(), 0)
            }
            Break::DatabaseProxy => ("dbproxy1".into(), 0),
            Break::Balancer => ("lb1".into(), calls_of(platform, "lb1", "lb")),
            Break::Ccp | Break::Partition => busiest(now, "ccp")?,
            Break::Media => busiest(now, "conference")?,
            Break::Leader | Break::NeverReady => (String::new(), 0),
        };
        let what = match self.what {
            Break::Leader => kill_leader(platform)?,
            Break::NeverReady => hang_newcomer(platform)?,
            Break::Partition => {
                Platform::script("net.sh", &["split", "lb1", &host])?;
                format!("lb1 and {host} cannot hear each other")
            }
            _ => {
                Platform::script("host.sh", &["kill", &host])?;
                format!("{host} killed")
            }
        };
        let host = Some(host).filter(|host| !host.is_empty());
        Ok(Injected {
            what,
            host,
            // Until it is done calls are offered to what dies.
            t: t(),
            lived,
            carries: matches!(
                self.what,
                Break::Balancer | Break::Ccp | Break::Media | Break::Partition
            ),
        })
    }

    /// Takes back what can be taken back: a CCP that was removed since has nobody to hear.
    pub(crate) fn mend(self, platform: &Platform, injected: &Injected) -> Result<(), String> {
        match &injected.host {
            Some(host) if self.what == Break::Partition && platform.init(host).is_some() => {
                Platform::script("net.sh", &["join", "lb1", host])
            }
            _ => Ok(()),
        }
    }
}

/// The active member of a pool with most calls, and how many.
fn busiest(now: &Moment, pool: &str) -> Result<(String, u32), String> {
    let active = now
        .members(pool)
        .filter(|(_, m)| m.state == "active" && !m.host.is_empty());
    let busiest = active.max_by_key(|(_, m)| m.calls);
    let found = busiest.map(|(_, m)| (m.host.clone(), m.calls));
    found.ok_or_else(|| format!("pool {pool} has no active member"))
}

/// Calls that a Kamailio carries on the members of all its pools.
fn calls_of(platform: &Platform, host: &str, instance: &str) -> u32 {
    let shared = platform.path(host, "/run/kamscale").unwrap_or_default();
    let watch = Watch::try_new(&shared, instance);
    watch.map_or(0, |mut watch| {
        let sample = watch.sample(0.0);
        sample.pools.keys().map(|pool| sample.calls(pool)).sum()
    })
}

/// Kills the agent that decides about the CCP tier; its unit starts it again, and another one leads meanwhile.
fn kill_leader(platform: &Platform) -> Result<String, String> {
    let leads = |host: &String| {
        let said = Platform::run(host, &["kamscale", "status", "--json"]);
        let status: serde_json::Value = said
            .ok()
            .and_then(|t| serde_json::from_str(&t).ok())
            .unwrap_or_default();
        status["nodes"]["leads"] == true
    };
    let balancers = platform.hosts().into_iter().filter(|h| h.starts_with("lb"));
    let leader = balancers
        .into_iter()
        .find(leads)
        .ok_or("no agent of a load balancer leads")?;
    Platform::run(
        &leader,
        &["systemctl", "kill", "--signal=KILL", "kamscale-agent"],
    )?;
    Ok(format!("agent of {leader} killed"))
}

/// The machine that comes next boots, and never gets ready; the one after it does.
fn hang_newcomer(platform: &Platform) -> Result<String, String> {
    let before = platform.hosts();
    platform.machines_from_now_on(r#"{"ccp*": {"hang": true}}"#)?;
    let end = Instant::now() + COMES;
    let came = loop {
        if let Some(host) = platform.hosts().into_iter().find(|h| !before.contains(h)) {
            break Ok(format!("{host} boots and never gets ready"));
        }
        if Instant::now() > end {
            break Err("no new machine came".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    platform.machines_from_now_on("{}")?;
    came
}
