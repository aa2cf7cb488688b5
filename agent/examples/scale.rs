//! Prints the growth curve of many pools.

use kamscale_agent::simulate::{POOLS, scale};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for pools in POOLS {
        println!("{:?}", scale(pools, 1)?);
    }
    Ok(())
}
