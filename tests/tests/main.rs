//! End-to-end tests: real Kamailio, real calls; one file per behaviour, one binary for all.

#![forbid(unsafe_code)]

#[cfg(test)]
mod admission;
#[cfg(test)]
mod agent_dies;
#[cfg(test)]
mod algorithms;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod calls_are_counted;
#[cfg(test)]
mod ccp;
#[cfg(test)]
mod churn;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod damaged_files;
#[cfg(test)]
mod damaged_tables;
#[cfg(test)]
mod elastic;
#[cfg(test)]
mod events;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod failover_after_timeouts;
#[cfg(test)]
mod forking;
#[cfg(test)]
mod health;
#[cfg(test)]
mod jsonrpc;
#[cfg(test)]
mod kamailio_dies;
#[cfg(test)]
mod kemi;
#[cfg(test)]
mod kemi_cases;
#[cfg(test)]
mod kemi_scripts;
#[cfg(test)]
mod large_answers;
#[cfg(test)]
mod latency;
#[cfg(test)]
mod lb;
#[cfg(test)]
mod load;
#[cfg(test)]
mod member_options;
#[cfg(test)]
mod migration_doc;
#[cfg(test)]
mod minimal;
#[cfg(test)]
mod module_doc;
#[cfg(test)]
mod names;
#[cfg(test)]
mod no_agent;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod odd_sip;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod overflow;
#[cfg(test)]
mod pool_change_is_used;
#[cfg(test)]
mod probing_of_pools;
#[cfg(test)]
mod publications;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restored_dialogs;
#[cfg(test)]
mod retransmissions;
#[cfg(test)]
mod retried_calls;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod scaling;
#[cfg(test)]
mod second_kamailio;
#[cfg(test)]
mod several_pools;
#[cfg(test)]
mod slow_start;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod spirals;
#[cfg(test)]
mod statistics;
#[cfg(test)]
mod sticky;
#[cfg(test)]
mod support;
#[cfg(test)]
mod suspected_prober;
#[cfg(test)]
mod transports;
#[cfg(test)]
mod versions;
