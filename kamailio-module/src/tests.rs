//! The module's logic over real shared files and the double of the server.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod calls;
mod extras;
#[cfg(test)]
mod fork;
#[cfg(test)]
mod health;
#[cfg(test)]
mod overflow;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod selection;
#[cfg(test)]
mod several;
#[cfg(test)]
mod share;
#[cfg(test)]
mod slow_start;
#[cfg(test)]
mod sticky;
#[cfg(test)]
mod sums;

use std::sync::{Mutex, OnceLock};

use kamailio::double::{self, Dialogs, Message};
use kamailio::message::Method;
use kamscale_shm::{DesiredState, MemberSpec, Observer, PoolSpec, Publisher, TableSpec, xxh3};

use crate::algorithm::Algorithm;
use crate::health::Probing;
use crate::routing::{Choice, Target, next, select};
use crate::server::{Server, Settings};
use crate::worker::{PoolName, Worker};

/// One Kamailio process and its agent, in a directory of their own.
struct Site {
    server: &'static Server,
    worker: Worker,
    publisher: Publisher,
    dir: tempfile::TempDir,
}

fn member(name: &str) -> MemberSpec {
    let number = name
        .bytes()
        .fold(0, |sum, byte| sum * 131 % 39_000 + u32::from(byte));
    MemberSpec {
        name: name.to_owned(),
        uri: format!("sip:u@10.0.{}.{}:5060;x=1", number / 200, number % 200),
        state: DesiredState::Active,
        weight: 100,
        priority: 0,
        capacity: 10,
        options: Default::default(),
    }
}

fn pool(name: &str, members: &[MemberSpec]) -> PoolSpec {
    PoolSpec {
        name: name.to_owned(),
        hash_bits: 10,
        members: members.to_vec(),
        options: Default::default(),
    }
}

impl Site {
    fn new(pools: &[PoolSpec]) -> Self {
        Self::with(pools, None)
    }

    /// One in which members may be probed.
    fn with(pools: &[PoolSpec], probing: Option<Probing>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        publisher
            .publish(&TableSpec {
                pools: pools.to_vec(),
            })
            .unwrap();
        let settings = Settings {
            shm_dir: dir.path().to_path_buf(),
            instance: "t".to_owned(),
            features: vec!["calls".to_owned(), "conference".to_owned()],
            emergency: vec!["112".to_owned(), "urn:service:sos".to_owned()],
            probing,
            ..Settings::default()
        };
        let (server, table) = Server::start(settings).unwrap();
        // As in Kamailio, where it lives as long as the processes.
        let server: &'static Server = Box::leak(Box::new(server));
        let _ = server.observed.look_for_desired(None);
        let mut worker = Worker::new(server, table);
        worker.enter(server, 1);
        Self {
            server,
            worker,
            publisher,
            dir,
        }
    }

    /// A pool `p` of so many members `m0`, `m1`, ...
    fn of(members: usize) -> Self {
        let members: Vec<_> = (0..members).map(|i| member(&format!("m{i}"))).collect();
        Self::new(&[pool("p", &members)])
    }

    /// What an agent does: look at what is counted, then publish.
    fn publish(&mut self, members: &[MemberSpec]) {
        self.publish_pools(vec![pool("p", members)]);
    }

    fn publish_pools(&mut self, pools: Vec<PoolSpec>) {
        let observer = Observer::open(self.dir.path(), "t").unwrap();
        self.publisher.learn(&observer.snapshot());
        self.publisher.publish(&TableSpec { pools }).unwrap();
    }

    fn select(&mut self, msg: &mut Message, algorithm: Algorithm, key: Option<&[u8]>) -> i32 {
        self.select_from("p", msg, algorithm, key)
    }

    fn select_from(
        &mut self,
        pools: &str,
        msg: &mut Message,
        algorithm: Algorithm,
        key: Option<&[u8]>,
    ) -> i32 {
        let choice = Choice {
            pool: PoolName::Text(pools.as_bytes()),
            algorithm,
            key: key.map(xxh3),
            target: Target::Destination,
        };
        select(self.server, &mut self.worker, msg, &choice)
    }

    /// The member that a fresh request without a dialog is sent to.
    fn pick(&mut self, algorithm: Algorithm, key: Option<&[u8]>) -> Option<String> {
        let mut msg = Message::new(Method::Options);
        (self.select(&mut msg, algorithm, key) == 1).then(|| self.member_of(&msg))
    }

    fn next(&mut self, msg: &mut Message) -> i32 {
        next(self.server, &mut self.worker, msg, Target::Destination)
    }

    /// The name of the member whose URI the message got.
    fn member_of(&self, msg: &Message) -> String {
        let uri = msg.destination.as_deref().unwrap();
        let table = self.worker.table();
        let found = table
            .pools()
            .flat_map(|p| p.members())
            .find(|m| m.uri() == uri)
            .unwrap();
        String::from_utf8(found.name().to_vec()).unwrap()
    }

    fn calls(&self, member: &str) -> u32 {
        let slot = self.publisher.slot("p", member).unwrap() as usize;
        let row = self.server.observed.member(slot).unwrap();
        row.calls_of(kamscale_shm::member_id("p", member))
    }
}

/// Dialogs of the double whose ends settle the counts of `server`, as in Kamailio. The callback has
/// no place for a server, so the one of this test's thread is found by it.
fn dialogs(server: &'static Server) -> Dialogs {
    static SERVERS: OnceLock<Mutex<Vec<(std::thread::ThreadId, &'static Server)>>> =
        OnceLock::new();
    let servers = SERVERS.get_or_init(Mutex::default);
    servers
        .lock()
        .unwrap()
        .push((std::thread::current().id(), server));
    Dialogs::bound(|word| {
        let here = std::thread::current().id();
        let servers = SERVERS.get().unwrap().lock().unwrap();
        let (_, server) = servers
            .iter()
            .rev()
            .find(|(thread, _)| *thread == here)
            .unwrap();
        crate::calls::end(&server.observed, word);
    })
}

/// What was logged, without levels.
fn logged() -> Vec<String> {
    double::log_lines()
        .into_iter()
        .map(|(_, line)| line)
        .collect()
}
