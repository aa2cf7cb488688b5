//! daemon
fn main(){}
