//! The door to the log: what an append says, and what became of it. Public so that it can be measured without HTTP around it.

mod batch;
mod writer;

use jiff::Timestamp;

use events::aggregate::Claim;
use events::envelope::Encoded;
use events::{Decider, TenantId};
use uuid::Uuid;

pub use writer::Writer;

/// What one command wants stored: all of it or nothing.
#[derive(Debug, Clone)]
pub struct Append {
    pub tenant: TenantId,
    /// The client's key in its scope, and the fingerprint of the request it came with.
    pub key: Option<(String, [u8; 32])>,
    /// The streams written, each once.
    pub streams: Vec<StreamWrite>,
    /// The versions of other streams that the decision used.
    pub facts: Vec<Fact>,
    /// The same for all events.
    pub metadata: String,
    /// Persons who begin here, each with their key as its row will hold it.
    pub subject_keys: Vec<(Uuid, Vec<u8>)>,
}

impl Append {
    /// Events of an organisation, without a key and leaning on nothing.
    pub fn of(tenant: TenantId, streams: Vec<StreamWrite>, metadata: String) -> Self {
        let (facts, subject_keys) = (Vec::new(), Vec::new());
        Self { tenant, key: None, streams, facts, metadata, subject_keys }
    }
}

/// New events of one stream.
#[derive(Debug, Clone)]
pub struct StreamWrite {
    pub kind: &'static str,
    pub id: String,
    /// The version the decision was made at; `None` where any will do.
    pub expected: Option<i64>,
    pub events: Vec<(Uuid, Encoded)>,
    pub claims: Vec<Claim>,
}

/// Instead of the id of one stream: all streams of a type, whose version is the number of their events.
pub const EVERY: &str = "*";

/// A stream that a decision leaned on, and its version then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fact {
    pub kind: &'static str,
    pub id: String,
    pub version: i64,
}

impl Fact {
    /// The fact that a stream of `D` stood at `version`.
    pub fn of<D: Decider>(id: impl Into<String>, version: i64) -> Self {
        Self { kind: D::TYPE, id: id.into(), version }
    }
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, for good.
    Stored(Stored),
    /// Its key was used before with the same request: these positions answer it.
    Replayed { first: i64, last: i64 },
    /// Its key was used before with another request.
    KeyReused,
    /// A stream moved on since the decision.
    StaleVersion,
    /// A fact moved on since the decision.
    StaleFact,
    /// Another stream holds a claim.
    Claimed { namespace: String, key: String },
}

/// Where an append stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub last_position: i64,
    pub epoch: i32,
    pub recorded_at: Timestamp,
}

/// Why an append has no outcome. Nothing that was not acknowledged may be assumed stored or not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The queue is full, or the process is ending.
    #[error("the log is not taking commands now")]
    Refusing,
    /// The database did not answer in time.
    #[error("the log could not be reached: {0}")]
    Unreachable(String),
    /// The append itself cannot be stored.
    #[error("the log refused the append: {0}")]
    Broken(String),
}
