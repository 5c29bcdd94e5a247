//! The stream that carries the log: its end, the publisher that is fenced by it, and the consumers.

mod consumer;
mod publisher;

pub use consumer::{Batch, Consumer, Delivered};
pub use publisher::Publisher;

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};

use crate::bus::Bus;
use crate::envelope::{self, LogId};
use crate::error::Error;
use crate::topology;

/// How the stream ends: what the relay goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When the server made the stream, in nanoseconds since 1970; another value is another stream.
    pub created_ns: i64,
    /// The stream's own number of its last message, also when that message is gone.
    pub last_sequence: u64,
    /// Where its last message stands in which log; nothing when the stream is empty or the message is not ours.
    pub last: Option<(LogId, i64)>,
}

/// Makes or checks the stream, and reads how it ends.
pub async fn end(bus: &Bus) -> Result<End, Error> {
    let stream = topology::events(bus).await?;
    let info = stream.cached_info();
    let last = match info.state.messages {
        0 => None,
        _ => place_of(&stream, info.state.last_sequence).await?,
    };
    Ok(End {
        created_ns: i64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(i64::MAX),
        last_sequence: info.state.last_sequence,
        last,
    })
}

/// Empties the stream; its own numbering goes on.
pub async fn purge(bus: &Bus) -> Result<(), Error> {
    topology::events(bus).await?.purge().await.map(|_| ()).map_err(Error::unavailable)
}

async fn place_of(stream: &Stream, sequence: u64) -> Result<Option<(LogId, i64)>, Error> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(envelope::place(&message.headers).ok()),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(_)
            | RawMessageErrorKind::InvalidSubject
            | RawMessageErrorKind::Other => Err(Error::unavailable(error)),
        },
    }
}

/// The stream's number of the first message after `position`, when the stream holds it; a reader that knows where it
/// stands need not be sent what it has.
async fn sequence_after(stream: &Stream, log: LogId, position: i64) -> Result<Option<u64>, Error> {
    let state = &stream.cached_info().state;
    if state.messages == 0 {
        return Ok(Some(state.last_sequence + 1));
    }
    let Some((last_log, last_position)) = place_of(stream, state.last_sequence).await? else {
        return Ok(None);
    };
    if last_log != log || position > last_position {
        return Ok(None);
    }
    let behind = u64::try_from(last_position - position).unwrap_or(u64::MAX);
    let Some(at) = (state.last_sequence + 1).checked_sub(behind) else { return Ok(None) };
    if at > state.last_sequence {
        return Ok(Some(at));
    }
    if at < state.first_sequence {
        return Ok(Some(state.first_sequence));
    }
    // Positions in the stream are contiguous unless it was filled again; then the guess shows it.
    let found = place_of(stream, at).await?;
    Ok((found == Some((log, position + 1))).then_some(at))
}
