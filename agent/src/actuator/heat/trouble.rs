//! What went wrong with Heat, in words: the pool, the stack, the member, and what to do.

use super::view::Unfit;
use crate::actuator::ActuatorError;
use crate::cloud::CloudError;

/// Where it went wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble<'a> {
    pub(super) pool: &'a str,
    pub(super) stack: &'a str,
}

/// It certainly did not work.
pub(super) fn failed(words: impl Into<String>) -> ActuatorError {
    ActuatorError::Failed(words.into())
}

impl Trouble<'_> {
    fn of(self, error: CloudError, what: &str) -> ActuatorError {
        let words = format!("{what}: {error}");
        match error {
            error if error.is_quota() => ActuatorError::Quota(words),
            CloudError::Unknown { .. } => ActuatorError::Unknown(words),
            _ => failed(words),
        }
    }

    /// A look failed.
    pub(super) fn look(self, error: CloudError) -> ActuatorError {
        self.of(
            error,
            &format!("pool {}: cannot look at stack {}", self.pool, self.stack),
        )
    }

    /// A change of the stack failed.
    pub(super) fn change(self, error: CloudError) -> ActuatorError {
        self.of(
            error,
            &format!("pool {}: cannot change stack {}", self.pool, self.stack),
        )
    }

    /// Something about a member failed.
    pub(super) fn member(self, member: &str, error: CloudError) -> ActuatorError {
        let Trouble { pool, stack } = self;
        self.of(
            error,
            &format!("pool {pool}: member {member} of stack {stack}"),
        )
    }

    /// There is no such stack.
    pub(super) fn no_stack(self) -> ActuatorError {
        let Trouble { pool, stack } = self;
        failed(format!(
            "pool {pool}: stack {stack} does not exist in this project: create it from \
             heat/pool-resource-group.yaml or heat/pool-autoscaling-group.yaml, or correct `stack` in \
             [pools.{pool}.heat]"
        ))
    }

    /// Somebody deletes it.
    pub(super) fn is_deleted(self) -> ActuatorError {
        let Trouble { pool, stack } = self;
        failed(format!(
            "pool {pool}: stack {stack} is being deleted: create it again, or take [pools.{pool}.heat] \
             out of the configuration"
        ))
    }

    /// The template lacks a parameter.
    pub(super) fn no_parameter(self, name: &str) -> ActuatorError {
        let Trouble { pool, stack } = self;
        failed(format!(
            "pool {pool}: the template of stack {stack} has no parameter {name}: add it, or name the \
             one it has as `size_parameter` or `removal_parameter` in [pools.{pool}.heat]"
        ))
    }

    /// The stack has no such group.
    pub(super) fn unfit(self, group: &str, kind: &str, unfit: &Unfit) -> ActuatorError {
        let Trouble { pool, stack } = self;
        failed(match unfit {
            Unfit::Missing => format!(
                "pool {pool}: stack {stack} has no resource {group}: correct `group` in \
                 [pools.{pool}.heat]"
            ),
            Unfit::OtherType(other) => format!(
                "pool {pool}: resource {group} of stack {stack} is of type {other} and not {kind}: \
                 correct `actuator` or `group` in [pools.{pool}.heat]"
            ),
        })
    }

    /// A member could not be made.
    pub(super) fn stillborn(self, member: &str, reason: &str) -> ActuatorError {
        let Trouble { pool, stack } = self;
        let words = format!("pool {pool}: Heat could not make {member} of stack {stack}: {reason}");
        if is_quota(reason) {
            ActuatorError::Quota(words)
        } else {
            failed(words)
        }
    }
}

/// Whether a reason of Heat's says that nothing more is to be had: a quota of Nova or Neutron, a
/// limit of Heat, or no host with room.
pub(super) fn is_quota(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    let signs = [
        "quota",
        "no valid host",
        "requestlimitexceeded",
        "no more ip addresses",
        "ipaddressgenerationfailure",
    ];
    signs.iter().any(|sign| reason.contains(sign))
        || reason.contains("maximum") && reason.contains("reached")
}
