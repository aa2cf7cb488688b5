//! What tests of damaged files share: a Kamailio under load whose agent is played by the test, and
//! what must hold of it after any damage.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kamscale_shm::Publisher;
use kamscale_tests::{Kamailio, PATIENCE, RunDir, wait_until};

use crate::load::{Load, agent_side, marked, pids, selecting};

const WORKERS: usize = 4;
const CALLERS: usize = 2;
/// Members of each pool.
pub(crate) const MEMBERS: u64 = 5;
/// A process reports the same trouble at most this often.
const REPORT_EVERY_S: u64 = 10;

/// A Kamailio under load, and the agent's part.
pub(crate) struct Site<'a> {
    run: &'a RunDir,
    pub(crate) kamailio: Kamailio<'a>,
    pub(crate) publisher: Publisher,
    pub(crate) load: Load,
    pub(crate) mark: u64,
    pub(crate) pids: Vec<u32>,
    started: Instant,
}

impl<'a> Site<'a> {
    pub(crate) fn start(run: &'a RunDir) -> Self {
        let mut publisher = agent_side(run);
        publisher.publish(&marked(1, MEMBERS)).unwrap();
        let (kamailio, targets) = selecting(run, WORKERS);
        let load = Load::start(run, &targets, CALLERS);
        Self {
            run,
            pids: pids(&kamailio),
            kamailio,
            publisher,
            load,
            mark: 1,
            started: Instant::now(),
        }
    }

    pub(crate) fn desired(&self) -> PathBuf {
        self.run.shm_dir().join("default.desired")
    }

    pub(crate) fn status(&self, figure: &str) -> u64 {
        self.kamailio.rpc(&["kamscale.status"])[0][figure]
            .as_u64()
            .unwrap_or(0)
    }

    /// Requests go on by the last good table, in the same processes.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        self.load.go_on(200);
        assert_eq!(self.load.newest(), self.mark);
        assert_eq!(pids(&self.kamailio), self.pids);
    }

    /// Kamailio's timer has looked at the file since.
    #[track_caller]
    pub(crate) fn looked(&self) {
        let now = self.status("uptime_s");
        wait_until("Kamailio's timer has run twice", PATIENCE, || {
            self.status("uptime_s") >= now + 2
                && self.kamailio.observed("default").heartbeat_age_s < 1.5
        });
    }

    /// The next good table is used by itself.
    #[track_caller]
    pub(crate) fn heals(&mut self, after: &str) {
        self.mark += 1;
        self.publisher.publish(&marked(self.mark, MEMBERS)).unwrap();
        wait_until(
            &format!("a good table is used after {after}"),
            PATIENCE,
            || self.load.newest() == self.mark,
        );
        self.goes_on();
    }

    /// No process reported the same trouble more often than it may.
    #[track_caller]
    pub(crate) fn reported(&self, text: &str) {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for line in self.kamailio.log().lines().filter(|l| l.contains(text)) {
            let process = line.trim_start().split(' ').next().unwrap_or_default();
            *lines.entry(process.to_owned()).or_default() += 1;
        }
        assert!(!lines.is_empty(), "{text} is not reported");
        let most = self.started.elapsed().as_secs() / REPORT_EVERY_S + 1;
        assert!(
            lines.values().all(|n| *n <= most),
            "{most} at most: {lines:?}"
        );
    }

    pub(crate) fn end(self) {
        let totals = self.load.stop();
        assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
        assert_eq!((totals.halves, pids(&self.kamailio)), (0, self.pids));
    }
}

/// Writes into a file as it stands.
pub(crate) fn write(path: &Path, offset: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}
