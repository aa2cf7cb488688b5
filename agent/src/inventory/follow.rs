//! Follow: the task that keeps the inventory's file as the instances say, and tells who asks.
//!
//! It waits for nobody and ends with whoever started it. What cannot be read or written is told, and
//! tried again; meanwhile everything stays as it is.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::stored::Stored;
use super::{FileError, Inventory, Pools, file};
use crate::lease::Tables;

/// Between two looks; what changed is in the file so soon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is known of all pools.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// As the file has it, or will have it.
    pub inventory: Arc<Inventory>,
    /// How often the file was replaced.
    pub written: u64,
    /// Why the instances cannot be read, or the file not be written, if so.
    pub problem: Option<String>,
}

/// The starter's end of it.
#[derive(Debug)]
pub struct Keeper {
    known: watch::Receiver<Known>,
    own: Option<watch::Sender<Option<Pools>>>,
}

impl Keeper {
    /// Follows what instances store in etcd; without names all that store something there.
    pub fn follow(tables: Tables, instances: Vec<String>, file: PathBuf) -> Keeper {
        let source = Source::Stored(Stored::new(tables, instances));
        Keeper::start(source, None, file)
    }

    /// Lists the pools of an agent that stores nothing anywhere: it tells them itself.
    pub fn list(instance: &str, file: PathBuf) -> Keeper {
        let (own, told) = watch::channel(None);
        let instance = instance.to_owned();
        Keeper::start(Source::Own { instance, told }, Some(own), file)
    }

    fn start(source: Source, own: Option<watch::Sender<Option<Pools>>>, file: PathBuf) -> Keeper {
        let (sender, known) = watch::channel(Known::default());
        let work = Work {
            source,
            file,
            inventory: Inventory::default(),
            is_loaded: false,
            written: None,
            known: sender,
        };
        tokio::spawn(work.run());
        Keeper { known, own }
    }

    /// What is known now.
    pub fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// For another task that must know, too.
    pub fn subscribe(&self) -> watch::Receiver<Known> {
        self.known.clone()
    }

    /// Waits until more is known.
    pub async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the own pools must be told.
    pub fn wants_own(&self) -> bool {
        self.own.is_some()
    }

    /// Tells all own pools as they are now.
    pub fn tell(&self, pools: Pools) {
        if let Some(own) = &self.own {
            own.send_replace(Some(pools));
        }
    }
}

/// Who speaks of pools.
#[derive(Debug)]
enum Source {
    Stored(Stored),
    Own {
        instance: String,
        told: watch::Receiver<Option<Pools>>,
    },
}

/// Which file was written: whoever replaces or removes it does not get away with it.
type Stamp = (u64, u64, i64, i64);

#[derive(Debug)]
struct Work {
    source: Source,
    file: PathBuf,
    inventory: Inventory,
    /// Whether what the file said at first was taken in: before, nothing may be written over it.
    is_loaded: bool,
    /// What was written last.
    written: Option<(Inventory, Stamp)>,
    known: watch::Sender<Known>,
}

impl Work {
    async fn run(mut self) {
        let mut pause = LOOK_EVERY;
        // Ends with who asks.
        while !self.known.is_closed() {
            let problem = self.look().await.err();
            pause = match problem {
                Some(_) => (2 * pause).min(LONGEST_PAUSE),
                None => LOOK_EVERY,
            };
            self.known.send_if_modified(|known| {
                let news = known.problem != problem;
                known.problem = problem;
                news
            });
            tokio::select! {
                () = sleep(pause) => {}
                () = self.source.changed() => {}
                () = self.known.closed() => {}
            }
        }
    }

    /// Reads what the instances say and brings the file in line, one also if the other fails.
    async fn look(&mut self) -> Result<(), String> {
        self.load().map_err(|error| error.to_string())?;
        let heard = self.source.take(&mut self.inventory).await;
        let written = self.keep_file();
        heard.and(written.map_err(|error| error.to_string()))
    }

    /// Takes in what the last one who wrote the file knew: instances that are not heard now.
    fn load(&mut self) -> Result<(), FileError> {
        if self.is_loaded {
            return Ok(());
        }
        match file::read(&self.file) {
            Ok(Some(inventory)) => {
                // As good as written here: it stays as it is until somebody speaks.
                let stamp = stamp_of(&self.file);
                self.written = stamp.map(|stamp| (inventory.clone(), stamp));
                self.inventory = inventory;
            }
            Ok(None) => {}
            // There is nothing in it to lose.
            Err(error @ FileError::Foreign { .. }) => tracing::error!("{error}"),
            Err(error) => return Err(error),
        }
        self.is_loaded = true;
        self.tell(false);
        Ok(())
    }

    /// Rarely more than one small file is written, and nothing else of this agent waits for it.
    fn keep_file(&mut self) -> Result<(), FileError> {
        let same = |(inventory, stamp): &(Inventory, Stamp)| {
            *inventory == self.inventory && stamp_of(&self.file) == Some(*stamp)
        };
        if self.inventory == Inventory::default() || self.written.as_ref().is_some_and(same) {
            return Ok(());
        }
        let replaced = file::replace(&self.file, &self.inventory);
        // Nodes are found by what is known, also while the disk is full.
        self.tell(*replaced.as_ref().unwrap_or(&false));
        replaced?;
        let stamp = stamp_of(&self.file);
        self.written = stamp.map(|stamp| (self.inventory.clone(), stamp));
        Ok(())
    }

    fn tell(&self, replaced: bool) {
        self.known.send_if_modified(|known| {
            let news = replaced || *known.inventory != self.inventory;
            if *known.inventory != self.inventory {
                known.inventory = Arc::new(self.inventory.clone());
            }
            known.written += u64::from(replaced);
            news
        });
    }
}

impl Source {
    async fn take(&mut self, inventory: &mut Inventory) -> Result<(), String> {
        match self {
            Source::Stored(stored) => {
                let taken = stored.take(inventory).await;
                taken.map_err(|error| error.to_string())
            }
            Source::Own { instance, told } => {
                if let Some(pools) = told.borrow_and_update().clone() {
                    inventory.hear(instance, pools);
                }
                Ok(())
            }
        }
    }

    /// Waits for news that need not be asked for.
    async fn changed(&mut self) {
        if let Source::Own { told, .. } = self
            && told.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

fn stamp_of(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
