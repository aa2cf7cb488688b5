//! What belongs to one process: its copy of the table, the names it knows, and its cursors.

use std::sync::atomic::Ordering;

use kamailio::log::{self, Level, RateLimit};
use kamailio::process::{self, Local};
use kamscale_shm::bucket::Allowance;
use kamscale_shm::history::Publication;
use kamscale_shm::layout::ProcessRow;
use kamscale_shm::observed::add;
use kamscale_shm::snapshot::RANK_OFFSET;
use kamscale_shm::{DesiredReader, Pool, Refresh, Table, clock};

use crate::pool_list::{self, PoolList};
use crate::selection::Cursors;
use crate::server::Server;

/// No pool of that name in the table in use.
const ABSENT: u32 = u32::MAX;

/// Numbers from here on are of lists: there are fewer texts in a script.
const LISTS_AT: usize = 1 << 32;

/// A pool, or several, as a function was given it.
#[derive(Clone, Copy, Debug)]
pub enum PoolName<'a> {
    /// A constant of the script, by its number ([`Worker::learn_pool`], [`Worker::learn_list`]).
    Known(usize),
    /// Evaluated for this request.
    Text(&'a [u8]),
}

/// The state of one process.
#[derive(Debug)]
pub struct Worker {
    reader: DesiredReader,
    cursors: Cursors,
    /// Pools that the script names, and where they are in the table in use.
    known: Vec<(String, u32)>,
    /// Lists of pools in the script.
    lists: Vec<(String, PoolList)>,
    process: usize,
}

/// Not in the worker: a dialog that ends while the worker is in use may run a route.
static RUN: Local<Run> = Local::new(|| Run::Outside);

/// Where this process stands in a run of the script over one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// In none: each look at a pool is on its own (RPC, timers).
    Outside,
    /// In one that has not looked at a pool yet.
    Begun,
    /// In one that keeps the table it has seen to its end.
    Settled,
}

/// The script begins to run over a message.
pub fn begin_run() {
    RUN.with(|run| *run = Run::Begun);
}

/// The script has run.
pub fn end_run() {
    RUN.with(|run| *run = Run::Outside);
}

/// Whether this run of the script has its table; if not, it has it from now on.
#[inline(always)]
fn settle() -> bool {
    RUN.with(|run| {
        let settled = *run == Run::Settled;
        if *run == Run::Begun {
            *run = Run::Settled;
        }
        settled
    })
}

impl Worker {
    /// Before the fork: with the table of `pools_file`, and what an agent has published already.
    #[must_use]
    pub fn new(server: &Server, initial: Option<Table>) -> Self {
        let mut reader = DesiredReader::new(server.observed.desired_path().to_path_buf());
        if let Some(table) = initial {
            reader.start_with(table);
        }
        reader.reserve();
        let mut worker = Self {
            reader,
            cursors: Cursors::new(0),
            known: Vec::new(),
            lists: Vec::new(),
            process: 0,
        };
        worker.refresh(server);
        worker
    }

    /// After the fork: this process has its own row and its own cursors.
    pub fn enter(&mut self, server: &Server, rank: i32) {
        self.process = process::number();
        self.cursors = Cursors::new(u64::from(process::pid()) ^ clock::monotonic_ns());
        if let Some(row) = server.observed.process(self.process) {
            row.rank.store(
                u32::try_from(rank + RANK_OFFSET).unwrap_or(0),
                Ordering::Relaxed,
            );
            row.generation
                .store(self.reader.table().generation(), Ordering::Release);
            row.applied_ns
                .store(clock::monotonic_ns(), Ordering::Relaxed);
            row.pid.store(process::pid(), Ordering::Release);
        }
    }

    /// Notes a pool that the script names; the number stands for it in [`PoolName::Known`].
    pub fn learn_pool(&mut self, name: &str) -> usize {
        let number = self.known.iter().position(|(n, _)| n == name);
        number.unwrap_or_else(|| {
            self.known
                .push((name.to_owned(), place(self.reader.table(), name.as_bytes())));
            self.known.len() - 1
        })
    }

    /// Notes a list of pools; the number stands for it in [`PoolName::Known`].
    pub fn learn_list(&mut self, text: &str, list: PoolList) -> usize {
        self.lists.push((text.to_owned(), list));
        LISTS_AT + self.lists.len() - 1
    }

    /// The name of a known pool, or the text of a list.
    #[must_use]
    pub fn known_name(&self, number: usize) -> &str {
        let pool = self.known.get(number).map(|(name, _)| name);
        let list = || Some(&self.lists.get(number.checked_sub(LISTS_AT)?)?.0);
        pool.or_else(list).map_or("", String::as_str)
    }

    /// The list that was given in a pool's place; `None` if it is a pool's name.
    ///
    /// # Errors
    /// What is wrong with a computed list.
    #[must_use]
    pub fn list(&self, name: PoolName<'_>) -> Option<Result<PoolList, String>> {
        match name {
            PoolName::Known(number) => {
                let (_, list) = self.lists.get(number.checked_sub(LISTS_AT)?)?;
                Some(Ok(*list))
            }
            PoolName::Text(text) => pool_list::is_list(text).then(|| {
                let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
                PoolList::parse(text, |_| Ok(()))
            }),
        }
    }

    /// The table in use.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.reader.table()
    }

    /// See [`DesiredReader::agent`].
    #[must_use]
    pub fn agent(&self) -> Option<(u32, u64)> {
        self.reader.agent()
    }

    /// See [`DesiredReader::allowance`].
    #[must_use]
    #[inline]
    pub fn allowance(&self, feature: usize, id: u64, now_ns: u64) -> Option<Allowance> {
        self.reader.allowance(feature, id, now_ns)
    }

    /// A number from `least` to `most`, drawn anew each time.
    pub fn draw(&mut self, least: u32, most: u32) -> u32 {
        let count = usize::try_from(most.saturating_sub(least)).unwrap_or(0) + 1;
        least + u32::try_from(self.cursors.below(count)).unwrap_or(0)
    }

    /// See [`DesiredReader::publications`].
    #[must_use]
    pub fn publications(&self, count: usize) -> Vec<Publication> {
        self.reader.publications(count)
    }

    /// The row of this process.
    #[inline]
    pub fn row<'s>(&self, server: &'s Server) -> Option<&'s ProcessRow> {
        server.observed.process(self.process)
    }

    /// Uses what an agent has published since. Every function that looks at a pool begins with it,
    /// so no request is routed by an old table. Only the first one of a run of the script takes a
    /// new table: the others must not see another generation than it did.
    #[inline(always)]
    pub fn refresh(&mut self, server: &Server) {
        if !settle() {
            let _ = self.renew(server);
        }
    }

    /// The same in a run that has its table already, for what other processes did by a newer one.
    /// Whether there was one.
    #[inline(always)]
    pub fn renew(&mut self, server: &Server) -> bool {
        // Partner: the Release in `Observed::look_for_desired`, by the timer process.
        let epoch = server
            .observed
            .server()
            .desired_epoch
            .load(Ordering::Acquire);
        match self.reader.refresh(epoch) {
            Refresh::Unchanged => false,
            change => self.changed(server, change),
        }
    }

    #[cold]
    fn changed(&mut self, server: &Server, change: Refresh) -> bool {
        static LIMIT: RateLimit = RateLimit::new(10);
        let applied = matches!(change, Refresh::Applied(_));
        let row = self.row(server);
        match change {
            Refresh::Unchanged => {}
            Refresh::Torn => {
                if let Some(row) = row {
                    add(&row.torn, 1);
                }
            }
            Refresh::Rejected(why) => {
                if let Some(row) = row {
                    add(&row.rejected, 1);
                }
                let text = format_args!("the agent's table is refused: {why}; the old one stays");
                LIMIT.write(Level::Error, text);
            }
            Refresh::Applied(generation) => {
                self.cursors.places.forget();
                for (name, index) in &mut self.known {
                    *index = place(self.reader.table(), name.as_bytes());
                }
                if let Some(row) = row {
                    add(&row.applied, 1);
                    row.applied_ns
                        .store(clock::monotonic_ns(), Ordering::Relaxed);
                    // Partner: the Acquire load in the agent's snapshot: it is in use from here on.
                    row.generation.store(generation, Ordering::Release);
                }
                log::debug(format_args!("generation {generation} is in use"));
            }
        }
        applied
    }

    /// The pool of that name, and the cursors to select from it.
    #[inline]
    pub fn pool(&mut self, name: PoolName<'_>) -> Option<(Pool<'_>, &mut Cursors)> {
        let index = match name {
            PoolName::Known(number) => self.known.get(number)?.1 as usize,
            PoolName::Text(text) => self.reader.table().pool_index(text)?,
        };
        Some((self.reader.table().pool(index)?, &mut self.cursors))
    }

    /// The pool whose name has this hash.
    pub fn pool_by_hash(&mut self, hash: u64) -> Option<(Pool<'_>, &mut Cursors)> {
        let index = self.reader.table().pool_index_by_hash(hash)?;
        Some((self.reader.table().pool(index)?, &mut self.cursors))
    }
}

fn place(table: &Table, name: &[u8]) -> u32 {
    table
        .pool_index(name)
        .and_then(|i| u32::try_from(i).ok())
        .unwrap_or(ABSENT)
}
