//! The way of measures to Gnocchi: taken without waiting, sent once a second, filled back later.
//!
//! The control loop only pushes. One task sends; what fails stays in the backlog until it is sent
//! or pushed out, and either is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::backlog::Batch;
use super::names::{Kind, Place};
use super::prepare::{GnocchiError, check};
use super::publish;
use super::state::State;
use crate::cloud::{Cloud, CloudError};
use crate::nodes::{MemberCalls, NodeReport};

/// So long the cloud's own retries of a batch go on; then the next second's push tries again.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// So many resources are created at a time.
const AT_A_TIME: usize = 8;
/// A batch that names something unknown so often in a row is given up.
const MOST_UNKNOWN: u32 = 3;

/// Where reports go.
#[derive(Debug)]
pub struct Sink {
    state: Mutex<State>,
    wake: Notify,
}

/// How it goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SinkReport {
    /// Age of the oldest measure that is not yet in Gnocchi, in seconds; 0 if all are.
    pub lag_s: f64,
    /// Measures sent.
    pub sent: u64,
    /// Measures that were never sent: too old, too many, or refused.
    pub dropped: u64,
    /// Why nothing is sent, if so.
    pub problem: Option<String>,
}

/// What the task knows between two steps.
#[derive(Debug, Default)]
struct Progress {
    /// The project, once everything was checked.
    project: Option<String>,
    /// The node whose resources were listed.
    listed: Option<Place>,
    unknown: u32,
}

impl Sink {
    /// A sink for an instance. Without [`Sink::run`] it only keeps.
    pub fn new(instance: &str) -> Arc<Sink> {
        Arc::new(Sink {
            state: Mutex::new(State::new(instance)),
            wake: Notify::new(),
        })
    }

    /// Takes a report: at most one per second counts. Never waits for Gnocchi.
    pub fn push(&self, report: &NodeReport, members: &mut MemberCalls<'_>) {
        let mut state = self.lock();
        if state.push(report, members) {
            self.wake.notify_one();
        }
    }

    /// How it goes at that time, in seconds since 1970.
    pub fn report(&self, now_s: f64) -> SinkReport {
        let state = self.lock();
        let oldest_s = state.backlog.oldest_s().map(super::measures::float);
        SinkReport {
            lag_s: oldest_s.map_or(0.0, |oldest_s| (now_s - oldest_s).max(0.0)),
            sent: state.sent,
            dropped: state.backlog.dropped,
            problem: state.problem.clone(),
        }
    }

    /// Sends what is pushed, for ever.
    pub async fn run(self: Arc<Self>, cloud: Arc<dyn Cloud>) {
        let mut progress = Progress::default();
        loop {
            self.wake.notified().await;
            while self.step(&cloud, &mut progress).await {}
        }
    }

    /// One request's worth of work; answers whether more waits.
    async fn step(&self, cloud: &Arc<dyn Cloud>, progress: &mut Progress) -> bool {
        let result = self.try_step(cloud, progress).await;
        let mut state = self.lock();
        let (problem, more) = match result {
            Ok(()) => (None, state.backlog.oldest_s().is_some()),
            Err(error) => (Some(error.to_string()), false),
        };
        match (&state.problem, &problem) {
            (None, Some(error)) => tracing::warn!(error, "measures wait for Gnocchi"),
            (Some(_), None) => tracing::info!("measures reach Gnocchi again"),
            _ => {}
        }
        state.problem = problem;
        more
    }

    async fn try_step(
        &self,
        cloud: &Arc<dyn Cloud>,
        progress: &mut Progress,
    ) -> Result<(), GnocchiError> {
        self.begin(cloud.as_ref(), progress).await?;
        self.create(cloud).await?;
        self.forget(cloud.as_ref()).await?;
        let batch = {
            let state = self.lock();
            state.backlog.batch(&state.registry)
        };
        match batch {
            Some(batch) => self.send(cloud.as_ref(), batch, progress).await,
            None => Ok(()),
        }
    }

    /// What has to be known before the first measure of a node: its project, and what is there.
    async fn begin(&self, cloud: &dyn Cloud, progress: &mut Progress) -> Result<(), GnocchiError> {
        let project = match &progress.project {
            Some(project) => project.clone(),
            None => {
                let project = cloud.project_id().await?;
                check(cloud).await?;
                progress.project.insert(project).clone()
            }
        };
        let place = {
            let mut state = self.lock();
            let place = Place {
                project,
                ..state.registry.place().clone()
            };
            state.registry.set_place(place.clone());
            place
        };
        if progress.listed.as_ref() == Some(&place) {
            return Ok(());
        }
        for kind in Kind::ALL {
            let found = publish::list(cloud, &place, kind).await?;
            for found in found.iter().filter(|it| !it.lacks.is_empty()) {
                publish::add_metrics(cloud, found).await?;
            }
            let mut state = self.lock();
            let at_s = state.newest_s;
            for publish::Found { thing, id, .. } in found {
                let number = state.registry.see(kind, &thing.pool, &thing.name, at_s);
                if state.registry.get(number).is_some_and(|it| it.is(&id)) {
                    state.registry.found(number);
                }
            }
        }
        progress.listed = Some(place);
        Ok(())
    }

    /// Creates what Gnocchi lacks: pools, features and the node at once, members by and by.
    async fn create(&self, cloud: &Arc<dyn Cloud>) -> Result<(), GnocchiError> {
        let (place, mut missing) = {
            let state = self.lock();
            (state.registry.place().clone(), state.missing())
        };
        let mut running = JoinSet::new();
        let mut failed = None;
        while !missing.is_empty() || !running.is_empty() {
            while running.len() < AT_A_TIME && failed.is_none() {
                let Some((number, thing)) = missing.pop() else {
                    break;
                };
                let (cloud, place) = (cloud.clone(), place.clone());
                running.spawn(async move {
                    (
                        number,
                        publish::create(cloud.as_ref(), &place, &thing).await,
                    )
                });
            }
            let Some(done) = running.join_next().await else {
                break;
            };
            // A creation that panicked is tried again.
            let Ok((number, result)) = done else { continue };
            if let Err(error) = self.lock().created(number, result) {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn forget(&self, cloud: &dyn Cloud) -> Result<(), GnocchiError> {
        let forgotten = self.lock().forgotten();
        for (number, kind, id) in forgotten {
            publish::delete(cloud, kind, &id).await?;
            self.lock().registry.remove(number);
        }
        Ok(())
    }

    async fn send(
        &self,
        cloud: &dyn Cloud,
        batch: Batch,
        progress: &mut Progress,
    ) -> Result<(), GnocchiError> {
        if batch.measures > 0
            && let Err(error) = publish::send(cloud, batch.body).await
        {
            let CloudError::Refused {
                status: status @ (400 | 413),
                ref message,
                ..
            } = error
            else {
                return Err(error.into());
            };
            progress.unknown += 1;
            if status == 400 && message.contains("Unknown") && progress.unknown < MOST_UNKNOWN {
                // Somebody deleted resources or metrics: the next step looks and makes them again.
                progress.listed = None;
                self.lock().registry.doubt();
            } else {
                self.lock().backlog.give_up(batch.until_s);
            }
            return Err(error.into());
        }
        progress.unknown = 0;
        let mut state = self.lock();
        state.sent += batch.measures;
        state.backlog.sent(batch.until_s);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
