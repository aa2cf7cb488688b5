//! Names: of the stack that an order makes, and of the members that a stack holds.

use super::UnitOf;
use crate::actuator::Order;

/// How stacks and members of one pool are named.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
    pool: String,
    /// Machines of the pool in one stack.
    machines: u32,
    in_units: bool,
}

impl Names {
    pub(super) fn new(stack: &str, pool: &str, unit: Option<&UnitOf>) -> Names {
        Names {
            prefix: format!("{stack}-"),
            pool: pool.into(),
            machines: unit.map_or(1, |unit| unit.get(pool).copied().unwrap_or(0)),
            in_units: unit.is_some(),
        }
    }

    pub(super) fn pool(&self) -> &str {
        &self.pool
    }

    /// The stack of an order: `PREFIX-UNIT`, or `PREFIX-NAME` of what stands alone.
    pub(super) fn stack(&self, order: &Order) -> String {
        let own = order.unit.as_ref().filter(|_| self.in_units);
        format!("{}{}", self.prefix, own.unwrap_or(&order.name))
    }

    /// The number in the name of a stack; `None` if it is none of this pool.
    pub(super) fn number(&self, stack: &str) -> Option<u64> {
        let (subject, number) = stack.strip_prefix(&self.prefix)?.rsplit_once('-')?;
        let is_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let fits = self.in_units || subject == self.pool;
        (is_digits && fits).then(|| number.parse().ok()).flatten()
    }

    /// The members of this pool that a stack holds: `ccp-7`, or `ccp-7-1` and `ccp-7-2`.
    pub(super) fn members(&self, stack: &str) -> Vec<String> {
        let Some(number) = self.number(stack) else {
            return Vec::new();
        };
        let pool = &self.pool;
        match self.machines {
            1 => vec![format!("{pool}-{number}")],
            machines => (1..=machines)
                .map(|machine| format!("{pool}-{number}-{machine}"))
                .collect(),
        }
    }

    /// Which machine of its stack and pool a member is, from zero.
    pub(super) fn index(&self, member: &str) -> usize {
        if self.machines <= 1 {
            return 0;
        }
        let machine = member.rsplit('-').next();
        let machine = machine.and_then(|machine| machine.parse::<usize>().ok());
        machine.map_or(0, |machine| machine.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_alone_is_its_stack() {
        let names = Names::new("prod", "ccp", None);
        let order = Order {
            pool: "ccp".into(),
            name: "ccp-7".into(),
            address: None,
            unit: Some("platform-7".into()),
        };
        assert_eq!(names.stack(&order), "prod-ccp-7");
        assert_eq!(names.members("prod-ccp-7"), ["ccp-7"]);
        assert_eq!(names.number("prod-queue-7"), None);
        assert_eq!(names.number("prod-ccp-x"), None);
    }

    #[test]
    fn machines_of_a_unit_share_its_stack() {
        let unit = UnitOf::from([("ccp".into(), 2), ("queue".into(), 1)]);
        let names = Names::new("prod", "ccp", Some(&unit));
        assert_eq!(names.members("prod-platform-7"), ["ccp-7-1", "ccp-7-2"]);
        assert_eq!((names.index("ccp-7-1"), names.index("ccp-7-2")), (0, 1));
    }
}
