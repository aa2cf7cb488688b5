//! Prometheus as a source: the real one, and recorded answers for what it does not do on demand.

mod real;
mod recorded;

use super::*;
use crate::nodes::NodeReport;

fn config(url: &str) -> PrometheusConfig {
    PrometheusConfig {
        url: url.into(),
        timeout_s: 5.0,
        matchers: String::new(),
        ca_file: None,
        user: None,
        password_file: None,
    }
}
