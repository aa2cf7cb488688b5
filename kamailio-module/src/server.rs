//! What all processes of this Kamailio share: made before the fork, and only read afterwards.

use std::path::PathBuf;

use kamailio::process::Local;
use kamscale_shm::{Observed, Table, xxh3};

use crate::health::Probing;
use crate::pools_file;

/// What modparam() set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the shared files are.
    pub shm_dir: PathBuf,
    /// The instance's name: another for a second Kamailio on the same machine.
    pub instance: String,
    /// The features that may be counted.
    pub features: Vec<String>,
    /// Pools to use as long as no agent published any.
    pub pools_file: Option<PathBuf>,
    /// Whether selections remember what `ks_next_dst()` needs.
    pub failover: bool,
    /// Seconds that `ks_mark_dst("down")` keeps a member out.
    pub mark_down_s: u64,
    /// So many failures within `mark_down_window_s`, over all processes, take a member out.
    pub mark_down_failures: u32,
    /// See `mark_down_failures`.
    pub mark_down_window_s: u32,
    /// How members are probed; `None`: not at all.
    pub probing: Option<Probing>,
    /// If more than this share of a pool, in percent, looks down, answers to probes are not believed.
    pub panic_threshold: u32,
    /// Numbers and services whose calls `ks_admit()` never refuses.
    pub emergency: Vec<String>,
    /// Least seconds of `$ks_retry_after`; at most it is three times that.
    pub retry_after_s: u32,
    /// Whether calls and sticky keys are shared with other nodes.
    pub share: bool,
    /// A node that is silent for so long is forgotten.
    pub share_timeout_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shm_dir: PathBuf::from("/run/kamscale"),
            instance: "default".to_owned(),
            features: Vec::new(),
            pools_file: None,
            failover: true,
            mark_down_s: 30,
            panic_threshold: 50,
            mark_down_failures: 1,
            mark_down_window_s: 30,
            probing: None,
            emergency: Vec::new(),
            retry_after_s: 10,
            share: false,
            share_timeout_s: 10,
        }
    }
}

/// What all processes share.
#[derive(Debug)]
pub struct Server {
    /// The file that this Kamailio writes.
    pub observed: Observed,
    /// What modparam() set.
    pub settings: Settings,
    /// [`now`] at the start.
    started_s: u64,
    /// By these the agent names the features.
    feature_ids: Vec<u64>,
}

impl Server {
    /// Takes the instance and reads `pools_file`.
    ///
    /// # Errors
    /// What is wrong with the settings, in words for the log; nothing was changed then.
    pub fn start(settings: Settings) -> Result<(Self, Option<Table>), String> {
        Observed::check_features(&settings.features)
            .map_err(|e| format!("modparam \"feature\": {e}"))?;
        let table = match &settings.pools_file {
            Some(path) => Some(pools_file::load(path)?),
            None => None,
        };
        if let Some(names) = table.as_ref().and_then(pools_file::named) {
            kamailio::log::warning(format_args!(
                "pools_file: {names}: Kamailio looks this up when it sends, and a request may wait for \
                 it; write addresses, or let kamscale-agent look names up"
            ));
        }
        std::fs::create_dir_all(&settings.shm_dir).map_err(|e| {
            let dir = settings.shm_dir.display();
            format!("modparam \"shm_dir\": making {dir}: {e} (make it, owned by Kamailio's user)")
        })?;
        let mut observed =
            Observed::create(&settings.shm_dir, &settings.instance, &settings.features)
                .map_err(|e| e.to_string())?;
        if settings.probing.is_some() {
            observed.begin_probing();
        }
        if settings.share {
            observed.begin_sharing();
        }
        // Also where the clock of the processes begins that are forked later.
        let started_s = now();
        let features = settings.features.iter();
        let feature_ids = features.map(|name| xxh3(name.as_bytes())).collect();
        Ok((
            Self {
                feature_ids,
                observed,
                settings,
                started_s,
            },
            table,
        ))
    }

    /// Seconds since the start.
    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        now().saturating_sub(self.started_s)
    }

    /// The identity of a feature; 0 for a number that none has.
    #[must_use]
    #[inline]
    pub fn feature_id(&self, number: usize) -> u64 {
        self.feature_ids.get(number).copied().unwrap_or(0)
    }

    /// The number of a declared feature.
    #[must_use]
    pub fn feature(&self, name: &[u8]) -> Option<usize> {
        self.settings
            .features
            .iter()
            .position(|f| f.as_bytes() == name)
    }
}

/// Kamailio's seconds begin anew after so many (sixteenths in 32 bits), and start anywhere.
const ROUND_S: u64 = 1 << 28;
/// What [`now`] last was in this process.
static LAST_S: Local<u64> = Local::new(|| 0);

/// Kamailio's clock in seconds, on which members are marked as down. It does not begin at 0, and goes on
/// where Kamailio's own begins anew.
#[must_use]
pub fn now() -> u64 {
    LAST_S.with(|last_s| {
        let gone_s = u64::from(kamailio::process::ticks()).wrapping_sub(*last_s) % ROUND_S;
        *last_s += gone_s;
        *last_s
    })
}
