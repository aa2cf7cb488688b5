//! Tasks: work of actuators that takes time, beside the loop. One task per member at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::actuator::{Actuator, ActuatorError, Handle, Order};

/// A stop that failed is tried again after so long.
const STOP_RETRY_S: f64 = 10.0;
/// Between two questions about a creation whose outcome is not known.
const CONFIRM_EVERY: Duration = Duration::from_secs(5);

/// What came of a task.
#[derive(Debug)]
pub(super) enum Result {
    /// The member exists; it is not ready yet.
    Created(Handle),
    /// It answers; all that is known of it now.
    Ready(Handle),
    /// Nobody knows whether it exists; it is being looked for.
    Unconfirmed(String),
    /// It could not be created or did not get ready; what there was of it is gone.
    Failed {
        /// In words.
        why: String,
        /// Whether nothing more is to be had.
        quota: bool,
    },
    /// It was stopped.
    Stopped,
    /// It could not be stopped.
    StopFailed(String),
    /// The pool was looked at; why not, if that failed. It is about no member in particular.
    Looked(Option<String>),
}

/// What came of a task, and for which member.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) pool: String,
    pub(super) member: String,
    pub(super) result: Result,
}

/// Tasks that run, and pauses before the next try.
#[derive(Debug)]
pub(super) struct Tasks {
    sender: mpsc::UnboundedSender<Outcome>,
    receiver: mpsc::UnboundedReceiver<Outcome>,
    running: JoinSet<()>,
    /// Until when nothing is started for a member; infinity while a task runs.
    busy_until_s: HashMap<(String, String), f64>,
}

impl Default for Tasks {
    fn default() -> Self {
        // Bounded by the number of members: each has one task, and a task sends at most three times.
        let (sender, receiver) = mpsc::unbounded_channel();
        Tasks {
            sender,
            receiver,
            running: JoinSet::new(),
            busy_until_s: HashMap::new(),
        }
    }
}

impl Tasks {
    /// The next outcome.
    pub(super) async fn next(&mut self) -> Option<Outcome> {
        let outcome = self.receiver.recv().await?;
        // Forgets those that ended.
        while self.running.try_join_next().is_some() {}
        let key = (outcome.pool.clone(), outcome.member.clone());
        match outcome.result {
            Result::Created(_) | Result::Unconfirmed(_) => {}
            Result::StopFailed(_) => {
                self.busy_until_s
                    .insert(key, crate::journal::now_s() + STOP_RETRY_S);
            }
            Result::Ready(_) | Result::Failed { .. } | Result::Stopped | Result::Looked(_) => {
                self.busy_until_s.remove(&key);
            }
        }
        Some(outcome)
    }

    /// Whether a task may be started for a member.
    pub(super) fn idle(&self, pool: &str, member: &str, now_s: f64) -> bool {
        let key = (pool.to_owned(), member.to_owned());
        self.busy_until_s
            .get(&key)
            .is_none_or(|until_s| now_s >= *until_s)
    }

    fn begin(&mut self, order: &Order) -> Reporter {
        let key = (order.pool.clone(), order.name.clone());
        self.busy_until_s.insert(key, f64::INFINITY);
        Reporter {
            sender: self.sender.clone(),
            pool: order.pool.clone(),
            member: order.name.clone(),
        }
    }

    /// Creates a member (if it is not there yet) and waits until it is ready.
    pub(super) fn boot(
        &mut self,
        actuator: Arc<dyn Actuator>,
        order: Order,
        existing: Option<Handle>,
    ) {
        let reporter = self.begin(&order);
        self.running.spawn(async move {
            let handle = match existing.filter(Handle::is_made) {
                Some(handle) => handle,
                None => match create(actuator.as_ref(), &order, &reporter).await {
                    Ok(handle) => handle,
                    Err(error) => {
                        let quota = matches!(error, ActuatorError::Quota(_));
                        let why = error.to_string();
                        return reporter.send(Result::Failed { why, quota });
                    }
                },
            };
            reporter.send(Result::Created(handle.clone()));
            match actuator.ready(&order, &handle).await {
                Ok(handle) => reporter.send(Result::Ready(handle)),
                Err(error) => {
                    let quota = matches!(error, ActuatorError::Quota(_));
                    let mut why = error.to_string();
                    if let Err(error) = actuator.delete(&order, &handle).await {
                        why = format!("{why}; then {error}");
                    }
                    reporter.send(Result::Failed { why, quota });
                }
            }
        });
    }

    /// Whether a member of the pool is being made or removed.
    pub(super) fn work_on(&self, pool: &str) -> bool {
        let mut busy = self.busy_until_s.iter();
        busy.any(|((of, member), until_s)| {
            of == pool && !member.is_empty() && *until_s == f64::INFINITY
        })
    }

    /// Starts nothing for a member before this moment.
    pub(super) fn rest(&mut self, pool: &str, member: &str, until_s: f64) {
        let key = (pool.to_owned(), member.to_owned());
        self.busy_until_s.insert(key, until_s);
    }

    /// Ends all tasks; what they had begun is found again by looking.
    pub(super) fn abort(&mut self) {
        self.running.abort_all();
        self.busy_until_s.clear();
    }

    /// Looks at what is there of a pool.
    pub(super) fn look(&mut self, actuator: Arc<dyn Actuator>, pool: &str) {
        let reporter = self.begin(&Order {
            pool: pool.into(),
            name: String::new(),
            address: None,
            unit: None,
        });
        self.running.spawn(async move {
            let looked = actuator.look().await;
            reporter.send(Result::Looked(looked.err().map(|error| error.to_string())));
        });
    }

    /// Stops a member.
    pub(super) fn stop(&mut self, actuator: Arc<dyn Actuator>, order: Order, handle: Handle) {
        let reporter = self.begin(&order);
        self.running.spawn(async move {
            reporter.send(match actuator.delete(&order, &handle).await {
                Ok(()) => Result::Stopped,
                Err(error) => Result::StopFailed(error.to_string()),
            });
        });
    }
}

/// Creates a member. If nobody knows whether that worked, asks until the truth is known: a second
/// creation could be one too many.
async fn create(
    actuator: &dyn Actuator,
    order: &Order,
    reporter: &Reporter,
) -> std::result::Result<Handle, ActuatorError> {
    let error = match actuator.create(order).await {
        Err(error @ ActuatorError::Unknown(_)) => error,
        known => return known,
    };
    reporter.send(Result::Unconfirmed(error.to_string()));
    loop {
        // Not at once: what was asked for may still be on its way.
        tokio::time::sleep(CONFIRM_EVERY).await;
        match actuator.confirm(order).await {
            Ok(Some(handle)) => return Ok(handle),
            Ok(None) => return Err(error),
            Err(error) => tracing::warn!("{}/{}: {error}", order.pool, order.name),
        }
    }
}

struct Reporter {
    sender: mpsc::UnboundedSender<Outcome>,
    pool: String,
    member: String,
}

impl Reporter {
    fn send(&self, result: Result) {
        let (pool, member) = (self.pool.clone(), self.member.clone());
        // The loop may have ended; then the next agent finds out by itself.
        let _ = self.sender.send(Outcome {
            pool,
            member,
            result,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    /// Never says whether it created; `confirm` answers these in turn.
    #[derive(Debug)]
    struct Lossy(Mutex<Vec<std::result::Result<Option<Handle>, ActuatorError>>>);

    #[async_trait]
    impl Actuator for Lossy {
        fn addresses(&self) -> &[IpAddr] {
            &[]
        }
        fn uri(&self, _order: &Order) -> Option<String> {
            None
        }
        fn plan(&self, _order: &Order) -> Option<Handle> {
            None
        }
        async fn create(&self, _order: &Order) -> std::result::Result<Handle, ActuatorError> {
            Err(ActuatorError::Unknown("timed out".into()))
        }
        async fn ready(
            &self,
            _: &Order,
            handle: &Handle,
        ) -> std::result::Result<Handle, ActuatorError> {
            Ok(handle.clone())
        }
        async fn delete(&self, _: &Order, _: &Handle) -> std::result::Result<(), ActuatorError> {
            Ok(())
        }
        fn alive(&self, _handle: &Handle) -> bool {
            true
        }
        fn find(&self, _order: &Order) -> Option<Handle> {
            None
        }
        async fn confirm(
            &self,
            _order: &Order,
        ) -> std::result::Result<Option<Handle>, ActuatorError> {
            self.0.lock().unwrap().remove(0)
        }
    }

    async fn results(
        truth: Vec<std::result::Result<Option<Handle>, ActuatorError>>,
        count: usize,
    ) -> Vec<Result> {
        let order = Order {
            pool: "ccp".into(),
            name: "ccp-1".into(),
            address: None,
            unit: None,
        };
        let mut tasks = Tasks::default();
        tasks.boot(Arc::new(Lossy(Mutex::new(truth))), order, None);
        let mut results = Vec::new();
        for _ in 0..count {
            results.push(tasks.next().await.unwrap().result);
            assert_eq!(
                tasks.idle("ccp", "ccp-1", f64::MAX),
                matches!(
                    results.last(),
                    Some(Result::Ready(_) | Result::Failed { .. })
                )
            );
        }
        results
    }

    #[tokio::test(start_paused = true)]
    async fn a_creation_that_nobody_confirmed_is_looked_for_and_never_made_twice() {
        let still = Err(ActuatorError::Unknown("timed out again".into()));
        let found = results(vec![still, Ok(Some(Handle::Manual))], 3).await;
        assert!(
            matches!(
                &found[..],
                [
                    Result::Unconfirmed(_),
                    Result::Created(Handle::Manual),
                    Result::Ready(_)
                ]
            ),
            "{found:?}"
        );
        let absent = results(vec![Ok(None)], 2).await;
        assert!(
            matches!(
                &absent[..],
                [Result::Unconfirmed(_), Result::Failed { quota: false, .. }]
            ),
            "{absent:?}"
        );
    }
}
