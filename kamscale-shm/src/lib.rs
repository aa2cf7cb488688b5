//! The contract between module and agent: shared memory layout, publication, counters
