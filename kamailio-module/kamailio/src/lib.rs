//! A safe layer for writing Kamailio modules in Rust
