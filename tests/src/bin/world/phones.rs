//! The subscribers: offices of phones, each with an address of its own in the namespace `phones`, played by sipp. They
//! find the load balancers by DNS, register, call, watch and book rooms. What came out of it is in the [`Ledger`].
//! It must not know the story, only who does what, how often.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kamscale_tests::{Process, RunDir, repository, tool};
use rustix::process::Signal;

use crate::database::password;
use crate::ledger::Ledger;
use crate::names;
use crate::platform::{answer, command_in, command_of, inside};

/// Phones of one office.
pub(crate) const OFFICE: u32 = 300;
/// The first office's address; the others follow.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 77, 4, 1);
/// How long a sipp may take to hang up its last calls when it shall end: the longest talk, and the time that a BYE to a host
/// that died is given.
const FAREWELL: Duration = Duration::from_secs(240);

/// A sipp that runs a scenario.
#[derive(Debug)]
pub(crate) struct Caller {
    name: String,
    process: Process,
    address: Ipv4Addr,
    control: u16,
    is_hushed: bool,
    is_closed: bool,
}

/// What one sipp plays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play<'a> {
    /// A file of tests/sipp.
    pub(crate) scenario: &'a str,
    /// The office whose phones do it.
    pub(crate) office: u32,
    /// So often a second.
    pub(crate) rate: f64,
    /// How long a call or a subscription goes on.
    pub(crate) talk: Duration,
    /// So often at all, if that is limited.
    pub(crate) times: Option<u32>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Phones<'a> {
    run: &'a RunDir,
    ledger: &'a Mutex<Ledger>,
    balancers: Vec<String>,
    callers: Vec<Caller>,
    began: std::time::Instant,
    started: u16,
}

/// The user of a phone.
pub(crate) fn user(office: u32, phone: u32) -> String {
    format!("s{office:02}{phone:04}")
}

/// Everybody who works in an office.
pub(crate) fn users(office: u32) -> impl Iterator<Item = String> {
    (0..OFFICE).map(move |phone| user(office, phone))
}

fn address(office: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(FIRST) + office)
}

impl<'a> Phones<'a> {
    /// Offices with these numbers get addresses; nobody does anything yet.
    pub(crate) fn new(
        run: &'a RunDir,
        ledger: &'a Mutex<Ledger>,
        offices: u32,
        began: std::time::Instant,
    ) -> Result<Self, String> {
        for office in 0..offices {
            let mut ip = command_in("phones", "ip");
            answer(ip.args([
                "address",
                "replace",
                &format!("{}/16", address(office)),
                "dev",
                "eth0",
            ]))?;
        }
        let balancers = names::balancers()?;
        if balancers.is_empty() {
            return Err(format!(
                "no load balancer is found by SRV of {}",
                names::DOMAIN
            ));
        }
        Ok(Self {
            run,
            ledger,
            balancers,
            callers: Vec::new(),
            began,
            started: 0,
        })
    }

    /// A caller that plays `what`; line by line the next phone of the office does it, with the callee of the next line.
    pub(crate) fn start(
        &mut self,
        name: &str,
        what: Play<'_>,
        callees: &[String],
    ) -> Result<(), String> {
        self.started += 1;
        let dir = self.run.dir(name);
        let list = self
            .run
            .write(&format!("{name}/list.csv"), self.list(what.office, callees));
        let mut sipp = command_of("phones", &tool("sipp").to_string_lossy());
        sipp.arg("-sf")
            .arg(scenario(what.scenario))
            .arg("-inf")
            .arg(list);
        let (host, control) = (address(what.office).to_string(), 9_000 + self.started);
        let is_phone = what.scenario == "world-register";
        if is_phone {
            sipp.arg("-oocsf").arg(scenario("world-answer"));
        }
        // A phone is called where it registered: at the port of SIP. Callers have others.
        let port = if is_phone { 5060 } else { 5100 + self.started };
        for option in ["-i", "-mi", "-ci"] {
            sipp.args([option, &host]);
        }
        sipp.args([
            "-p",
            &port.to_string(),
            "-mp",
            &(20_000 + 8 * self.started).to_string(),
        ]);
        if what.scenario == "world-call" {
            // Of a 180 that comes after its 200 a phone takes no notice; sipp would give the call up.
            sipp.args(["-default_behaviors", "all,-abortunexp"]);
        }
        sipp.args(["-cp", &control.to_string()]);
        sipp.args(["-r", &what.rate.to_string()]);
        sipp.args(["-d", &what.talk.as_millis().to_string(), "-l", "100000"]);
        if let Some(times) = what.times {
            sipp.args(["-m", &times.to_string()]);
        }
        sipp.args("-t u1 -aa -bind_local -nostdin -trace_err -error_file errors.log -trace_logs -log_file told.log".split(' '));
        sipp.args("-trace_stat -stf stat.csv -fd 1".split(' '));
        sipp.arg(format!("{}:5060", self.balancers[0]))
            .current_dir(&dir);
        let process = Process::spawn(self.run, &format!("{name}/out"), &mut sipp);
        self.ledger().follow(name, dir.join("told.log"));
        self.callers.push(Caller {
            name: name.into(),
            process,
            address: address(what.office),
            control,
            is_hushed: false,
            is_closed: false,
        });
        Ok(())
    }

    /// Phone by phone: user, credentials, the load balancers in this phone's order, callee.
    fn list(&self, office: u32, callees: &[String]) -> String {
        let mut text = String::from("SEQUENTIAL\n");
        let lines = callees.len().max(OFFICE as usize);
        for (line, phone) in (0..lines).zip((0..OFFICE).cycle()) {
            let user = user(office, phone);
            // Records of one priority are taken by turns.
            let first = &self.balancers[line % self.balancers.len()];
            let second = &self.balancers[(line + 1) % self.balancers.len()];
            let callee = callees
                .get(line % callees.len().max(1))
                .map_or("", |c| c.as_str());
            let secret = password(&user);
            text += &format!(
                "{user};[authentication username={user} password={secret}];{first};{second};{callee};\n"
            );
        }
        text
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Callers whose name begins so go on with so many each in a second, by sipp's control socket.
    pub(crate) fn pace(&mut self, prefix: &str, rate: f64) -> Result<(), String> {
        let meant = self.callers.iter().filter(|c| c.name.starts_with(prefix));
        let places: Vec<_> = meant.map(|c| (c.address, c.control)).collect();
        let text = format!("cset rate {rate}");
        inside("phones", || {
            for (host, port) in places {
                let socket = std::net::UdpSocket::bind((host, 0)).map_err(|e| e.to_string())?;
                let sent = socket.send_to(text.as_bytes(), (host, port));
                sent.map_err(|e| e.to_string())?;
            }
            Ok(())
        })?
    }

    /// No new calls of callers whose name begins so; returns at once. Told a second time, sipp would break off its calls.
    pub(crate) fn hush(&mut self, prefix: &str) {
        let meant = |c: &&mut Caller| c.name.starts_with(prefix) && !c.is_hushed;
        for caller in self.callers.iter_mut().filter(meant) {
            caller.process.signal(Signal::USR1);
            caller.is_hushed = true;
        }
    }

    /// Waits until those whose name begins so have hung up, and closes their accounts.
    pub(crate) fn farewell(&mut self, prefix: &str) -> Result<(), String> {
        self.hush(prefix);
        let end = std::time::Instant::now() + FAREWELL;
        loop {
            self.close_ended();
            let left = self
                .callers
                .iter()
                .filter(|c| c.name.starts_with(prefix) && !c.is_closed);
            let left: Vec<&str> = left.map(|c| c.name.as_str()).collect();
            if left.is_empty() {
                return Ok(());
            }
            if std::time::Instant::now() > end {
                let left = left.join(", ");
                self.stop(prefix);
                return Err(format!(
                    "these callers could not hang up within {} s: {left}",
                    FAREWELL.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends callers whatever they do: phones, whose registrations stay.
    pub(crate) fn stop(&mut self, prefix: &str) {
        for caller in self
            .callers
            .iter_mut()
            .filter(|c| c.name.starts_with(prefix))
        {
            caller.process.stop();
        }
        self.close_ended();
    }

    fn close_ended(&mut self) {
        let t = self.began.elapsed().as_secs_f64();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for caller in self.callers.iter_mut().filter(|c| !c.is_closed) {
            if caller.process.ended().is_some() {
                caller.is_closed = true;
                ledger.close(&caller.name, t);
            }
        }
    }

    /// What went unexpectedly, for who reads a failure: the first lines of each caller's error log.
    pub(crate) fn errors(&self) -> Vec<String> {
        let first = |name: &str| -> Option<String> {
            let text =
                std::fs::read_to_string(self.run.path().join(name).join("errors.log")).ok()?;
            let mut lines = text
                .lines()
                .filter(|l| l.contains("Aborting") || l.contains("unexpected"));
            lines
                .next()
                .map(|l| format!("{name}: {}", l.chars().take(300).collect::<String>()))
        };
        self.callers.iter().filter_map(|c| first(&c.name)).collect()
    }
}

fn scenario(name: &str) -> PathBuf {
    repository().join(format!("tests/sipp/{name}.xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_name_of_his_own() {
        let all: std::collections::BTreeSet<String> = users(0).chain(users(1)).collect();
        assert_eq!(all.len(), 2 * OFFICE as usize);
    }
}
