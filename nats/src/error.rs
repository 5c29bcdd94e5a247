//! What can go wrong on the bus, sorted by what the caller does about it.

/// Why the bus did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used; nothing but another URL helps.
    #[error("NATS_URL is not valid: {0}; use nats://user:password@host:port")]
    Url(String),
    /// Nobody answered, or not in time; try again later.
    #[error("NATS does not answer: {0}")]
    Unavailable(String),
    /// The stream does not end where the publisher expects; read its end again.
    #[error("stream {0} does not end where expected, somebody else wrote to it")]
    Fenced(String),
    /// The stream is not there; create it and fill it again.
    #[error("stream {0} does not exist")]
    StreamGone(String),
    /// The server has a stream or consumer of that name with a meaning we cannot use and may not delete.
    #[error("{name} has {field} {found}, but needs {wanted}; delete it and it is made again")]
    Topology {
        /// Stream or consumer.
        name: String,
        /// The setting that differs.
        field: &'static str,
        /// What the server says.
        found: String,
        /// What we need.
        wanted: String,
    },
    /// The server understood and refused.
    #[error("NATS refuses: {0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }
}
