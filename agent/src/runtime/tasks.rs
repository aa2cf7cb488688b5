//! Tasks: work of actuators that takes time, beside the loop. One task per member at a time.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::actuator::{Actuator, Handle, Order};

/// A stop that failed is tried again after so long.
const STOP_RETRY_S: f64 = 10.0;

/// What came of a task.
#[derive(Debug)]
pub(super) enum Result {
    /// The member exists; it is not ready yet.
    Created(Handle),
    /// It answers.
    Ready,
    /// It could not be created or did not get ready; what there was of it is gone.
    Failed(String),
    /// It was stopped.
    Stopped,
    /// It could not be stopped.
    StopFailed(String),
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
    /// Until when nothing is started for a member; infinity while a task runs.
    busy_until_s: HashMap<(String, String), f64>,
}

impl Default for Tasks {
    fn default() -> Self {
        // Bounded by the number of members: each has one task, and a task sends at most twice.
        let (sender, receiver) = mpsc::unbounded_channel();
        Tasks {
            sender,
            receiver,
            busy_until_s: HashMap::new(),
        }
    }
}

impl Tasks {
    /// The next outcome.
    pub(super) async fn next(&mut self) -> Option<Outcome> {
        let outcome = self.receiver.recv().await?;
        let key = (outcome.pool.clone(), outcome.member.clone());
        match outcome.result {
            Result::Created(_) => {}
            Result::StopFailed(_) => {
                self.busy_until_s
                    .insert(key, crate::journal::now_s() + STOP_RETRY_S);
            }
            Result::Ready | Result::Failed(_) | Result::Stopped => {
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
        tokio::spawn(async move {
            let handle = match existing {
                Some(handle) => handle,
                None => match actuator.create(&order).await {
                    Ok(handle) => handle,
                    Err(error) => return reporter.send(Result::Failed(error.to_string())),
                },
            };
            reporter.send(Result::Created(handle.clone()));
            match actuator.ready(&order, &handle).await {
                Ok(()) => reporter.send(Result::Ready),
                Err(error) => {
                    let mut why = error.to_string();
                    if let Err(error) = actuator.delete(&order, &handle).await {
                        why = format!("{why}; then {error}");
                    }
                    reporter.send(Result::Failed(why));
                }
            }
        });
    }

    /// Stops a member.
    pub(super) fn stop(&mut self, actuator: Arc<dyn Actuator>, order: Order, handle: Handle) {
        let reporter = self.begin(&order);
        tokio::spawn(async move {
            reporter.send(match actuator.delete(&order, &handle).await {
                Ok(()) => Result::Stopped,
                Err(error) => Result::StopFailed(error.to_string()),
            });
        });
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
