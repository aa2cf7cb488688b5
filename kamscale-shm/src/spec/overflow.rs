//! The rule for pools that pass on what they cannot take: the next pool is there, and no chain of them is
//! long or comes back to where it began.

use std::collections::HashMap;

use super::{PoolSpec, SpecError};
use crate::limits::MAX_OVERFLOWS;
use crate::options::OptionFault;

/// # Errors
/// The first pool whose chain is impossible.
pub(super) fn check(pools: &[PoolSpec]) -> Result<(), SpecError> {
    let with_overflow = || pools.iter().filter(|p| !p.options.overflow.is_empty());
    if with_overflow().next().is_none() {
        return Ok(());
    }
    let overflows = pools.iter().map(|p| (&*p.name, &*p.options.overflow));
    let overflows: HashMap<&str, &str> = overflows.collect();
    for pool in with_overflow() {
        let mut at = pool.name.as_str();
        for step in 0.. {
            at = match overflows.get(at) {
                None => return Err(fault(pool, format!("there is no pool {at:?}"))),
                Some(&"") => break,
                Some(_) if step == MAX_OVERFLOWS => {
                    let why = format!(
                        "leads back to where it began, or through more than {MAX_OVERFLOWS} pools"
                    );
                    return Err(fault(pool, why));
                }
                Some(next) => next,
            };
        }
    }
    Ok(())
}

fn fault(pool: &PoolSpec, why: String) -> SpecError {
    let of = format!("pool {}", pool.name);
    let key = "overflow";
    SpecError::Option {
        of,
        fault: OptionFault { key, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::PoolOptions;

    fn pools(chain: &[(&str, &str)]) -> Vec<PoolSpec> {
        let pool = |(name, overflow): &(&str, &str)| PoolSpec {
            name: (*name).to_owned(),
            hash_bits: 10,
            members: Vec::new(),
            options: PoolOptions {
                overflow: (*overflow).to_owned(),
                ..PoolOptions::default()
            },
        };
        chain.iter().map(pool).collect()
    }

    #[test]
    fn a_chain_ends_at_a_pool_that_is_there() {
        assert_eq!(check(&pools(&[("a", "b"), ("b", "c"), ("c", "")])), Ok(()));
        let missing = check(&pools(&[("a", "b"), ("b", "x")])).unwrap_err();
        assert!(missing.to_string().contains("no pool \"x\""), "{missing}");
        for bad in [&[("a", "a")][..], &[("a", "b"), ("b", "a")]] {
            let error = check(&pools(bad)).unwrap_err().to_string();
            assert!(error.contains("leads back"), "{error}");
        }
        let names: Vec<String> = (0..=MAX_OVERFLOWS + 1).map(|i| format!("p{i}")).collect();
        let next = names.iter().skip(1).map(String::as_str).chain([""]);
        let chain: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(next).collect();
        assert!(check(&pools(&chain)).is_err(), "too long");
        assert_eq!(check(&pools(&chain[1..])), Ok(()));
    }
}
