//! A second Kamailio started by mistake, or `kamailio -c`, never touches the files of the live one;
//! under another instance name it works beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kamscale_shm::{Publisher, TableSpec};
use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{agent_side, pids};
use crate::support::{calls, member, pool};

/// Inode, time of change and content of each file in a directory.
type Files = BTreeMap<String, (u64, i64, i64, Vec<u8>)>;

fn files(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let data = entry.metadata().unwrap();
            let content = fs::read(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, (data.ino(), data.mtime(), data.mtime_nsec(), content))
        })
        .collect()
}

/// Stands still while this lives: nothing but somebody else can change the files then.
struct Frozen(Vec<u32>);

impl Frozen {
    fn new(kamailio: &Kamailio<'_>) -> Self {
        let all = pids(kamailio);
        signal(&all, Signal::STOP);
        let stopped = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|s| s.starts_with('T'))
        };
        wait_until("Kamailio stands still", PATIENCE, || {
            all.iter().all(stopped)
        });
        Self(all)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(&self.0, Signal::CONT);
    }
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

fn conference(member_uri: &str) -> TableSpec {
    TableSpec {
        pools: vec![pool("conference", vec![member("one", member_uri)])],
    }
}

#[test]
fn a_second_start_and_a_check_of_the_configuration_leave_the_live_one_alone() {
    let run = RunDir::new("second");
    let one = Member::start(run.endpoint());
    let mut publisher = agent_side(&run);
    publisher.publish(&conference(&one.uri())).unwrap();
    let kamailio = Kamailio::minimal(&run).start();
    let client = SipClient::new(&run);
    let mut live = client.invite(kamailio.sip(), "conf-1");
    live.answered();
    let before = pids(&kamailio);
    let frozen = Frozen::new(&kamailio);
    let untouched = files(&run.shm_dir());

    let mut second = Kamailio::minimal(&run).named("second").spawn();
    let status = second.wait(PATIENCE);
    let log = second.log();
    assert!(!status.success(), "{status}:\n{log}");
    let owner = format!("another process ({})", kamailio.pid());
    let told = log
        .lines()
        .any(|l| l.contains(&owner) && l.contains("default.kamailio.lock"));
    assert!(told, "names neither {owner} nor the instance:\n{log}");
    assert!(
        files(&run.shm_dir()) == untouched,
        "the second start changed files"
    );

    let setup = Kamailio::minimal(&run).named("check").option(&["-c"]);
    let mut check = setup.spawn();
    let status = check.wait(PATIENCE);
    assert!(status.success(), "{status}:\n{}", check.log());
    assert!(
        files(&run.shm_dir()) == untouched,
        "kamailio -c changed files"
    );
    drop(frozen);

    assert_eq!(calls(&kamailio, "conference", "one"), (1, 1));
    assert_eq!(live.bye(), 200);
    client.invite(kamailio.sip(), "conf-1").answered();
    assert_eq!(one.counts().invites, 2);
    let features = kamailio.rpc(&["kamscale.features"]);
    assert!(
        features
            .iter()
            .any(|f| f["feature"] == "calls" && f["requests"] == 2),
        "{features:?}"
    );
    assert_eq!(pids(&kamailio), before);
}

#[test]
fn another_instance_works_beside_it() {
    let run = RunDir::new("instances");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let mut first_agent = agent_side(&run);
    let mut second_agent = Publisher::open(&run.shm_dir(), "other").unwrap();
    first_agent.publish(&conference(&one.uri())).unwrap();
    second_agent.publish(&conference(&two.uri())).unwrap();
    let first = Kamailio::minimal(&run).start();
    let second = Kamailio::minimal(&run)
        .named("other")
        .define_text("KS_INSTANCE", "other")
        .start();
    let client = SipClient::new(&run);
    for _ in 0..3 {
        client.invite(first.sip(), "conf-1").answered();
    }
    client.invite(second.sip(), "conf-1").answered();
    assert_eq!((one.counts().invites, two.counts().invites), (3, 1));
    let count =
        |kamailio: &Kamailio<'_>, instance| kamailio.observed(instance).features[0].requests;
    assert_eq!((count(&first, "default"), count(&second, "other")), (3, 1));
    assert!(Publisher::open(&run.shm_dir(), "other").is_err());
}
