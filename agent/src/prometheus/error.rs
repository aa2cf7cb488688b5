//! What can go wrong with a question to Prometheus. No text holds the password.

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrometheusError {
    /// A file of the configuration cannot be used.
    #[error("{what} of section [prometheus]: {reason}")]
    Files {
        /// The key.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer, or not all of it, in time.
    #[error("Prometheus at {url} does not answer: {reason}; check `url` in section [prometheus]")]
    Unreachable {
        /// Whom the agent asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// It refused the question.
    #[error(
        "Prometheus at {url} refused {query}: {status} {message}; correct the query, or the credentials in section [prometheus]"
    )]
    Refused {
        /// Whom the agent asked.
        url: String,
        /// What.
        query: String,
        /// HTTP status.
        status: u16,
        /// What it says about it.
        message: String,
    },
    /// It answered in part only: a sum of it would be too small.
    #[error("Prometheus at {url} answered {query} in part only: {warning}; see its log")]
    Partial {
        /// Whom the agent asked.
        url: String,
        /// What.
        query: String,
        /// What it says about it.
        warning: String,
    },
    /// An answer that is none of Prometheus.
    #[error(
        "what answers at {url} is no Prometheus, or the query is of another kind: {reason}; check `url` in section [prometheus]"
    )]
    Garbage {
        /// Whom the agent asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two agents call themselves alike: what one says would hide what the other does.
    #[error("{one} and {other} both call themselves node {node}; give each agent its own name")]
    Ambiguous {
        /// The name.
        node: String,
        /// One of them, as `instance` of the scrape.
        one: String,
        /// The other.
        other: String,
    },
}
