//! What can be wrong with the lease, and what helps.

/// Why a call to the lease failed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Something in `[lease]` cannot be used.
    #[error("[lease] {0}")]
    Config(String),
    /// No server answered in time, or none has a quorum. What was asked may have been done or not.
    #[error(
        "no etcd server answered: {tried}; check [lease] endpoints and `etcdctl endpoint status`"
    )]
    Away {
        /// Each server that was tried, and how it failed.
        tried: String,
    },
    /// etcd does not let this user do that.
    #[error("etcd refuses the agent: {0}; check [lease] user, password_file and the user's role")]
    Denied(String),
    /// The token is old. Handled inside: another one is fetched.
    #[error("etcd wants a new token: {0}")]
    Token(String),
    /// etcd refused a request for another reason.
    #[error("etcd refused the request: {message} (code {code})")]
    Refused {
        /// The gRPC code: 5 is "not found".
        code: u32,
        /// etcd's words.
        message: String,
    },
    /// Too much for one change.
    #[error(
        "{values} values with {bytes} bytes are too much for one change of the table: {message}; \
         store less at once, or raise etcd's --max-request-bytes"
    )]
    TooLarge {
        /// How many values were to be stored.
        values: usize,
        /// Their bytes.
        bytes: usize,
        /// etcd's words.
        message: String,
    },
    /// The lease is another's or nobody's; nothing was changed.
    #[error("this node does not hold the lease, so the table was not changed")]
    NotLeader,
    /// Each try met an earlier one that came late.
    #[error("earlier changes of the table still arrive; store again")]
    Unsettled,
    /// A value needs a name.
    #[error("a value of the table needs a name")]
    Nameless,
    /// The answer is not etcd's.
    #[error(
        "the answer to {path} is not etcd's: {problem}; is an endpoint in [lease] something else?"
    )]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}
